/** Queries that ran in this browser, the latest first. */

export interface PastQuery {
  text: string;
  database: string;
  language?: "datadog";
}

const KEY = "isopoint.queries";
const MOST = 50;

export function pastQueries(): PastQuery[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isPastQuery).slice(0, MOST) : [];
  } catch {
    // Not ours, or storage is forbidden.
    return [];
  }
}

/** Puts a query first; one that was there moves up. */
export function remember(query: PastQuery): void {
  store([query, ...pastQueries().filter(({ text, database, language }) => text !== query.text || database !== query.database || language !== query.language)].slice(0, MOST));
}

export function forgetAll(): void {
  store([]);
}

function store(queries: PastQuery[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(queries));
  } catch {
    // Full or forbidden: the page works without a memory.
  }
}

function isPastQuery(value: unknown): value is PastQuery {
  const { text, database } = (value ?? {}) as Partial<PastQuery>;
  return typeof text === "string" && typeof database === "string";
}
