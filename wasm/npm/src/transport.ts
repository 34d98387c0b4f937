import type { ByteRange } from "./cache.js";
import { IsopointError } from "./errors.js";
import type { Snapshot } from "./snapshot.js";
import type { ApiRequest } from "./types.js";

/** Where a replica's bytes come from. */
export interface Transport {
  bytesFetched: number;
  tailBytes: number;
  requests: number;
  readonly source: string;
  /** A part of a block file, exactly as long as asked. */
  range(range: ByteRange, signal?: AbortSignal): Promise<Uint8Array>;
  databases(signal?: AbortSignal): Promise<string[]>;
  tail(database: string, signal: AbortSignal): AsyncGenerator<Uint8Array>;
  answer(request: ApiRequest, signal?: AbortSignal): Promise<{ status: number; body: Uint8Array; hash: string | null }>;
}

/** A snapshot as a source: all is at hand, and nothing ever comes. */
export class SnapshotTransport implements Transport {
  bytesFetched = 0;
  tailBytes = 0;
  requests = 0;
  readonly source: string;

  constructor(private readonly snapshot: Snapshot) {
    this.source = `snapshot of ${snapshot.database}, ${new Date(snapshot.taken).toISOString()}`;
  }

  async range({ file, offset, len }: ByteRange): Promise<Uint8Array> {
    const bytes = this.snapshot.files.get(file)?.subarray(offset, offset + len);
    if (bytes?.length !== len) throw new IsopointError("damaged", `${file} is not whole in this snapshot`);
    return bytes;
  }

  async databases(): Promise<string[]> {
    return [this.snapshot.database];
  }

  async *tail(database: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (database !== this.snapshot.database) throw new IsopointError("source", `this snapshot has ${this.snapshot.database} only`);
    yield this.snapshot.tail;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  async answer(): Promise<never> {
    throw new IsopointError("source", "a snapshot has no server behind it");
  }
}

/** Requests to a server, and what they cost. */
export class HttpTransport implements Transport {
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
  async databases(signal?: AbortSignal): Promise<string[]> {
    const response = await this.fetch("/query?q=SHOW%20DATABASES", { signal: signal ?? null });
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

  /** An answer of the source, whatever its status, and the hash that it gives for it. */
  async answer({ method, url, headers, body }: ApiRequest, signal?: AbortSignal): Promise<{ status: number; body: Uint8Array; hash: string | null }> {
    this.requests += 1;
    const init = { method, headers: headers ?? {}, body: (body as BodyInit | undefined) ?? null, signal: signal ?? null };
    const response = await fetch(this.source + url, init).catch((error: unknown) => {
      if (signal?.aborted) throw new IsopointError("aborted", "aborted");
      throw new IsopointError("source", `${this.source} does not answer: ${error instanceof Error ? error.message : error}`);
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, body: bytes, hash: response.headers.get("x-answer-hash") };
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
