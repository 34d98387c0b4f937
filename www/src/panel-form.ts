import { h, setText } from "./dom";
import { UNITS } from "./format";
import { type PanelSpec, STYLES, TONES, type Threshold, type Tone } from "./spec";

const EXAMPLE = 'SELECT mean("usage") FROM "cpu" WHERE $timeFilter GROUP BY time($__interval), "cpu" fill(none)';

/** Asks for a panel in a dialog; gives what was made of `given`, or `null` when nothing was. */
export function askForPanel(given: PanelSpec | null): Promise<PanelSpec | null> {
  const title = h("input", { name: "title", required: true, maxlength: 120, value: given?.title ?? "" });
  const style = choice("panel-style", STYLES.filter((style) => style !== "band"), given?.style ?? "line");
  const unit = choice("panel-unit", UNITS, given?.unit ?? "number");
  const query = h("textarea", { name: "query", rows: 5, required: true, spellcheck: "false", "data-testid": "panel-query" });
  query.value = given?.query ?? EXAMPLE;
  const floor = h("input", { type: "number", step: "any", name: "floor", value: given?.floor ?? "" });
  const ceiling = h("input", { type: "number", step: "any", name: "ceiling", value: given?.ceiling ?? "" });
  const thresholds = h("input", { name: "thresholds", placeholder: "80 warn, 95 bad", value: (given?.thresholds ?? []).map(({ value, tone }) => `${value} ${tone}`).join(", ") });
  const wide = h("input", { type: "checkbox", name: "wide", checked: given?.wide === true });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const form = h(
    "form", { class: "panel-form", method: "dialog" },
    h("h2", {}, given ? `Edit ${given.title}` : "New panel"),
    h("label", { class: "span" }, "Title", title),
    h("label", {}, "Shown as", style), h("label", {}, "Unit", unit),
    h("label", { class: "span" }, "InfluxQL", query),
    h("p", { class: "quiet span" }, "$timeFilter is the range, $__interval the width of a bucket."),
    h("label", {}, "From", floor), h("label", {}, "To", ceiling),
    h("label", {}, "Thresholds", thresholds),
    h("label", { class: "check" }, wide, "As wide as the page"),
    problem,
    h("div", { class: "toolbar span" }, h("button", { type: "submit", class: "primary", "data-testid": "panel-keep" }, given ? "Change" : "Add"), h("button", { type: "button", click: () => dialog.close() }, "Cancel")),
  );
  const dialog = h("dialog", { class: "dialog", "aria-label": "Panel", "data-testid": "panel-dialog" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let made: PanelSpec | null = null;
    form.addEventListener("submit", (event) => {
      const steps = readThresholds(thresholds.value);
      problem.hidden = steps !== null;
      setText(problem, "Thresholds are numbers with good, warn or bad after each.");
      if (steps === null) {
        event.preventDefault();
        return;
      }
      made = {
        id: given?.id ?? `p${Date.now().toString(36)}`,
        title: title.value.trim(),
        query: query.value.trim(),
        measurement: "",
        columns: [],
        unit: UNITS.find((name) => name === unit.value) ?? "number",
        interval: given?.interval ?? 1000,
        style: STYLES.find((name) => name === style.value) ?? "line",
        ...(floor.value === "" ? {} : { floor: Number(floor.value) }),
        ...(ceiling.value === "" ? {} : { ceiling: Number(ceiling.value) }),
        ...(steps.length === 0 ? {} : { thresholds: steps }),
        ...(wide.checked ? { wide: true as const } : {}),
      };
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(made);
    });
    dialog.showModal();
    title.focus();
  });
}

/** `80 warn, 95 bad`; `null` when it says something else. */
function readThresholds(text: string): Threshold[] | null {
  const steps = text.split(",").map((part) => part.trim()).filter((part) => part !== "").map((part) => {
    const [value, tone] = part.split(/\s+/);
    const known = TONES.find((name): name is Tone => name === tone);
    return known && value !== undefined && Number.isFinite(Number(value)) ? { value: Number(value), tone: known } : null;
  });
  const good = steps.filter((step) => step !== null);
  return good.length === steps.length ? good.sort((a, b) => a.value - b.value) : null;
}

function choice(id: string, names: readonly string[], chosen: string): HTMLSelectElement {
  return h("select", { "data-testid": id }, ...names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
}
