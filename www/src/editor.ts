import type { Completion, Offer } from "./completion";
import { h, setText } from "./dom";
import { type Language, tokens, wordAt } from "./highlight";
import { type ErrorPlace, errorPlace } from "./influxql";

/** What an editor completes from. */
export interface Words {
  completion: Completion;
  database(): string;
}

let editors = 0;

/** A text area with the colours of a language, an underlined place where it is wrong, and words that fit. */
export class Editor {
  readonly element: HTMLElement;
  private readonly area: HTMLTextAreaElement;
  /** Lies behind the text with the same letters, in colours; the area's own are unseen. */
  private readonly backdrop = h("div", { class: "backdrop", "aria-hidden": "true" });
  private readonly list: HTMLUListElement;
  private readonly spoken = h("span", { class: "visually-hidden", role: "status" });
  private place: ErrorPlace | null = null;
  private offers: Offer[] = [];
  private chosen = 0;
  private asked = 0;

  /** Whether words are offered. */
  completes = true;

  constructor(
    changed: () => void,
    private tongue: Language = "influxql",
    private readonly words: Words | null = null,
    name = "InfluxQL",
    id = "query-box",
  ) {
    const number = (editors += 1);
    this.list = h("ul", { class: "offers", role: "listbox", id: `offers-${number}`, "aria-label": "Words that fit", hidden: true, "data-testid": `${id}-offers` });
    this.area = h("textarea", { rows: 4, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": name, "aria-controls": `offers-${number}`, "aria-autocomplete": "list", "data-testid": id });
    this.area.addEventListener("input", () => {
      this.mark(null);
      this.fit();
      void this.offer(false);
      changed();
    });
    this.area.addEventListener("scroll", () => (this.backdrop.scrollTop = this.area.scrollTop));
    this.area.addEventListener("keydown", (event) => this.key(event));
    this.area.addEventListener("blur", () => this.close());
    this.element = h("div", { class: "editor" }, this.backdrop, this.area, this.list, this.spoken);
  }

  get language(): Language {
    return this.tongue;
  }

  set language(language: Language) {
    this.tongue = language;
    this.close();
    this.paint();
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
    this.place = place;
    this.area.setAttribute("aria-invalid", String(place !== null));
    this.paint();
  }

  private paint(): void {
    const { text, place } = this;
    const [from, to] = place ? [place.offset, place.offset + place.length] : [-1, -1];
    const parts: (Node | string)[] = [];
    let at = 0;
    const put = (kind: string, piece: string, wrong: boolean): void => {
      if (piece === "") return;
      const letters = kind === "plain" ? piece : h("span", { class: `token-${kind}` }, piece);
      parts.push(wrong ? h("mark", { "data-testid": "query-error-mark" }, letters) : letters);
    };
    for (const { kind, text: token } of tokens(this.language, text)) {
      // A token may begin before the marked place or end after it.
      const [start, end] = [Math.min(Math.max(from - at, 0), token.length), Math.min(Math.max(to - at, 0), token.length)];
      put(kind, token.slice(0, start), false);
      put(kind, token.slice(start, end), true);
      put(kind, token.slice(Math.max(start, end)), false);
      at += token.length;
    }
    // Past the end there is no letter to underline: a blank stands for it.
    if (place && from >= text.length) parts.push(h("mark", { "data-testid": "query-error-mark" }, "\u00a0"));
    this.backdrop.replaceChildren(...parts, "\n");
    this.backdrop.scrollTop = this.area.scrollTop;
  }

  private key(event: KeyboardEvent): void {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      void this.offer(true);
      return;
    }
    if (this.list.hidden || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.choose(this.chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Tab" || event.key === "Enter") {
      this.take(this.chosen);
    } else if (event.key === "Escape") {
      this.close();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }

  /** Shows the words that fit; unasked only while a word is being written. */
  private async offer(wanted: boolean): Promise<void> {
    const { words } = this;
    const caret = this.area.selectionStart;
    const { word } = wordAt(this.text, caret);
    const asked = (this.asked += 1);
    if (!words || !this.completes || (!wanted && word.replace('"', "").length < 2)) return this.close();
    const offers = await words.completion.offers(this.language, words.database(), word);
    if (asked !== this.asked || document.activeElement !== this.area) return;
    this.offers = offers;
    if (offers.length === 0) return this.close();
    this.list.replaceChildren(
      ...offers.map(({ word, what }, at) => {
        const item = h("li", { role: "option", id: `${this.list.id}-${at}` }, h("code", {}, word), h("span", { class: "quiet" }, what));
        // Before the area loses the focus.
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          this.take(at);
        });
        return item;
      }),
    );
    this.list.hidden = false;
    this.stand(caret - word.length);
    this.choose(0);
  }

  /** Puts the list under the place where the word begins. */
  private stand(at: number): void {
    const probe = h("span", {}, "\u200b");
    const walker = document.createTreeWalker(this.backdrop, NodeFilter.SHOW_TEXT);
    let left = at;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const length = node.textContent?.length ?? 0;
      if (left <= length) {
        const range = document.createRange();
        range.setStart(node, left);
        range.insertNode(probe);
        break;
      }
      left -= length;
    }
    const [place, box] = [probe.getBoundingClientRect(), this.element.getBoundingClientRect()];
    this.paint();
    this.list.style.left = `${Math.max(0, Math.min(place.left - box.left, box.width - 220))}px`;
    this.list.style.top = `${place.bottom - box.top + 4}px`;
  }

  private choose(at: number): void {
    this.chosen = (at + this.offers.length) % this.offers.length;
    [...this.list.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === this.chosen)));
    this.area.setAttribute("aria-activedescendant", `${this.list.id}-${this.chosen}`);
    setText(this.spoken, this.offers[this.chosen]?.word ?? "");
  }

  private take(at: number): void {
    const offer = this.offers[at];
    if (!offer) return;
    const { start } = wordAt(this.text, this.area.selectionStart);
    this.area.setRangeText(offer.word, start, this.area.selectionStart, "end");
    this.close();
    this.area.dispatchEvent(new Event("input"));
    this.close();
  }

  private close(): void {
    this.asked += 1;
    this.list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
  }

  private fit(): void {
    this.area.rows = Math.min(Math.max(this.text.split("\n").length + 1, 4), 16);
  }
}
