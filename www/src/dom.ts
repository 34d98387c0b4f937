type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: never) => void);

/** An element: functions become listeners, `true` an empty attribute, `false` and `null` none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return element;
}

/** Writes only what differs, so that a quiet page stays quiet for screen readers and the compositor. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Calls `work` in an animation frame, at most once in so many milliseconds, however often the returned function is called. */
export function atMostEvery(millis: number, work: () => void): () => void {
  let asked = false;
  let last = -Infinity;
  return () => {
    if (asked) return;
    asked = true;
    const frame = (): number =>
      requestAnimationFrame(() => {
        asked = false;
        last = performance.now();
        work();
      });
    setTimeout(frame, Math.max(0, last + millis - performance.now()));
  };
}
