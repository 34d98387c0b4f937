/** The page of a snapshot: its dashboard and the query page, from one file, without any server. */
import { BOARDS } from "./boards";
import { Dashboard } from "./dashboard";
import { h, setText } from "./dom";
import { formatBytes } from "./format";
import { importDashboard } from "./grafana-dashboard";
import { QueryPage } from "./query-page";
import { type Route, Router } from "./route";
import { type Shown, embedded } from "./snapshot-file";
import { Source } from "./source";
import type { BoardSpec } from "./spec";
import { bindThemeButton, startTheme } from "./theme";

startTheme();
bindThemeButton(byId("theme"));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
void start();

async function start(): Promise<void> {
  try {
    const { snapshot, shown } = embedded();
    const { source, database, taken } = await Source.openSnapshot(snapshot);
    const moment = new Date(taken).toISOString().slice(0, 16).replace("T", " ");
    setText(byId("badge"), `Snapshot of ${moment} UTC`);
    setText(byId("bytes"), `${formatBytes(snapshot.length)} of ${database} in this file; nothing is fetched`);
    const board = boardOf(shown, database);
    document.title = `${board.title} · snapshot`;
    const router = new Router();
    let page: { name: string; page: Dashboard | QueryPage } | null = null;
    const show = (route: Route): void => {
      const name = route.page === "query" ? "query" : "board";
      if (page?.name !== name) {
        page?.page.destroy();
        page = { name, page: name === "query" ? new QueryPage(source, router) : new Dashboard(board, source, router, []) };
        byId("main").replaceChildren(page.page.element);
        for (const link of document.querySelectorAll<HTMLAnchorElement>("#pages a")) {
          if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
          else link.removeAttribute("aria-current");
        }
      }
      page.page.show(route);
    };
    router.on(show);
    show(router.current);
  } catch (error) {
    byId("main").replaceChildren(h("div", { class: "absent", role: "alert", "data-testid": "failed" }, h("h2", {}, "This snapshot cannot be shown"), h("pre", {}, h("code", {}, error instanceof Error ? error.message : String(error)))));
  }
}

/** Nothing comes any more: the right edge is the last point. */
function boardOf(shown: Shown, database: string): BoardSpec {
  const known = "builtin" in shown ? BOARDS.find(({ page }) => page === shown.builtin) : undefined;
  const board = known ?? importDashboard("dashboard" in shown ? shown.dashboard : { title: database }, "board", database).board;
  return { ...board, page: "board", database, live: false };
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`snapshot.html has no #${id}`);
  return element;
}
