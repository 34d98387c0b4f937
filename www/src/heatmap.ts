import { h } from "./dom";
import { type Unit, formatValue } from "./format";
import { colours, onTheme } from "./theme";
import { PlainView } from "./view";

/** Rows of cells: as many as can be told apart in a panel's height. */
const ROWS = 24;
const [LEFT, BOTTOM, HEIGHT] = [62, 4, 196];

/** How many lines have a value where: time across, values upwards, the darker the more. */
export class HeatmapView extends PlainView {
  private readonly canvas = h("canvas", { class: "heat", role: "img" });
  private readonly endTheme = onTheme(() => this.draw());

  constructor(
    host: HTMLElement,
    private readonly options: { unit: Unit; title: string; floor?: number; ceiling?: number },
  ) {
    super(host);
    host.replaceChildren(this.canvas);
  }

  override destroy(): void {
    this.endTheme();
    super.destroy();
  }

  protected draw(): void {
    const { canvas, host } = this;
    const ratio = devicePixelRatio || 1;
    const width = Math.max(host.clientWidth, 120);
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${HEIGHT}px`;
    const context = canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    context.clearRect(0, 0, width, HEIGHT);
    const { columns, low, high, most } = this.cells();
    canvas.setAttribute("aria-label", `${this.options.title}: ${columns.size} columns from ${formatValue(low, this.options.unit)} to ${formatValue(high, this.options.unit)}`);
    if (columns.size === 0) return;
    const { from, to } = this.span;
    const times = [...columns.keys()];
    // As wide as the times lie apart, so that a gap stays a gap.
    const step = times.length > 1 ? Math.min(...times.slice(1).map((time, at) => time - (times[at] ?? 0))) * 1000 : to - from;
    const area = { width: width - LEFT - 20, height: HEIGHT - BOTTOM - 10 };
    const [cellWidth, cellHeight] = [Math.max((step / (to - from)) * area.width, 1), area.height / ROWS];
    const { text, series } = colours();
    context.fillStyle = series[0] ?? text;
    for (const [time, cells] of columns) {
      const x = LEFT + ((time * 1000 - from) / (to - from)) * area.width;
      if (x + cellWidth < LEFT || x > LEFT + area.width) continue;
      cells.forEach((count, row) => {
        if (count === 0) return;
        context.globalAlpha = 0.15 + 0.85 * Math.sqrt(count / most);
        const left = Math.max(x, LEFT);
        context.fillRect(left, 10 + area.height - (row + 1) * cellHeight, Math.min(x + cellWidth, LEFT + area.width) - left, Math.ceil(cellHeight));
      });
    }
    context.globalAlpha = 1;
    context.fillStyle = text;
    context.font = '11px system-ui, -apple-system, "Segoe UI", sans-serif';
    context.textAlign = "right";
    for (const part of [0, 0.5, 1]) {
      context.textBaseline = part === 0 ? "alphabetic" : part === 1 ? "top" : "middle";
      context.fillText(formatValue(low + (high - low) * part, this.options.unit), LEFT - 6, 10 + area.height * (1 - part));
    }
  }

  /** Of each time, how many lines are in each row. */
  private cells(): { columns: Map<number, number[]>; low: number; high: number; most: number } {
    const shown = this.data.values.filter((_, line) => this.lines[line]?.shown !== false);
    let [low, high] = [this.options.floor ?? Infinity, this.options.ceiling ?? -Infinity];
    for (const column of shown) {
      for (const value of column) {
        if (value === null || value === undefined) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    const columns = new Map<number, number[]>();
    let most = 1;
    this.data.times.forEach((time, row) => {
      const cells = new Array<number>(ROWS).fill(0);
      let any = false;
      for (const column of shown) {
        const value = column[row];
        if (value === null || value === undefined) continue;
        const at = high > low ? Math.min(Math.floor(((value - low) / (high - low)) * ROWS), ROWS - 1) : 0;
        cells[at] = (cells[at] ?? 0) + 1;
        most = Math.max(most, cells[at]);
        any = true;
      }
      if (any) columns.set(time, cells);
    });
    return { columns, low, high, most };
  }
}
