import type { DashboardStore } from "./dashboard-store";
import { h, setText } from "./dom";
import { plural } from "./format";
import { type GrafanaDashboard, exportDashboard, importDashboard } from "./grafana-dashboard";
import type { Source } from "./source";

/** The dashboards that the server keeps, and how new ones come: from nothing, or from Grafana's JSON. */
export class DashboardsPage {
  readonly element: HTMLElement;
  private readonly list = h("div", { "data-testid": "dashboards-list" }, h("p", { class: "quiet" }, "Loading…"));
  private readonly name = h("input", { name: "title", required: true, maxlength: 120, placeholder: "Name", "aria-label": "Name of the new dashboard", "data-testid": "dashboards-name" });
  private readonly database = h("select", { "aria-label": "Database", "data-testid": "dashboards-database" });
  private readonly file = h("input", { type: "file", accept: ".json,application/json", "aria-label": "Dashboard JSON", "data-testid": "dashboards-file" });
  private readonly report = h("section", { class: "report", role: "status", "data-testid": "dashboards-report", hidden: true });
  private readonly problem = h("div", { class: "query-error", role: "alert", hidden: true, "data-testid": "dashboards-error" });

  constructor(
    private readonly source: Source,
    private readonly store: DashboardStore,
  ) {
    const create = (event: Event): void => {
      event.preventDefault();
      void this.attempt(() => this.create());
    };
    this.file.addEventListener("change", () => {
      const file = this.file.files?.[0];
      this.file.value = "";
      if (file) void this.attempt(() => this.import(file));
    });
    this.element = h(
      "div", { class: "board", "data-testid": "board-dashboards", "data-state": "ready" },
      h("div", { class: "heading" }, h("h1", {}, "Dashboards")),
      h("form", { class: "toolbar", submit: create }, this.name, h("label", { class: "inline" }, "of", this.database), h("button", { type: "submit", class: "primary", "data-testid": "dashboards-create" }, "New dashboard"), h("span", { class: "spring" }), h("label", { class: "file" }, "Import Grafana JSON", this.file)),
      this.problem, this.report, this.list,
    );
    void this.attempt(() => this.fill());
  }

  show(): void {
    // All that the page shows is at the server.
  }

  destroy(): void {
    // Nothing goes on.
  }

  private async fill(): Promise<void> {
    const names = await this.source.databases();
    this.database.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    const stored = await this.store.list();
    const item = ({ uid, title }: { uid: string; title: string }): HTMLElement => h("li", {}, h("a", { href: `#d/${uid}` }, title));
    this.list.replaceChildren(
      stored.length === 0
        ? h("div", { class: "absent" }, h("h2", {}, "No dashboards yet"), h("p", {}, "Name one above, or import the JSON that Grafana’s “Export” gives. They are kept at the server, for everybody who uses it."))
        : h("ul", { class: "cards" }, ...stored.map(item)),
    );
  }

  private async create(): Promise<void> {
    const { board } = importDashboard({ title: this.name.value.trim(), time: { from: "now-1h", to: "now" } }, "", this.database.value);
    const { uid } = await this.store.save(exportDashboard(board, {}));
    location.hash = `#d/${uid}`;
  }

  private async import(file: File): Promise<void> {
    const json = read(await file.text());
    const { board, left } = importDashboard(json, "", this.database.value);
    // Its uid belongs to the server that it came from; `id` and `version` are that server's too.
    const { uid: _, version: __, ...known } = json;
    const { uid } = await this.store.save(exportDashboard(board, known));
    this.report.replaceChildren(
      h("h2", {}, `Imported ${board.title}`),
      h("p", {}, `${board.panels.length} of ${plural((json.panels ?? []).length, "panel")} can be shown. `, h("a", { href: `#d/${uid}` }, "Open it")),
      ...(left.length === 0 ? [h("p", { class: "quiet" }, "Nothing was left out.")] : [h("p", {}, "Left out:"), h("ul", {}, ...left.map((what) => h("li", {}, what)))]),
    );
    this.report.hidden = false;
    await this.fill();
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    this.problem.hidden = true;
    try {
      await work();
    } catch (error) {
      setText(this.problem, error instanceof Error ? error.message : String(error));
      this.problem.hidden = false;
    }
  }
}

/** Grafana exports a dashboard as it is, or inside `dashboard`. */
function read(text: string): GrafanaDashboard {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error("This file is no JSON.");
  }
  const inner = (json as { dashboard?: unknown } | null)?.dashboard ?? json;
  if (typeof inner !== "object" || inner === null || !Array.isArray((inner as GrafanaDashboard).panels)) throw new Error("This JSON is no dashboard: it has no panels.");
  return inner as GrafanaDashboard;
}
