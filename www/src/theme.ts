/** Dark, light, or whatever the system says. */
type Theme = "system" | "light" | "dark";

const KEY = "isopoint.theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];
const listeners = new Set<() => void>();
const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", changed);

/** Colours that canvas needs, as the style sheet has them in the current theme: `rgb(…)`. */
export interface Palette {
  series: string[];
  text: string;
  grid: string;
  /** Of thresholds, and of marked moments. */
  tones: Record<"good" | "warn" | "bad" | "mark", string>;
}

let palette: Palette | null = null;

export function colours(): Palette {
  if (palette) return palette;
  // A property is text until something is painted with it, so something is.
  const probe = document.documentElement.appendChild(document.createElement("i"));
  const read = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  palette = { series: Array.from({ length: 8 }, (_, number) => read(`--series-${number + 1}`)), text: read("--text-quiet"), grid: read("--grid"), tones: { good: read("--good"), warn: read("--warn"), bad: read("--bad"), mark: read("--series-4") } };
  probe.remove();
  return palette;
}

export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Takes up what was chosen before. */
export function startTheme(): void {
  apply(stored());
}

/** The button that goes through the themes. */
export function bindThemeButton(button: HTMLElement): void {
  const show = (): void => {
    const text = { system: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[stored()];
    button.textContent = text;
    // The name begins with what is seen, for those who speak to the page.
    button.setAttribute("aria-label", `${text}: the theme. Press to change.`);
  };
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(stored()) + 1) % ORDER.length] ?? "system";
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
    chosen = next;
    apply(next);
    show();
  });
  show();
}

let chosen: Theme | null = null;

function stored(): Theme {
  if (chosen) return chosen;
  try {
    return ORDER.find((theme) => theme === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system";
  }
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  changed();
}

function changed(): void {
  palette = null;
  for (const listener of listeners) listener();
}
