import { h } from "./dom";
import { type ErrorPlace, errorPlace } from "./influxql";

/** A text area that can mark a place in its text. */
export class Editor {
  readonly element: HTMLElement;
  private readonly area: HTMLTextAreaElement;
  /** Lies behind the text with the same letters, unseen but for a mark. */
  private readonly backdrop = h("div", { class: "backdrop", "aria-hidden": "true" });

  constructor(changed: () => void) {
    this.area = h("textarea", { rows: 4, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": "InfluxQL", "data-testid": "query-box" });
    this.area.addEventListener("input", () => {
      this.mark(null);
      this.fit();
      changed();
    });
    this.area.addEventListener("scroll", () => (this.backdrop.scrollTop = this.area.scrollTop));
    this.element = h("div", { class: "editor" }, this.backdrop, this.area);
  }

  get text(): string {
    return this.area.value;
  }

  set text(text: string) {
    this.area.value = text;
    this.mark(null);
    this.fit();
  }

  focus(): void {
    this.area.focus();
  }

  /** Marks the place that an error names and puts the caret there; gives the place. */
  markError(message: string): ErrorPlace | null {
    const place = errorPlace(message, this.text);
    this.mark(place);
    if (place && document.activeElement === this.area) this.area.setSelectionRange(place.offset, place.offset);
    return place;
  }

  mark(place: ErrorPlace | null): void {
    this.area.setAttribute("aria-invalid", String(place !== null));
    if (!place) {
      this.backdrop.replaceChildren();
      return;
    }
    const { text } = this;
    // Past the end there is no letter to underline: a blank stands for it.
    const token = text.slice(place.offset, place.offset + place.length) || "\u00a0";
    this.backdrop.replaceChildren(text.slice(0, place.offset), h("mark", { "data-testid": "query-error-mark" }, token), `${text.slice(place.offset + place.length)}\n`);
    this.backdrop.scrollTop = this.area.scrollTop;
  }

  private fit(): void {
    this.area.rows = Math.min(Math.max(this.text.split("\n").length + 1, 4), 16);
  }
}
