import { Dashboard } from "./dashboard";
import type { DashboardStore } from "./dashboard-store";
import { h, setText } from "./dom";
import { type GrafanaDashboard, exportDashboard, importDashboard } from "./grafana-dashboard";
import { askForPanel } from "./panel-form";
import type { Route, Router } from "./route";
import type { Source } from "./source";
import type { BoardSpec } from "./spec";

/** A dashboard of the server's: shown, changed, kept. */
export class SavedPage {
  readonly element = h("div", { class: "saved", "data-testid": "saved", "data-state": "loading" }, h("p", { class: "quiet" }, "Loading the dashboard…"));
  private readonly bar = h("div", { class: "toolbar edit-bar", role: "toolbar", "aria-label": "This dashboard" });
  private readonly said = h("span", { class: "quiet", role: "status", "data-testid": "saved-said" });
  private readonly save = h("button", { type: "button", class: "primary", "data-testid": "saved-save", disabled: true }, "Save");
  private json: GrafanaDashboard = {};
  private board: BoardSpec | null = null;
  private shown: Dashboard | null = null;
  private route: Route | null = null;
  private ended = false;

  constructor(
    private readonly uid: string,
    private readonly source: Source,
    private readonly router: Router,
    private readonly store: DashboardStore,
  ) {
    const button = (id: string, text: string, click: () => void): HTMLButtonElement => h("button", { type: "button", "data-testid": id, click }, text);
    this.save.addEventListener("click", () => void this.keep());
    this.bar.append(
      h("a", { href: "#dashboards" }, "All dashboards"),
      h("span", { class: "spring" }),
      this.said,
      button("saved-add", "Add panel", () => void this.edit(null)),
      button("saved-export", "Export JSON", () => this.download()),
      button("saved-delete", "Delete", () => void this.delete()),
      this.save,
    );
    void this.load();
  }

  show(route: Route): void {
    this.route = route;
    this.shown?.show(route);
  }

  destroy(): void {
    this.ended = true;
    this.shown?.destroy();
  }

  private async load(): Promise<void> {
    try {
      this.json = await this.store.get(this.uid);
      if (this.ended) return;
      this.board = importDashboard(this.json, `d/${this.uid}`, "_internal").board;
      this.mount();
    } catch (error) {
      if (!this.ended) this.fail(error);
    }
  }

  /** Shows the board as it is now. */
  private mount(): void {
    const { board } = this;
    if (!board) return;
    this.shown?.destroy();
    this.shown = board.panels.length === 0 ? null : new Dashboard(board, this.source, this.router, []);
    if (this.shown) {
      this.shown.panelsById().forEach((panel, id) => panel.append(this.tools(id)));
      if (this.route) this.shown.show(this.route);
    }
    const empty = h("div", { class: "absent", "data-testid": "saved-empty" }, h("h2", {}, "No panels yet"), h("p", {}, `A panel is a question to ${board.database} and how its answer is drawn.`), h("button", { type: "button", class: "primary", click: () => void this.edit(null) }, "Add the first"));
    this.element.dataset["state"] = "ready";
    this.element.replaceChildren(h("h1", {}, board.title), this.bar, this.shown?.element ?? empty);
    document.title = `${board.title} · Isopoint`;
  }

  private tools(id: string): HTMLElement {
    const panel = this.board?.panels.find((panel) => panel.id === id);
    const title = panel?.title ?? "";
    return h(
      "div", { class: "panel-tools" },
      h("button", { type: "button", class: "quiet-button small", "aria-label": `Edit ${title}`, click: () => void this.edit(id) }, "Edit"),
      h("button", { type: "button", class: "quiet-button small", "aria-label": `Remove ${title}`, click: () => this.change((panels) => panels.filter((other) => other.id !== id)) }, "Remove"),
    );
  }

  private async edit(id: string | null): Promise<void> {
    const given = this.board?.panels.find((panel) => panel.id === id) ?? null;
    const made = await askForPanel(given);
    if (made) this.change((panels) => (given ? panels.map((panel) => (panel.id === given.id ? made : panel)) : [...panels, made]));
  }

  private change(what: (panels: BoardSpec["panels"]) => BoardSpec["panels"]): void {
    if (!this.board) return;
    this.board = { ...this.board, panels: what(this.board.panels) };
    this.save.disabled = false;
    setText(this.said, "Not saved yet");
    this.mount();
  }

  private async keep(): Promise<void> {
    if (!this.board) return;
    try {
      const json = exportDashboard(this.board, this.json);
      const { version } = await this.store.save(json);
      this.json = { ...json, version };
      this.save.disabled = true;
      setText(this.said, "Saved");
    } catch (error) {
      setText(this.said, error instanceof Error ? error.message : String(error));
    }
  }

  private download(): void {
    if (!this.board) return;
    const text = JSON.stringify(exportDashboard(this.board, this.json), null, 2);
    const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: `${this.uid}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  private async delete(): Promise<void> {
    if (!confirm(`Delete ${this.board?.title ?? "this dashboard"} from the server?`)) return;
    try {
      await this.store.delete(this.uid);
      location.hash = "#dashboards";
    } catch (error) {
      setText(this.said, error instanceof Error ? error.message : String(error));
    }
  }

  private fail(error: unknown): void {
    this.element.dataset["state"] = "error";
    this.element.replaceChildren(
      h("div", { class: "absent", role: "alert" }, h("h2", {}, "This dashboard cannot be shown"), h("p", {}, error instanceof Error ? error.message : String(error)), h("p", {}, h("a", { href: "#dashboards" }, "All dashboards"))),
    );
  }
}
