import { type Range, type Span, parseRange, parseSpan, printRange, printSpan } from "./timerange";
import { type Zone, isZone } from "./zone";

/** What the address says: which page, over which time, and how far in. Everything a shared link needs. */
export interface Route {
  page: string;
  /** `null`: the page's own default. */
  range: Range | null;
  /** A closer look within or beside the range; `null` when the range itself is shown. */
  zoom: Span | null;
  /** What times are shown in; `null`: the board's own. */
  zone: Zone | null;
  /** The query page's text and database. */
  query: { text: string; database: string; language?: "datadog" } | null;
}

/** `#weather/daily?range=all&zoom=…`; parts that make no sense are as if they were not there. */
export function parseRoute(hash: string): Route {
  const [path = "", rest = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const parameters = new URLSearchParams(rest);
  const [range, zoom, text, zone] = [parameters.get("range"), parameters.get("zoom"), parameters.get("q"), parameters.get("tz")];
  return {
    page: path,
    range: range === null ? null : parseRange(range),
    zoom: zoom === null ? null : parseSpan(zoom),
    zone: zone !== null && isZone(zone) ? zone : null,
    query: text === null ? null : { text, database: parameters.get("db") ?? "", ...(parameters.get("language") === "datadog" ? { language: "datadog" as const } : {}) },
  };
}

export function printRoute({ page, range, zoom, zone, query }: Route): string {
  const parameters: [string, string][] = [];
  if (range) parameters.push(["range", printRange(range)]);
  if (zoom) parameters.push(["zoom", printSpan(zoom)]);
  if (zone) parameters.push(["tz", zone]);
  if (query) parameters.push(["db", query.database], ["q", query.text]);
  if (query?.language) parameters.push(["language", query.language]);
  // Colons and commas are fine in a fragment and kinder to read.
  const text = new URLSearchParams(parameters).toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  return `#${page}${text === "" ? "" : `?${text}`}`;
}

/** Gestures come sixty times a second and browsers limit how often the address may change: it follows when they rest. */
const REST_MILLIS = 300;

/**
 * The current route. The browser's own history is the history of zooming: back and forward, by button, key or
 * gesture, move through it.
 */
export class Router {
  private route = parseRoute(location.hash);
  private readonly listeners = new Set<(route: Route) => void>();
  private timer: number | undefined;
  /** Place in the history, and the furthest known: browsers tell neither. */
  private place: number;
  private furthest: number;

  constructor() {
    const state = history.state as { place?: number } | null;
    this.place = state?.place ?? 0;
    this.furthest = this.place;
    history.replaceState({ place: this.place }, "");
    addEventListener("popstate", ({ state }: PopStateEvent) => {
      this.stopTimer();
      const place = (state as { place?: number } | null)?.place;
      // Without a place a person typed the address or followed a link: it is one further.
      this.place = place ?? this.place + 1;
      if (place === undefined) history.replaceState({ place: this.place }, "");
      this.furthest = place === undefined ? this.place : Math.max(this.furthest, this.place);
      this.route = parseRoute(location.hash);
      this.tell();
    });
  }

  get current(): Route {
    return this.route;
  }

  get canGoBack(): boolean {
    return this.place > 0 || this.timer !== undefined;
  }

  get canGoForward(): boolean {
    return this.place < this.furthest;
  }

  back(): void {
    this.commit();
    history.back();
  }

  forward(): void {
    history.forward();
  }

  /** Shows a route at once. `gesture`: one of many in a row, which together are one step of the history. */
  go(change: Partial<Route>, how: "step" | "gesture" | "replace" = "step"): void {
    this.route = { ...this.route, ...change };
    this.stopTimer();
    if (how === "gesture") this.timer = setTimeout(() => this.commit(), REST_MILLIS);
    else this.write(how);
    this.tell();
  }

  on(listener: (route: Route) => void): void {
    this.listeners.add(listener);
  }

  /** Writes down a gesture that is under way. */
  private commit(): void {
    if (this.timer === undefined) return;
    this.stopTimer();
    this.write("step");
    this.tell();
  }

  private write(how: "step" | "replace"): void {
    const hash = printRoute(this.route);
    if (how === "replace" || hash === location.hash) {
      history.replaceState({ place: this.place }, "", hash);
      return;
    }
    this.place += 1;
    this.furthest = this.place;
    history.pushState({ place: this.place }, "", hash);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private tell(): void {
    for (const listener of this.listeners) listener(this.route);
  }
}
