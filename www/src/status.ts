import { h, setText } from "./dom";
import { formatAge, formatBytes } from "./format";
import type { Source, SyncStatus } from "./source";

const WORDS = { ready: "Ready", local: "Local", snapshot: "Snapshot", connecting: "Connecting", live: "Live", offline: "Offline" } as const;
const EVERY_MILLIS = 1000;

/** The badge: whether the server is there, since when not, and how much of its data is in the page. */
export class StatusBadge {
  private readonly word = h("span", { class: "word" }, "Connecting");
  private readonly detail = h("span", { class: "detail" });
  private readonly bytes: HTMLElement;
  private readonly spoken: HTMLElement;
  private last: keyof typeof WORDS | null = null;

  constructor(private readonly badge: HTMLElement, bytes: HTMLElement, spoken: HTMLElement) {
    this.bytes = bytes;
    this.spoken = spoken;
    badge.replaceChildren(h("i", { class: "dot", "aria-hidden": "true" }), this.word, this.detail);
    badge.dataset["state"] = "connecting";
  }

  follow(source: Source): void {
    source.onStatus((status) => this.show(status));
    const look = (): void => {
      if (!document.hidden) void source.status().then((status) => this.show(status), () => this.failed());
    };
    look();
    setInterval(look, EVERY_MILLIS);
  }

  /** The engine itself is gone. */
  failed(): void {
    this.badge.dataset["state"] = "offline";
    setText(this.word, "Stopped");
    setText(this.detail, "");
  }

  private show(status: SyncStatus): void {
    // Before any database is followed there is nothing to be connected to.
    const state = status.state === "connecting" && status.databases.length === 0 ? "ready" : status.state;
    this.badge.dataset["state"] = state;
    setText(this.word, WORDS[state]);
    const age = status.lastHeard === null ? null : formatAge(Date.now() - status.lastHeard);
    setText(this.detail, state === "offline" ? (age === null ? "" : `last heard ${age === "now" ? "just now" : `${age} ago`}`) : "");
    this.badge.title = state === "offline" ? `${status.error ?? "The server does not answer"}. Charts go on with what is in the page.` : `Source: ${status.source ?? "this page"}`;
    setText(this.bytes, `${formatBytes(status.bytesHeld)} of ${formatBytes(status.bytesTotal)} of block files in this page · ${formatBytes(status.bytesFetched + status.tailBytes)} received`);
    Object.assign(this.bytes.dataset, { held: String(status.bytesHeld), total: String(status.bytesTotal), received: String(status.bytesFetched + status.tailBytes), requests: String(status.requests) });
    if (state !== this.last && this.last !== null) {
      setText(this.spoken, state === "offline" ? "The server does not answer. Charts go on with what is in the page." : state === "live" ? "Connected to the server." : "");
    }
    this.last = state;
  }
}
