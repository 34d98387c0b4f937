// A page that has the npm package as it was built, and a server behind it: both of one origin.
import { join } from "node:path";
import { ROOT, serveFolder } from "./harness.mjs";

const PAGE = '<!doctype html><title>package</title><link rel="icon" href="data:,"><script type="module">import * as isopoint from "/dist/index.js"; Object.assign(window, isopoint); window.loaded = true;</script>';

/** Serves the package; what it does not have comes from the server that `behind` gives the address of. */
export function servePackage(behind = null) {
  return serveFolder(join(ROOT, "wasm/npm"), { "/index.html": PAGE }, {}, behind);
}

/** Opens the page, with `Engine` and all else that the package exports as globals. */
export async function open(page, url) {
  await page.goto(url);
  await page.waitForFunction(() => window.loaded === true);
}
