import { colour } from "./chart";
import { valuesAt } from "./data";
import { h } from "./dom";
import { type Unit, formatValue } from "./format";
import { type Threshold, toneOf } from "./spec";
import { PlainView } from "./view";

export interface TileOptions {
  unit: Unit;
  floor?: number;
  ceiling?: number;
  thresholds?: readonly Threshold[];
}

const SVG = "http://www.w3.org/2000/svg";
/** Tiles beyond this many would be too small to read. */
const MOST = 24;

/** The last value of every line, large; beneath it where it came from. */
export class StatView extends PlainView {
  constructor(host: HTMLElement, private readonly options: TileOptions) {
    super(host);
  }

  protected draw(): void {
    const { unit, thresholds } = this.options;
    const last = valuesAt(this.data.values, null);
    this.host.replaceChildren(
      tiles(this.lines.flatMap(({ label, shown }, number) => {
        if (!shown) return [];
        const value = last[number] ?? null;
        const figure = h("strong", { class: "figure", "data-tone": toneOf(value, thresholds) ?? "none" }, formatValue(value, unit));
        return [h("li", { class: "tile" }, h("span", { class: "quiet" }, label), figure, this.spark(number))];
      })),
    );
  }

  /** A line without axes: what matters is its shape. */
  private spark(number: number): HTMLElement {
    const values = this.data.values[number] ?? [];
    const { from, to } = this.span;
    const known = values.filter((value): value is number => typeof value === "number");
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const place = (value: number): number => (high > low ? 30 - ((value - low) / (high - low)) * 28 : 16);
    let path = "";
    let drawing = false;
    this.data.times.forEach((seconds, row) => {
      const value = values[row];
      if (value === undefined) return;
      if (value === null) {
        drawing = false;
        return;
      }
      const x = ((seconds * 1000 - from) / (to - from)) * 200;
      path += `${drawing ? "L" : "M"}${x.toFixed(1)} ${place(value).toFixed(1)}`;
      drawing = true;
    });
    const svg = drawn("svg", { viewBox: "0 0 200 32", preserveAspectRatio: "none", class: "spark", "aria-hidden": "true" }, drawn("path", { d: path, stroke: colour(number), fill: "none" }));
    const box = h("span", { class: "spark-box" });
    box.append(svg);
    return box;
  }
}

const [START, SWEEP] = [-210, 240];

/** The last value of every line on an arc from floor to ceiling. */
export class GaugeView extends PlainView {
  constructor(host: HTMLElement, private readonly options: TileOptions) {
    super(host);
  }

  protected draw(): void {
    const { unit, thresholds = [], floor = 0 } = this.options;
    const last = valuesAt(this.data.values, null);
    const highest = Math.max(...this.data.values.flat().map((value) => value ?? -Infinity), floor);
    const ceiling = this.options.ceiling ?? (highest > floor ? highest : floor + 1);
    const part = (value: number): number => Math.min(Math.max((value - floor) / (ceiling - floor), 0), 1);
    this.host.replaceChildren(
      tiles(this.lines.flatMap(({ label, shown }, number) => {
        if (!shown) return [];
        const value = last[number] ?? null;
        const tone = toneOf(value, thresholds);
        const steps = thresholds.map(({ value, tone }, at) => arc(part(value), part(thresholds[at + 1]?.value ?? ceiling), 46, `gauge-step tone-${tone}`));
        const face = drawn("svg", { viewBox: "-52 -52 104 84", class: "gauge", role: "img", "aria-label": `${label}: ${formatValue(value, unit)} of ${formatValue(ceiling, unit)}` },
          arc(0, 1, 38, "gauge-track"),
          ...(value === null ? [] : [arc(0, part(value), 38, `gauge-value tone-${tone ?? "none"}`)]),
          ...steps);
        const box = h("span", { class: "gauge-box" });
        box.append(face, h("strong", { class: "figure", "data-tone": tone ?? "none" }, formatValue(value, unit)));
        return [h("li", { class: "tile" }, box, h("span", { class: "quiet" }, label))];
      })),
    );
  }
}

function arc(from: number, to: number, radius: number, name: string): SVGElement {
  const point = (part: number): string => {
    const angle = ((START + part * SWEEP) * Math.PI) / 180;
    return `${(Math.cos(angle) * radius).toFixed(2)} ${(Math.sin(angle) * radius).toFixed(2)}`;
  };
  const large = (to - from) * SWEEP > 180 ? 1 : 0;
  return drawn("path", { d: `M${point(from)}A${radius} ${radius} 0 ${large} 1 ${point(Math.max(to, from + 0.001))}`, class: name, fill: "none" });
}

function tiles(items: HTMLElement[]): HTMLElement {
  const left = items.length - MOST;
  return h("ul", { class: "tiles" }, ...items.slice(0, MOST), left > 0 && h("li", { class: "tile quiet" }, `and ${left} more`));
}

function drawn(tag: string, attributes: Record<string, string>, ...children: SVGElement[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
