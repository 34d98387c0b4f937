/** One HTML file with a database in it, its dashboard and the engine: what it embeds, written and read. */
import type { GrafanaDashboard } from "./grafana-dashboard";

/** What is shown first: a board that the page has anyway, or one of the server's. */
export type Shown = { builtin: string } | { dashboard: GrafanaDashboard };

const PLACE = "<!--data-->";

/** The page with a snapshot in it. */
export function embed(template: string, snapshot: Uint8Array, shown: Shown): string {
  if (!template.includes(PLACE)) throw new Error("The server has no page to put a snapshot into.");
  const data = `<script type="text/plain" id="snapshot">${base64(snapshot)}</script>\n<script type="application/json" id="shown">${JSON.stringify(shown).replaceAll("<", "\\u003c")}</script>`;
  return template.replace(PLACE, () => data);
}

export function embedded(): { snapshot: Uint8Array; shown: Shown } {
  const text = (id: string): string => document.getElementById(id)?.textContent ?? "";
  const snapshot = Uint8Array.from(atob(text("snapshot").trim()), (letter) => letter.charCodeAt(0));
  return { snapshot, shown: JSON.parse(text("shown")) as Shown };
}

function base64(bytes: Uint8Array): string {
  let letters = "";
  // By pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) letters += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(letters);
}
