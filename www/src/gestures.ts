import { type Span, pan, pinch, zoomAround } from "./timerange";

/** What gestures need of a chart. */
export interface Target {
  /** The plot itself, without axes. */
  area: HTMLElement;
  span(): Span;
  /** A span wanted; `gesture`: more of them may follow at once. */
  want(span: Span, how: "gesture" | "step"): void;
  /** Moves the cursor to a place, a part of the width; `null` takes it away. */
  point(place: number | null): void;
}

/** One notch of a wheel is about 100. */
const ZOOM_PER_DELTA = 0.0022;
/** A page that scrolls under the pointer goes on scrolling: no chart catches the wheel on the way. */
const SCROLL_REST_MILLIS = 180;

let scrolledAt = -Infinity;
addEventListener("scroll", () => (scrolledAt = performance.now()), { passive: true });

/** Wheel: zoom around the pointer, sideways pan. Shift-drag and two fingers: pan, pinch. Ends with `signal`. */
export function bindGestures(target: Target, signal: AbortSignal): void {
  const { area } = target;
  const placeOf = (clientX: number): number => {
    const { left, width } = area.getBoundingClientRect();
    return width > 0 ? (clientX - left) / width : 0.5;
  };
  const momentAt = (place: number, { from, to } = target.span()): number => from + place * (to - from);

  area.addEventListener(
    "wheel",
    (event) => {
      // Pinching on a touch pad arrives as a wheel with Ctrl.
      if (!event.ctrlKey && performance.now() - scrolledAt < SCROLL_REST_MILLIS) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1;
      const [x, y] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      const span = target.span();
      if (Math.abs(x) > Math.abs(y)) {
        target.want(pan(span, ((x * lines) / area.clientWidth) * (span.to - span.from)), "gesture");
      } else if (y !== 0) {
        const factor = Math.exp(Math.min(Math.max(y * lines, -400), 400) * ZOOM_PER_DELTA * (event.ctrlKey ? 4 : 1));
        target.want(zoomAround(span, momentAt(placeOf(event.clientX)), factor), "gesture");
      }
    },
    { passive: false, signal },
  );

  // Fingers, and the mouse with Shift held: each pointer keeps the moment it came down on.
  const held = new Map<number, { moment: number; place: number }>();
  area.addEventListener(
    "pointerdown",
    (event) => {
      if (event.pointerType === "mouse" && !(event.shiftKey && event.button === 0)) return;
      // uPlot listens to mouse events; what is a pan shall not select as well.
      if (event.pointerType === "mouse") event.preventDefault();
      area.setPointerCapture(event.pointerId);
      const place = placeOf(event.clientX);
      held.set(event.pointerId, { place, moment: momentAt(place) });
      for (const finger of held.values()) finger.moment = momentAt(finger.place);
      if (event.pointerType !== "mouse" && held.size === 1) target.point(place);
    },
    { signal },
  );
  area.addEventListener(
    "pointermove",
    (event) => {
      const finger = held.get(event.pointerId);
      if (!finger) return;
      finger.place = placeOf(event.clientX);
      const [first, second] = [...held.values()];
      if (event.pointerType === "mouse") {
        const span = target.span();
        target.want(pan(span, finger.moment - momentAt(finger.place, span)), "gesture");
      } else if (first && second) {
        target.point(null);
        const span = pinch(first, second);
        if (span) target.want(span, "gesture");
      } else {
        target.point(finger.place);
      }
    },
    { signal },
  );
  const release = (event: PointerEvent): void => void held.delete(event.pointerId);
  area.addEventListener("pointerup", release, { signal });
  area.addEventListener("pointercancel", release, { signal });
}

/** Keys of a focused chart. Gives whether the key meant something. */
export function chartKey(event: KeyboardEvent, span: Span, actions: { want(span: Span): void; reset(): void; move(by: number): void; pick?(): void }): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const width = span.to - span.from;
  const middle = span.from + width / 2;
  switch (event.key) {
    case "ArrowLeft":
    case "ArrowRight": {
      const side = event.key === "ArrowLeft" ? -1 : 1;
      if (event.shiftKey) actions.move(side);
      else actions.want(pan(span, side * width * 0.15));
      return true;
    }
    case "+":
    case "=":
      actions.want(zoomAround(span, middle, 0.6));
      return true;
    case "-":
    case "_":
      actions.want(zoomAround(span, middle, 1 / 0.6));
      return true;
    case "Enter":
      actions.pick?.();
      return actions.pick !== undefined;
    case "Escape":
    case "0":
      actions.reset();
      return true;
    default:
      return false;
  }
}
