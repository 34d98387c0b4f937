import type { Line, Mark } from "./chart";
import type { Aligned } from "./data";
import type { Span } from "./timerange";

/** What a panel's answer is shown in: a chart, a map, figures. */
export interface View {
  /** CSS pixels that values are drawn on. */
  readonly plotWidth: number;
  /** Rows that are shown. */
  readonly rows: number;
  /** The row under the cursor; `null` when there is none. */
  readonly row: number | null;
  show(lines: Line[], data: Aligned, span: Span): void;
  /** Moves over the points it has; better ones follow. */
  setSpan(span: Span): void;
  toggle(line: number, shown: boolean): void;
  moveCursor(by: number): void;
  setMarks(marks: Mark[]): void;
  /** Says which point the cursor is at. */
  pick(): void;
  /** Draws anew what does not depend on the data: the time zone, the theme. */
  rebuild(): void;
  destroy(): void;
}

/** What every view that is no chart has in common: no cursor, no marks, and a drawing that follows theme and width. */
export abstract class PlainView implements View {
  protected lines: Line[] = [];
  protected data: Aligned = { times: [], values: [] };
  protected span: Span = { from: 0, to: 1 };
  private readonly resizes = new ResizeObserver(() => this.draw());

  constructor(protected readonly host: HTMLElement) {
    this.resizes.observe(host);
  }

  get plotWidth(): number {
    return Math.max(this.host.clientWidth, 100);
  }

  get rows(): number {
    return this.data.times.length;
  }

  readonly row = null;

  show(lines: Line[], data: Aligned, span: Span): void {
    Object.assign(this, { lines, data, span });
    this.draw();
  }

  setSpan(span: Span): void {
    this.span = span;
    this.draw();
  }

  toggle(): void {
    this.draw();
  }

  moveCursor(): void {
    // There is none.
  }

  setMarks(): void {
    // There is no time to mark.
  }

  pick(): void {
    // There is no point to pick.
  }

  rebuild(): void {
    this.draw();
  }

  destroy(): void {
    this.resizes.disconnect();
    this.host.replaceChildren();
  }

  /** Draws `lines` and `data` anew. */
  protected abstract draw(): void;
}
