import { BOARDS } from "./boards";
import { ComparePage } from "./compare-page";
import { Dashboard } from "./dashboard";
import { DashboardStore } from "./dashboard-store";
import { DashboardsPage } from "./dashboards-page";
import { h } from "./dom";
import { FileDrop } from "./drop";
import { GraphPage } from "./graph-page";
import { logIn } from "./login";
import { QueryPage } from "./query-page";
import { type Route, Router } from "./route";
import { Source } from "./source";
import { SavedPage } from "./saved-page";
import { SourcesPage } from "./sources-page";
import { StatusBadge } from "./status";
import { bindThemeButton, startTheme } from "./theme";

interface Page {
  readonly element: HTMLElement;
  show(route: Route): void;
  destroy(): void;
}

/** Pages that are no boards. */
const OTHERS = ["compare", "dashboards", "graph", "query", "sources"];

startTheme();
bindThemeButton(byId("theme"));
const main = byId("main");
// The address's fragment is the route, so the skip link must not be followed as one.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
const badge = new StatusBadge(byId("badge"), byId("bytes"), byId("spoken"));
const router = new Router();
let shown: { name: string; page: Page } | null = null;

void start();

async function start(): Promise<void> {
  await logIn(main);
  try {
    const source = await Source.open(location.origin);
    badge.follow(source);
    router.on((route) => show(source, route));
    const drop = new FileDrop(source, router);
    document.body.append(drop.element);
    byId("bytes").after(drop.picker);
    show(source, router.current);
  } catch (error) {
    badge.failed();
    main.replaceChildren(
      h(
        "div",
        { class: "absent", role: "alert", "data-testid": "failed" },
        h("h2", {}, "The engine did not start"),
        h("p", {}, "This page computes with WebAssembly, and that could not be loaded. A browser of 2024 or later can; some policies forbid it."),
        h("pre", {}, h("code", {}, error instanceof Error ? error.message : String(error))),
        h("button", { type: "button", class: "primary", click: () => location.reload() }, "Reload"),
      ),
    );
  }
}

/** Shows what the address says; an unknown page is the first. */
function show(source: Source, route: Route): void {
  const name = OTHERS.includes(route.page) || route.page.startsWith("d/") ? route.page : (BOARDS.find(({ page }) => page === route.page)?.page ?? "machine");
  if (shown?.name !== name) {
    shown?.page.destroy();
    shown = { name, page: create(source, name) };
    main.replaceChildren(shown.page.element);
    scrollTo(0, 0);
    for (const link of document.querySelectorAll<HTMLAnchorElement>("#pages a")) {
      if (section(name) === link.hash.slice(1)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${main.querySelector("h1")?.textContent ?? ""} · Isopoint`;
  }
  shown.page.show(route);
}

function create(source: Source, name: string): Page {
  if (name === "graph") return new GraphPage(source);
  if (name === "compare") return new ComparePage(source);
  if (name === "sources") return new SourcesPage();
  const store = new DashboardStore(source.address);
  if (name === "dashboards") return new DashboardsPage(source, store);
  if (name.startsWith("d/")) return new SavedPage(name.slice(2), source, router, store);
  const board = BOARDS.find(({ page }) => page === name);
  if (!board) return new QueryPage(source, router);
  const siblings = BOARDS.filter(({ page }) => page.split("/")[0] === name.split("/")[0]);
  return new Dashboard(board, source, router, siblings);
}

/** The page of the header that a page belongs to. */
function section(name: string): string {
  const [first = ""] = name.split("/");
  return first === "d" ? "dashboards" : first;
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}
