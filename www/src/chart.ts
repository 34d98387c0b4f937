import uPlot from "uplot";
import type { Aligned } from "./data";
import { type Unit, axisSteps, formatAxis } from "./format";
import { bindGestures } from "./gestures";
import { colours, onTheme } from "./theme";
import type { Threshold, Tone } from "./spec";
import { NARROWEST, type Span } from "./timerange";
import { LOCAL, UTC, type Zone } from "./zone";
import type { View } from "./view";

/** A moment that is marked. */
export interface Mark {
  /** Milliseconds since 1970. */
  time: number;
  text: string;
}

export interface Line {
  label: string;
  /** Number of its colour. */
  colour: number;
  /** The line that matters most is drawn stronger. */
  strong: boolean;
  /** Filled down to the axis, or to the line before it. */
  fill: "none" | "area" | "band";
  /** Default: a line. */
  mark?: "bars" | "points";
  shown: boolean;
}

export interface ChartOptions {
  unit: Unit;
  floor?: number;
  ceiling?: number;
  zone(): Zone;
  /** Lines across, at values that matter. */
  thresholds?: readonly Threshold[];
  /** Charts with the same key share their cursor. */
  sync: string;
  want(span: Span, how: "gesture" | "step"): void;
  reset(): void;
  /** The row under the cursor; `null` when there is none. */
  hover(row: number | null): void;
  /** A press on a place without dragging: the row, and the line nearest to it. */
  pick?(row: number, line: number): void;
}

const HEIGHT = 196;
/** Room for `−99.5 °C` and `1023 KiB`. */
const VALUE_AXIS = 62;

/** uPlot with this page's axes, colours and gestures. It draws what it is given and computes nothing. */
export class Chart implements View {
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private lines: Line[] = [];
  private data: Aligned = { times: [], values: [] };
  private span: Span = { from: 0, to: NARROWEST };
  private marks: Mark[] = [];
  private gestures = new AbortController();
  private readonly endTheme: () => void;
  private readonly resizes: ResizeObserver;

  constructor(
    private readonly options: ChartOptions,
    host: HTMLElement,
  ) {
    this.element = host;
    this.endTheme = onTheme(() => this.plot?.redraw(false));
    this.resizes = new ResizeObserver(() => {
      if (this.plot && this.plot.width !== this.width && this.width > 0) this.plot.setSize({ width: this.width, height: HEIGHT });
    });
    this.resizes.observe(host);
  }

  /** CSS pixels across, axes included. */
  get width(): number {
    return Math.floor(this.element.clientWidth);
  }

  /** CSS pixels that values are drawn on. */
  get plotWidth(): number {
    return this.plot ? this.plot.bbox.width / uPlot.pxRatio : Math.max(this.width - 60, 100);
  }

  get rows(): number {
    return this.data.times.length;
  }

  /** The row under the cursor; `null` when there is none. */
  get row(): number | null {
    return this.plot?.cursor.idx ?? null;
  }

  show(lines: Line[], data: Aligned, span: Span): void {
    const same = this.plot !== null && lines.length === this.lines.length && lines.every((line, number) => line.label === this.lines[number]?.label);
    this.lines = lines;
    this.data = data;
    this.span = span;
    if (!same) this.build();
    else this.plot?.batch(() => {
      this.plot?.setData(this.columns(), false);
      this.setScale();
    });
  }

  /** Moves over the points it has; better ones follow. */
  setSpan(span: Span): void {
    this.span = span;
    this.setScale();
  }

  /** Marks moments in place of those marked before. */
  setMarks(marks: Mark[]): void {
    this.marks = marks;
    this.plot?.redraw(false);
  }

  /** Draws anew what does not depend on the data: the time zone. */
  rebuild(): void {
    if (this.plot) this.build();
  }

  toggle(line: number, shown: boolean): void {
    this.plot?.setSeries(line + 1, { show: shown });
  }

  /** Moves the cursor by rows, from where it is or from the end. */
  moveCursor(by: number): void {
    const { plot } = this;
    if (!plot || this.rows === 0) return;
    const row = Math.min(Math.max((plot.cursor.idx ?? this.rows - 1) + by, 0), this.rows - 1);
    plot.setCursor({ left: plot.valToPos(this.data.times[row] ?? 0, "x"), top: 0 });
  }

  destroy(): void {
    this.endTheme();
    this.resizes.disconnect();
    this.gestures.abort();
    this.plot?.destroy();
    this.plot = null;
  }

  private columns(): uPlot.AlignedData {
    return [this.data.times, ...this.data.values];
  }

  private setScale(): void {
    this.plot?.setScale("x", { min: this.span.from / 1000, max: this.span.to / 1000 });
  }

  private build(): void {
    this.gestures.abort();
    this.plot?.destroy();
    this.element.replaceChildren();
    const plot = new uPlot(this.uplotOptions(), this.columns(), this.element);
    this.plot = plot;
    this.gestures = new AbortController();
    bindGestures(
      {
        area: plot.over,
        span: () => this.span,
        want: this.options.want,
        point: (place) => plot.setCursor(place === null ? { left: -10, top: -10 } : { left: place * plot.over.clientWidth, top: 0 }),
      },
      this.gestures.signal,
    );
    if (this.options.pick) this.bindPick(plot, this.gestures.signal);
  }

  private uplotOptions(): uPlot.Options {
    const { unit, sync, want, reset, hover } = this.options;
    const zone = this.options.zone();
    const axis: uPlot.Axis = {
      stroke: () => colours().text,
      font: '11px system-ui, -apple-system, "Segoe UI", sans-serif',
      grid: { stroke: () => colours().grid, width: 1 },
      ticks: { show: false },
    };
    return {
      width: Math.max(this.width, 120),
      height: HEIGHT,
      padding: [10, 20, 0, 0],
      legend: { show: false },
      ...(zone === LOCAL ? {} : { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), zone === UTC ? "Etc/UTC" : zone) }),
      scales: {
        x: { time: true, auto: false, min: this.span.from / 1000, max: this.span.to / 1000 },
        y: { range: (_, min, max) => this.valueRange(min, max) },
      },
      axes: [
        { ...axis, size: timeAxisHeight, gap: 5, space: 76, values: timeLabels },
        { ...axis, size: valueAxisWidth, gap: 6, space: 28, incrs: axisSteps(unit), values: (_, splits) => formatAxis(splits, unit) },
      ],
      series: [{}, ...this.lines.map((line) => series(line))],
      bands: this.lines.flatMap((line, number) =>
        line.fill === "band" ? [{ series: [number + 1, number] as [number, number], fill: () => tint(line.colour, 0.22), dir: -1 as const }] : [],
      ),
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false, dist: 4 },
        // Every chart shows the same moment; what is dragged on one is its own business.
        sync: { key: sync, setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        points: { size: 6, width: 0, fill: (_, number) => colour(this.lines[number - 1]?.colour ?? 0) },
        bind: {
          mousedown: (_, __, handler) => (event: MouseEvent) => (event.button === 0 && !event.shiftKey ? handler(event) : null),
          dblclick: () => () => {
            reset();
            return null;
          },
        },
      },
      hooks: {
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            const [from, to] = [plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000];
            if (width > 0 && to > from) want(atLeast({ from: Math.round(from), to: Math.round(to) }), "step");
          },
        ],
        setCursor: [(plot) => hover(plot.cursor.idx ?? null)],
        draw: [(plot) => this.drawThresholds(plot), (plot) => this.drawMarks(plot)],
      },
    };
  }

  private drawThresholds(plot: uPlot): void {
    const { ctx, bbox } = plot;
    for (const { value, tone } of this.options.thresholds ?? []) {
      const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.save();
      ctx.strokeStyle = toneColour(tone);
      ctx.lineWidth = uPlot.pxRatio;
      ctx.setLineDash([6 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.restore();
    }
  }

  private drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = toneColour("mark");
    ctx.lineWidth = uPlot.pxRatio;
    for (const { time } of this.marks) {
      const x = Math.round(plot.valToPos(time / 1000, "x", true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const size = 4 * uPlot.pxRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - size, bbox.top);
      ctx.lineTo(x + size, bbox.top);
      ctx.lineTo(x, bbox.top + size * 1.5);
      ctx.fill();
    }
    ctx.restore();
  }

  /** A press that is no drag picks the row under the cursor. */
  private bindPick(plot: uPlot, signal: AbortSignal): void {
    let down: number | null = null;
    plot.over.addEventListener("mousedown", ({ clientX, shiftKey }) => (down = shiftKey ? null : clientX), { signal });
    plot.over.addEventListener("click", ({ clientX }) => {
      const still = down !== null && Math.abs(clientX - down) < 4;
      down = null;
      if (still) this.pick();
    }, { signal });
  }

  /** Says which point the cursor is at. */
  pick(): void {
    const { plot } = this;
    const row = plot?.cursor.idx ?? null;
    if (!plot || row === null) return;
    const top = plot.cursor.top ?? 0;
    let nearest = { line: -1, apart: Infinity };
    this.data.values.forEach((column, line) => {
      const value = column[row];
      if (value === null || value === undefined || this.lines[line]?.shown === false) return;
      const apart = Math.abs(plot.valToPos(value, "y") - top);
      if (apart < nearest.apart) nearest = { line, apart };
    });
    if (nearest.line >= 0) this.options.pick?.(row, nearest.line);
  }

  private valueRange(min: number | null, max: number | null): uPlot.Range.MinMax {
    const { ceiling, unit } = this.options;
    // Bars stand on something.
    const floor = this.options.floor ?? (this.lines.some(({ mark }) => mark === "bars") && (min ?? 0) >= 0 ? 0 : undefined);
    if (floor !== undefined && ceiling !== undefined) return [floor, ceiling];
    let [low, high] = [Math.min(min ?? 0, floor ?? Infinity), max ?? 1];
    if (!(high > low)) [low, high] = high === 0 || low === floor ? [low, low + (unit === "bytes" ? 1024 : 1)] : [low - Math.abs(low) * 0.1, high + Math.abs(high) * 0.1];
    const margin = (high - low) * 0.08;
    return [floor === undefined ? low - margin : low, high + margin];
  }
}

const BARS = uPlot.paths.bars?.({ size: [0.8, 48] }) ?? (() => null);

function toneColour(tone: Tone | "mark"): string {
  return colours().tones[tone];
}

function series(line: Line): uPlot.Series {
  return {
    label: line.label,
    show: line.shown,
    scale: "y",
    stroke: () => colour(line.colour),
    width: line.mark === "bars" ? 0 : line.strong ? 2 : 1.25,
    ...(line.fill === "area" ? { fill: () => tint(line.colour, 0.12) } : {}),
    ...(line.mark === "bars" ? { paths: BARS, fill: () => tint(line.colour, 0.55) } : line.mark === "points" ? { paths: () => null } : {}),
    points: line.mark === "points" ? { show: true, size: 4, width: 0, fill: () => colour(line.colour) } : { show: false },
    spanGaps: false,
  };
}

/** The same for all charts, so that their times line up, unless a label needs more; then in steps, to twitch less. */
function valueAxisWidth(plot: uPlot, labels: string[] | null): number {
  if (!labels) return VALUE_AXIS;
  plot.ctx.save();
  plot.ctx.font = `${11 * uPlot.pxRatio}px system-ui, -apple-system, "Segoe UI", sans-serif`;
  const widest = Math.max(...labels.map((label) => plot.ctx.measureText(label).width)) / uPlot.pxRatio;
  plot.ctx.restore();
  return Math.max(VALUE_AXIS, Math.ceil((widest + 10) / 8) * 8);
}

/** Room for the second line, the date, where a label has one. */
function timeAxisHeight(_: uPlot, labels: string[] | null): number {
  return labels?.some((label) => label?.includes("\n")) ? 36 : 22;
}

/** What changes from label to label, and the day where it begins: `14:30`, `24 Nov`, `Jun`, `2014`. */
const timeLabels: uPlot.Axis.Values = [
  [3600 * 24 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [3600 * 24 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600 * 24, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [0.001, ":{ss}.{fff}", "\n{D} {MMM} {HH}:{mm}", null, "\n{D} {MMM} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
];

export function colour(number: number): string {
  const { series } = colours();
  return series[number % series.length] ?? "#888";
}

/** A colour of the palette, thinned. */
function tint(number: number, alpha: number): string {
  return colour(number).replace("rgb(", "rgba(").replace(")", `, ${alpha})`);
}

function atLeast(span: Span): Span {
  const missing = NARROWEST - (span.to - span.from);
  return missing > 0 ? { from: span.from - missing / 2, to: span.to + missing / 2 } : span;
}
