import { BOARDS } from "./boards";
import { atMostEvery, h, setText } from "./dom";
import { formatSpan, formatTime, plural } from "./format";
import { exportDashboard } from "./grafana-dashboard";
import { quote } from "./influxql";
import { Panel } from "./panel";
import type { Route, Router } from "./route";
import type { Source } from "./source";
import { type Shown, embed } from "./snapshot-file";
import { type BoardSpec, extentField } from "./spec";
import { type Range, type Span, contains, resolve } from "./timerange";
import { Toolbar } from "./toolbar";
import type { Zone } from "./zone";

/** How often to look whether a database that was missing has come. */
const RETRY_MILLIS = 3000;
/** Charts move no more often than this, however fast points come. */
const MOVE_MILLIS = 100;
/** Annotations that are listed beneath the charts, the latest. */
const MOST_MARKS = 50;

/** A board on the screen: its panels, one range and one cursor for all of them. */
export class Dashboard {
  readonly element: HTMLElement;
  private readonly toolbar: Toolbar;
  private readonly grid = h("div", { class: "grid" });
  private readonly marks = h("div", { class: "marks", "data-testid": "marks" });
  private readonly spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });
  private panels: Panel[] = [];
  private extent: Span | null = null;
  private retry: number | undefined;
  private filesChanged = false;
  private zone: Zone;
  /** The span whose annotations are shown. */
  private annotated: Span | null = null;
  private ended = false;
  private readonly stopPoints: () => void;

  constructor(
    private readonly board: BoardSpec,
    private readonly source: Source,
    private readonly router: Router,
    siblings: readonly BoardSpec[],
  ) {
    this.zone = board.zone;
    const want = (zoom: Span, how: "gesture" | "step"): void => router.go({ zoom }, how);
    const reset = (): void => this.reset();
    this.toolbar = new Toolbar(board, {
      choose: (range) => router.go({ range, zoom: null }),
      back: () => router.back(),
      forward: () => router.forward(),
      ...(source.address === "" ? {} : { snapshot: (said: (text: string) => void) => this.snapshot(said) }),
      chooseZone: (zone) => router.go({ zone: zone === board.zone ? null : zone }),
      reset: () => (this.board.live && this.range(router.current).kind !== "last" ? router.go({ range: board.initial, zoom: null }) : this.reset()),
    });
    const tabs = siblings.length > 1 && h("nav", { class: "segmented tabs", "aria-label": "Parts of this page" }, ...siblings.map(({ page, title }) => h("a", { href: `#${page}`, "aria-current": page === board.page && "page" }, title)));
    this.element = h(
      "div",
      { class: "board", "data-testid": `board-${board.page}`, "data-state": "loading" },
      h("div", { class: siblings.length > 1 ? "heading" : "visually-hidden" }, h("h1", {}, board.heading), tabs),
      this.toolbar.element,
      this.grid,
      this.marks,
      board.origin && h("p", { class: "origin", "data-testid": "origin" }, "Source: ", board.origin.text, " ", h("a", { href: board.origin.link, rel: "noreferrer" }, "Origin")),
      this.spoken,
    );
    this.panels = board.panels.map((spec) => new Panel(spec, board, source, { want, reset, zone: () => this.zone }));
    this.grid.replaceChildren(...this.panels.map(({ element }) => element));
    const move = atMostEvery(MOVE_MILLIS, () => this.follow());
    addEventListener("keydown", this.escape);
    this.stopPoints = source.onPoints((database, points) => {
      if (database !== board.database) return;
      if (points === 0) {
        this.filesChanged = true;
        for (const panel of this.panels) panel.forget();
      }
      move();
    });
    void this.start();
  }

  show(route: Route): void {
    if (this.element.dataset["state"] !== "ready") return;
    const range = this.range(route);
    const whole = resolve(range, this.now, this.extent);
    const span = route.zoom ?? whole;
    const moves = this.board.live && range.kind !== "fixed";
    const live = moves && route.zoom === null;
    const zone = route.zone ?? this.board.zone;
    if (zone !== this.zone) {
      this.zone = zone;
      for (const panel of this.panels) panel.rebuild();
    }
    Object.assign(this.element.dataset, { from: String(span.from), to: String(span.to), live: String(live) });
    for (const panel of this.panels) panel.show(span, contains(whole, span) ? whole : span, moves);
    const { canGoBack, canGoForward } = this.router;
    this.toolbar.show({ range, span, zoomed: route.zoom !== null, canGoBack, canGoForward, zone });
    void this.annotate(span);
    if (route.zoom) setText(this.spoken, `Showing ${formatSpan(span.from, span.to, zone)}`);
  }

  /** The panels' elements, by the id of their panel. */
  panelsById(): Map<string, HTMLElement> {
    return new Map(this.board.panels.map(({ id }, number) => [id, this.panels[number]?.element ?? this.element]));
  }

  destroy(): void {
    this.ended = true;
    clearTimeout(this.retry);
    this.stopPoints();
    removeEventListener("keydown", this.escape);
    for (const panel of this.panels) panel.destroy();
  }

  /** Waits for the database, then draws. */
  private async start(): Promise<void> {
    const presence = await this.source.presence(this.board.database);
    if (this.ended) return;
    if (presence !== "here") {
      this.absent(presence === "missing" ? this.board.missing : UNREACHABLE, presence);
      this.retry = setTimeout(() => void this.start(), RETRY_MILLIS);
      return;
    }
    if (!this.grid.isConnected) this.element.querySelector(".absent")?.replaceWith(this.grid);
    if (this.range(this.router.current).kind === "all" || !this.board.live) await this.measure();
    if (this.ended) return;
    this.element.dataset["state"] = "ready";
    this.toolbar.element.hidden = false;
    this.show(this.router.current);
    // Later choices of "all" find it ready.
    await this.measure();
  }

  private absent({ title, text, command }: BoardSpec["missing"], state: string): void {
    if (this.element.dataset["state"] === state) return;
    this.element.dataset["state"] = state;
    this.toolbar.element.hidden = true;
    const card = h("div", { class: "absent", "data-testid": "absent" }, h("h2", {}, title), h("p", {}, text), command !== "" && h("pre", {}, h("code", {}, command)), h("p", { class: "quiet" }, "This page looks again every few seconds."));
    (this.grid.isConnected ? this.grid : this.element.querySelector(".absent"))?.replaceWith(card);
  }

  /** Puts the board, its database and the engine into one HTML file. */
  private async snapshot(said: (text: string) => void): Promise<void> {
    const shown: Shown = BOARDS.some(({ page }) => page === this.board.page) ? { builtin: this.board.page } : { dashboard: exportDashboard(this.board, {}) };
    const bytes = await this.source.snapshot(this.board.database, ({ bytesFetched, bytesToFetch }) => said(`${Math.round((bytesFetched / bytesToFetch) * 100)} %`));
    const template = await (await fetch(`${this.source.address}/snapshot.html`)).text();
    const page = new Blob([embed(template, bytes, shown)], { type: "text/html" });
    const link = h("a", { href: URL.createObjectURL(page), download: `${this.board.database}-${new Date().toISOString().slice(0, 10)}.html` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  /** From the first to the last point of all panels. */
  private async measure(): Promise<void> {
    const { database, panels, live } = this.board;
    const fields = panels.map(extentField).filter((field) => field !== null);
    const extents = await Promise.all(fields.map(({ measurement, field }) => this.source.extent(database, measurement, field).catch(() => null)));
    const found = extents.filter((extent) => extent !== null);
    if (found.length === 0) return;
    const to = live ? this.now : Math.max(...found.map((extent) => extent.to));
    this.extent = { from: Math.min(...found.map((extent) => extent.from)), to };
  }

  /** Marks what the board's measurement of moments has in a span. Those of a wider span hold for a closer look. */
  private async annotate(span: Span): Promise<void> {
    const { annotations, database } = this.board;
    if (!annotations || (contains(this.annotated, span) && !this.board.live)) return;
    this.annotated = span;
    const text = `SELECT ${quote(annotations.field)} FROM ${quote(annotations.measurement)} WHERE time >= ${Math.round(span.from)}ms AND time <= ${Math.round(span.to)}ms LIMIT 500`;
    const found = await this.source.query(text, database).then((result) => result.series(), () => []);
    if (this.ended) return;
    const marks = found.flatMap((series) => Array.from(series.timesMillis(), (time, row) => ({ time, text: String(series.columns[0]?.get(row) ?? "") })));
    this.element.dataset["marks"] = String(marks.length);
    for (const panel of this.panels) panel.setMarks(marks);
    const items = marks.slice(-MOST_MARKS).map(({ time, text }) => h("li", {}, h("time", {}, formatTime(time, this.zone)), " ", text));
    this.marks.replaceChildren(...(items.length === 0 ? [] : [h("details", {}, h("summary", {}, plural(marks.length, "annotation")), h("ul", {}, ...items))]));
  }

  /** Points came: the board moves on. A closer look stays where it is, but holds its bytes again when files changed. */
  private follow(): void {
    if (this.ended) return;
    if (this.extent && this.board.live) this.extent = { ...this.extent, to: this.now };
    if (this.router.current.zoom === null || this.filesChanged) this.show(this.router.current);
    this.filesChanged = false;
  }

  /** Escape resets from anywhere but a control that has its own use for it. */
  private readonly escape = (event: KeyboardEvent): void => {
    const control = event.target instanceof Element && event.target.closest("input, select, textarea, details[open]");
    if (event.key === "Escape" && !control) this.reset();
  };

  private reset(): void {
    if (this.router.current.zoom !== null) this.router.go({ zoom: null });
  }

  private range(route: Route): Range {
    return route.range ?? this.board.initial;
  }

  /** The right edge of "the last while": the clock, or where data that has ended ends. */
  private get now(): number {
    return this.board.live ? Date.now() : (this.extent?.to ?? Date.now());
  }
}

const UNREACHABLE = {
  title: "The server does not answer",
  text: "This page's data has not been in the browser yet, so there is nothing to compute with. Pages you have already seen go on working.",
  command: "",
};
