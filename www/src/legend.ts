import { type Line, colour } from "./chart";
import { h, setText } from "./dom";
import { type Unit, formatValue } from "./format";
import { lineStats } from "./stats";
import { onTheme } from "./theme";

/** Names, colours and current values of a chart's lines; a press hides one, a double press all others. */
export class Legend {
  readonly element = h("ul", { class: "legend" });
  private items: { button: HTMLButtonElement; swatch: HTMLElement; value: HTMLElement; stats: HTMLElement; line: Line }[] = [];
  private readonly endTheme = onTheme(() => this.paint());

  constructor(
    private readonly unit: Unit,
    private readonly toggled: (line: number, shown: boolean) => void,
  ) {}

  setLines(lines: Line[]): void {
    if (lines.length === this.items.length && lines.every((line, number) => line.label === this.items[number]?.line.label)) return;
    this.items = lines.map((line, number) => {
      const swatch = h("i", { class: line.strong ? "swatch strong" : "swatch" });
      const value = h("span", { class: "value" });
      const stats = h("span", { class: "stats-of" });
      const button = h("button", { type: "button", "aria-pressed": String(line.shown), title: "Show or hide; double-click: only this one" }, swatch, h("span", { class: "name" }, line.label), value, stats);
      button.addEventListener("click", () => this.set(number, !this.items[number]?.line.shown));
      button.addEventListener("dblclick", () => {
        const alone = this.items.every((item, other) => item.line.shown === (other === number));
        this.items.forEach((_, other) => this.set(other, alone || other === number));
      });
      return { button, swatch, value, stats, line };
    });
    this.element.replaceChildren(...this.items.map(({ button }) => h("li", {}, button)));
    this.paint();
  }

  setValues(values: (number | null)[]): void {
    this.items.forEach(({ value }, number) => setText(value, formatValue(values[number], this.unit)));
  }

  /** Least, greatest and mean of each line; `null` takes them away. */
  setStats(columns: readonly (readonly (number | null | undefined)[])[] | null): void {
    this.element.classList.toggle("with-stats", columns !== null);
    this.items.forEach(({ stats }, number) => {
      if (columns === null) return setText(stats, "");
      const { min, max, mean } = lineStats(columns[number] ?? []);
      setText(stats, `min ${formatValue(min, this.unit)} · max ${formatValue(max, this.unit)} · mean ${formatValue(mean, this.unit)}`);
    });
  }

  /** Which lines a person has hidden, by label. */
  hidden(): Set<string> {
    return new Set(this.items.filter(({ line }) => !line.shown).map(({ line }) => line.label));
  }

  destroy(): void {
    this.endTheme();
  }

  private set(number: number, shown: boolean): void {
    const item = this.items[number];
    if (!item) return;
    item.line.shown = shown;
    item.button.setAttribute("aria-pressed", String(shown));
    this.toggled(number, shown);
  }

  private paint(): void {
    for (const { swatch, line } of this.items) swatch.style.setProperty("--swatch", colour(line.colour));
  }
}
