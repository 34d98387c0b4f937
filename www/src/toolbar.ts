import { h, setText } from "./dom";
import { formatDuration, formatSpan, formatTime } from "./format";
import type { BoardSpec } from "./spec";
import { NARROWEST, type Range, type Span, WIDEST, printRange } from "./timerange";
import { type Zone, momentOf, zoneName, zones } from "./zone";

export interface ToolbarActions {
  choose(range: Range): void;
  back(): void;
  forward(): void;
  reset(): void;
  chooseZone(zone: Zone): void;
  /** Makes one file of what is shown; absent where that is one already. */
  snapshot?(said: (text: string) => void): Promise<void>;
}

export interface ToolbarState {
  range: Range;
  span: Span;
  zoomed: boolean;
  canGoBack: boolean;
  canGoForward: boolean;
  zone: Zone;
}

/** The time controls of a board: presets, two moments, history, live. */
export class Toolbar {
  readonly element: HTMLElement;
  private readonly presets: Map<string, HTMLButtonElement>;
  private readonly shown = h("span", { class: "shown", "data-testid": "range" });
  private readonly live = h("button", { type: "button", class: "live", "data-testid": "live" });
  private readonly back: HTMLButtonElement;
  private readonly forward: HTMLButtonElement;
  private readonly reset: HTMLButtonElement;
  private readonly from = h("input", { type: "datetime-local", step: 1, required: true, name: "from" });
  private readonly to = h("input", { type: "datetime-local", step: 1, required: true, name: "to" });
  private readonly absolute: HTMLDetailsElement;
  private readonly zones = h("select", { class: "zone", "aria-label": "Time zone", "data-testid": "zone" });
  private zone: Zone;

  constructor(
    board: BoardSpec,
    private readonly actions: ToolbarActions,
  ) {
    this.zone = board.zone;
    this.zones.append(...zones().map((zone) => h("option", { value: zone }, zoneName(zone))));
    this.zones.addEventListener("change", () => actions.chooseZone(this.zones.value));
    const ranges: Range[] = [...board.presets.map((millis): Range => ({ kind: "last", millis })), { kind: "all" }];
    this.presets = new Map(ranges.map((range) => [printRange(range), this.preset(range)]));
    this.back = h("button", { type: "button", class: "icon", "aria-label": "Back to the view before", title: "Back", "data-testid": "back", click: actions.back }, "←");
    this.forward = h("button", { type: "button", class: "icon", "aria-label": "Forward to the next view", title: "Forward", "data-testid": "forward", click: actions.forward }, "→");
    this.reset = h("button", { type: "button", "data-testid": "reset", title: "Back to the whole range (Escape)", click: actions.reset }, "Reset");
    this.live.addEventListener("click", () => actions.reset());
    this.absolute = this.absoluteForm();
    this.element = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "Time range" },
      h("div", { class: "segmented", role: "group", "aria-label": "Presets" }, ...this.presets.values()),
      this.absolute,
      h("div", { class: "segmented history", role: "group", "aria-label": "History of views" }, this.back, this.forward),
      this.reset,
      h("span", { class: "spring" }),
      this.shown,
      this.zones,
      this.live,
    );
    const { snapshot } = actions;
    if (snapshot) {
      const button = h("button", { type: "button", "data-testid": "snapshot", title: "This dashboard with its data and the engine as one HTML file" }, "Snapshot");
      button.addEventListener("click", () => {
        button.disabled = true;
        void snapshot((text) => setText(button, text)).finally(() => {
          button.disabled = false;
          setText(button, "Snapshot");
        });
      });
      this.element.append(button);
    }
    this.live.hidden = !board.live;
  }

  show({ range, span, zoomed, canGoBack, canGoForward, zone }: ToolbarState): void {
    const current = zoomed ? "" : printRange(range);
    for (const [name, button] of this.presets) button.setAttribute("aria-pressed", String(name === current));
    this.zone = zone;
    this.zones.value = zone;
    setText(this.shown, formatSpan(span.from, span.to, zone));
    this.back.disabled = !canGoBack;
    this.forward.disabled = !canGoForward;
    this.reset.hidden = !zoomed;
    const following = range.kind === "last" && !zoomed;
    setText(this.live, following ? "Following" : "Go live");
    this.live.setAttribute("aria-pressed", String(following));
    this.live.title = following ? "The right edge is now" : "Follow new points again";
    if (!this.absolute.open) {
      this.from.value = this.local(span.from);
      this.to.value = this.local(span.to);
    }
  }

  private preset(range: Range): HTMLButtonElement {
    const text = range.kind === "last" ? formatDuration(range.millis) : "all";
    const label = range.kind === "last" ? `The last ${text}` : "All there is";
    return h("button", { type: "button", "aria-label": label, "data-testid": `preset-${text}`, click: () => this.actions.choose(range) }, text);
  }

  private absoluteForm(): HTMLDetailsElement {
    const error = h("p", { class: "problem", role: "alert", hidden: true });
    const form = h(
      "form",
      { class: "popover" },
      h("label", {}, "From", this.from),
      h("label", {}, "To", this.to),
      h("p", { class: "quiet" }, "Times are those of the zone chosen beside the range."),
      error,
      h("button", { type: "submit", class: "primary" }, "Show"),
    );
    const details = h("details", { class: "absolute", "data-testid": "absolute" }, h("summary", {}, "From … to"), form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, to] = [momentOf(this.from.value, this.zone), momentOf(this.to.value, this.zone)];
      const good = to - from >= NARROWEST && to - from <= WIDEST;
      error.hidden = good;
      setText(error, from > to ? "The end lies before the start." : "That is less than two seconds.");
      if (!good) return;
      details.open = false;
      this.actions.choose({ kind: "fixed", from, to });
    });
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      details.open = false;
      details.querySelector("summary")?.focus();
    });
    details.addEventListener("focusout", (event) => {
      const to = event.relatedTarget;
      if (to instanceof Node && !details.contains(to)) details.open = false;
    });
    return details;
  }

  private local(millis: number): string {
    return formatTime(millis, this.zone).replace(" ", "T");
  }
}
