import { atMostEvery, h, setText } from "./dom";
import { formatSpan } from "./format";
import { Panel } from "./panel";
import type { Route, Router } from "./route";
import type { Source } from "./source";
import type { BoardSpec } from "./spec";
import { type Range, type Span, contains, resolve } from "./timerange";
import { Toolbar } from "./toolbar";

/** How often to look whether a database that was missing has come. */
const RETRY_MILLIS = 3000;
/** Charts move no more often than this, however fast points come. */
const MOVE_MILLIS = 100;

/** A board on the screen: its panels, one range and one cursor for all of them. */
export class Dashboard {
  readonly element: HTMLElement;
  private readonly toolbar: Toolbar;
  private readonly grid = h("div", { class: "grid" });
  private readonly spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });
  private panels: Panel[] = [];
  private extent: Span | null = null;
  private retry: number | undefined;
  private filesChanged = false;
  private ended = false;
  private readonly stopPoints: () => void;

  constructor(
    private readonly board: BoardSpec,
    private readonly source: Source,
    private readonly router: Router,
    siblings: readonly BoardSpec[],
  ) {
    const want = (zoom: Span, how: "gesture" | "step"): void => router.go({ zoom }, how);
    const reset = (): void => this.reset();
    this.toolbar = new Toolbar(board, {
      choose: (range) => router.go({ range, zoom: null }),
      back: () => router.back(),
      forward: () => router.forward(),
      reset: () => (this.board.live && this.range(router.current).kind !== "last" ? router.go({ range: board.initial, zoom: null }) : this.reset()),
    });
    const tabs = siblings.length > 1 && h("nav", { class: "segmented tabs", "aria-label": "Parts of this page" }, ...siblings.map(({ page, title }) => h("a", { href: `#${page}`, "aria-current": page === board.page && "page" }, title)));
    this.element = h(
      "div",
      { class: "board", "data-testid": `board-${board.page}`, "data-state": "loading" },
      h("div", { class: siblings.length > 1 ? "heading" : "visually-hidden" }, h("h1", {}, board.heading), tabs),
      this.toolbar.element,
      this.grid,
      board.origin && h("p", { class: "origin", "data-testid": "origin" }, "Source: ", board.origin.text, " ", h("a", { href: board.origin.link, rel: "noreferrer" }, "Origin")),
      this.spoken,
    );
    this.panels = board.panels.map((spec) => new Panel(spec, board, source, { want, reset }));
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
    Object.assign(this.element.dataset, { from: String(span.from), to: String(span.to), live: String(live) });
    for (const panel of this.panels) panel.show(span, contains(whole, span) ? whole : span, moves);
    const { canGoBack, canGoForward } = this.router;
    this.toolbar.show({ range, span, zoomed: route.zoom !== null, canGoBack, canGoForward });
    if (route.zoom) setText(this.spoken, `Showing ${formatSpan(span.from, span.to, this.board.utc)}`);
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

  /** From the first to the last point of all panels. */
  private async measure(): Promise<void> {
    const { database, panels, live } = this.board;
    const extents = await Promise.all(panels.map(({ measurement, columns }) => this.source.extent(database, measurement, columns[0]?.field ?? "").catch(() => null)));
    const found = extents.filter((extent) => extent !== null);
    if (found.length === 0) return;
    const to = live ? this.now : Math.max(...found.map((extent) => extent.to));
    this.extent = { from: Math.min(...found.map((extent) => extent.from)), to };
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
