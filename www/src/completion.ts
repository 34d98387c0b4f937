import { DATADOG_WORDS, INFLUXQL_WORDS, type Language } from "./highlight";
import { quote } from "./influxql";
import type { Source } from "./source";

/** The most that is offered at once. */
const MOST = 8;
/** Words of a database are asked for again after this long. */
const FRESH_MILLIS = 15_000;

/** A word that fits, and what it is. */
export interface Offer {
  word: string;
  what: string;
}

/** Measurements, fields and tags of a database, from the index that this page holds. */
export class Completion {
  private readonly known = new Map<string, { at: number; offers: Promise<Offer[]> }>();

  constructor(private readonly source: Source) {}

  /** What begins with, or else has in it, what is being written. */
  async offers(language: Language, database: string, word: string): Promise<Offer[]> {
    if (language !== "influxql" && language !== "datadog") return [];
    const bare = word.replace(/^"/, "").toLowerCase();
    const own = (language === "influxql" ? INFLUXQL_WORDS : DATADOG_WORDS).map((text) => ({ word: text, what: /[(:]$/.test(text) ? "function" : "word" }));
    const index = await this.index(language === "datadog" ? "datadog" : database);
    const shown = index.map(({ word: name, what }) => ({ word: language === "datadog" || /^[a-zA-Z_]\w*$/.test(name) && !word.startsWith('"') ? name : quote(name), what }));
    const rank = (offer: Offer): number => (bareOf(offer.word).startsWith(bare) ? 0 : bareOf(offer.word).includes(bare) ? 1 : 2);
    const ranked = [...shown, ...(word.startsWith('"') ? [] : own)].filter((offer) => rank(offer) < 2 && offer.word !== word);
    return ranked.sort((a, b) => rank(a) - rank(b)).slice(0, MOST);
  }

  private index(database: string): Promise<Offer[]> {
    const known = this.known.get(database);
    if (known && performance.now() - known.at < FRESH_MILLIS) return known.offers;
    const offers = this.ask(database).catch((): Offer[] => []);
    this.known.set(database, { at: performance.now(), offers });
    return offers;
  }

  private async ask(database: string): Promise<Offer[]> {
    if (database === "" || (await this.source.presence(database)) !== "here") return [];
    const { results } = await this.source.query("SHOW MEASUREMENTS; SHOW FIELD KEYS; SHOW TAG KEYS", database);
    const found = new Map<string, string>();
    for (const { statement, series } of results) {
      for (const one of series) {
        const column = one.columns.find(({ type, name }) => type === "string" && name !== "fieldType");
        for (let row = 0; row < (column?.values.length ?? 0); row += 1) {
          const name = String(column?.get(row) ?? "");
          if (!found.has(name)) found.set(name, ["measurement", "field", "tag"][statement] ?? "name");
        }
      }
    }
    return [...found].map(([word, what]) => ({ word, what }));
  }
}

const bareOf = (word: string): string => word.replace(/^"/, "").toLowerCase();
