import type { ByteRange } from "./cache.js";
import { IsopointError } from "./errors.js";

/** Requests to the source, and what they cost. */
export class Transport {
  bytesFetched = 0;
  tailBytes = 0;
  requests = 0;

  constructor(readonly source: string) {}

  /** A part of a block file, exactly as long as asked. */
  async range({ file, offset, len }: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    const headers = { range: `bytes=${offset}-${offset + len - 1}` };
    const response = await this.fetch(`/sync/file/${file}`, { headers, signal: signal ?? null });
    const whole = new Uint8Array(await response.arrayBuffer());
    this.bytesFetched += whole.length;
    const bytes = response.status === 200 ? whole.subarray(offset, offset + len) : whole;
    if (bytes.length !== len) throw new IsopointError("damaged", `${file} is shorter than its index says`);
    return bytes;
  }

  /** The names of the source's databases. */
  async databases(): Promise<string[]> {
    const response = await this.fetch("/query?q=SHOW%20DATABASES", {});
    const answer = (await response.json()) as { results?: { series?: { values?: string[][] }[] }[] };
    return (answer.results?.[0]?.series?.[0]?.values ?? []).flatMap((row) => row.slice(0, 1));
  }

  /** A live stream of the tail's bytes, as they come. */
  async *tail(database: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.fetch(`/sync/tail?db=${encodeURIComponent(database)}`, { signal });
    if (!response.body) throw new IsopointError("source", "the source sent no tail");
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.tailBytes += value.length;
      yield value;
    }
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    this.requests += 1;
    let response: Response;
    try {
      response = await fetch(this.source + path, init);
    } catch (error) {
      if (init.signal?.aborted) throw new IsopointError("aborted", "aborted");
      throw new IsopointError("source", `${this.source} does not answer: ${error instanceof Error ? error.message : error}`);
    }
    if (!response.ok) {
      const text = await response.text().catch(() => "");
      throw new IsopointError("source", `${this.source}${path.split("?")[0]} answered ${response.status} ${text.trim().slice(0, 200)}`);
    }
    return response;
  }
}
