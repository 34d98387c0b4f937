// Every page held against WCAG 2.1 AA by axe, in both themes.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { check, eventually, test } from "./harness.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = { compare: "board-compare", machine: "board-machine", dashboards: "board-dashboards", graph: "board-graph", query: "board-query", sources: "board-sources" };

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing to complain of (${colorScheme})`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const found = [];
    for (const [name, board] of Object.entries(PAGES)) {
      await page.goto(`${server.url}/#${name}`);
      await eventually(`${name} is shown`, () => page.locator(`[data-testid="${board}"]`).isVisible());
      if (name === "machine") await eventually("a chart is drawn", async () => (await page.locator('[data-testid="panel-cpu"]').getAttribute("data-state")) === "ready");
      // Evaluated, not added as a script: the page's policy takes no foreign ones.
      await page.evaluate(AXE);
      const violations = await page.evaluate(async () => {
        const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
        return violations.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any.map(({ message }) => message).join(" ")}`).join(" | ")}`);
      });
      found.push(...violations.map((violation) => `${name}: ${violation}`));
    }
    check(found.length === 0, found.join("\n"));
  });
}
