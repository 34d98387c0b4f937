import { type BlockCache, coalesce } from "./cache.js";
import { IsopointError, errorData } from "./errors.js";
import type { Core } from "./core.js";
import type { Watch } from "./messages.js";
import type { Shelf } from "./shelf.js";
import type { Transport } from "./transport.js";

/** Waits between attempts to reach the source again, each made up to a quarter longer so that not all pages come at once. */
const BACK_OFF_MILLIS = [500, 1000, 2000, 5000, 10000];

/** Follows one database of the source: applies its tail, fetches the indexes of its files, reconnects. */
export class Follower {
  state: "connecting" | "live" | "offline" = "connecting";
  error: string | null = null;
  lastHeard: number | null = null;
  private readonly abort = new AbortController();
  private resolveReady!: () => void;
  private rejectReady!: (error: unknown) => void;
  /** Settles when the replica answers for the first time, the first attempt to reach the source fails, or it is stopped. */
  readonly ready: Promise<void>;

  constructor(
    readonly database: string,
    private readonly core: Core,
    private readonly transport: Transport,
    private readonly cache: BlockCache,
    private readonly shelf: Shelf | null,
    private readonly changed: (what: "status" | "points", points: number) => void,
  ) {
    this.ready = new Promise((resolve, reject) => {
      this.resolveReady = resolve;
      this.rejectReady = reject;
    });
    // A query that waits for it says so; without one nobody is to be told.
    this.ready.catch(() => {});
    void this.run();
  }

  /** Whoever waits for it waits no more, and finds it replaced or the engine closed. */
  stop(): void {
    this.abort.abort();
    this.resolveReady();
  }

  private async run(): Promise<void> {
    for (let attempt = 0; !this.abort.signal.aborted; attempt += 1) {
      try {
        await this.follow(() => (attempt = 0));
        this.error = "the source closed the tail";
      } catch (error) {
        if (this.abort.signal.aborted) return;
        this.error = errorData(error).message;
        this.rejectReady(error);
      }
      this.state = "offline";
      this.changed("status", 0);
      const wait = BACK_OFF_MILLIS[Math.min(attempt, BACK_OFF_MILLIS.length - 1)] ?? 10000;
      await sleep(wait * (1 + Math.random() / 4), this.abort.signal);
    }
  }

  /** One connection: from the first manifest until the stream ends. */
  private async follow(live: () => void): Promise<void> {
    this.core.begin(this.database);
    let rest = new Uint8Array(0);
    for await (const chunk of this.transport.tail(this.database, this.abort.signal)) {
      this.lastHeard = Date.now();
      const bytes = rest.length === 0 ? chunk : concat(rest, chunk);
      // The engine takes whole frames and says how many bytes they were; at a manifest it stops, so that the files it
      // names are there before newer points count on them.
      let taken = 0;
      for (;;) {
        const tail = this.core.tail(this.database, bytes.subarray(taken));
        taken += tail.used;
        if (tail.points > 0) this.changed("points", tail.points);
        if (tail.manifest) await this.complete();
        if (tail.caughtUp && this.state !== "live") {
          this.state = "live";
          this.error = null;
          live();
          this.resolveReady();
          this.changed("status", 0);
          this.changed("points", 0);
        }
        if (tail.used === 0) break;
      }
      rest = bytes.slice(taken);
    }
  }

  /** Fetches what a new manifest needs before it can be queried: footers, then indexes. */
  private async complete(): Promise<void> {
    for (;;) {
      const wants = this.core.wants(this.database);
      if (wants.length === 0) break;
      // All at once: a browser bounds how many are under way.
      const parts = await Promise.all(
        wants.map(async (range) => {
          const held = this.cache.get(range) ?? (await fromShelf(range, this.cache, this.shelf));
          if (held) return held;
          const part = await this.transport.range(range, this.abort.signal);
          this.cache.put(range.file, range.offset, part);
          this.shelf?.put(range.file, range.offset, part);
          return part;
        }),
      );
      this.core.give(this.database, parts);
    }
    this.changed("points", 0);
  }
}

/** Fetches ranges that are not held yet; gives what it cost. Throws when that would be more than `budget`. */
export async function hold(ranges: ByteRangeList, from: Holding, watch: Watch = {}): Promise<{ bytesFetched: number; requests: number }> {
  const { cache, shelf, transport, budget } = from;
  const absent = ranges.filter((range) => cache.get(range) === null);
  if (shelf) for (const range of absent) await fromShelf(range, cache, shelf);
  const missing = coalesce(absent.filter((range) => cache.get(range) === null));
  const bytesFetched = missing.reduce((sum, range) => sum + range.len, 0);
  if (bytesFetched > budget) {
    throw new IsopointError("budget", `this needs ${bytesFetched} bytes more of the source's files; fetchBudget is ${budget}`);
  }
  if (missing.length > 0 && !transport) throw new IsopointError("source", "this engine has no source");
  let done = 0;
  await Promise.all(
    missing.map(async (range) => {
      const part = await transport!.range(range, watch.signal);
      cache.put(range.file, range.offset, part);
      shelf?.put(range.file, range.offset, part);
      done += part.length;
      watch.progress?.({ bytesFetched: done, bytesToFetch: bytesFetched });
    }),
  );
  return { bytesFetched, requests: missing.length };
}

/** Where bytes of block files may be: in memory, on the device, at the source. */
export interface Holding {
  cache: BlockCache;
  shelf: Shelf | null;
  transport: Transport | null;
  /** Bytes that may be fetched. */
  budget: number;
}

/** Takes a range from the device into memory; `null` when it is not there. */
async function fromShelf(range: ByteRangeList[number], cache: BlockCache, shelf: Shelf | null): Promise<Uint8Array | null> {
  const part = await shelf?.get(range);
  if (!part) return null;
  cache.put(range.file, part.offset, part.bytes);
  return part.bytes.subarray(range.offset - part.offset, range.offset - part.offset + range.len);
}

type ByteRangeList = Parameters<typeof coalesce>[0];

function concat(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

/** Ends early when the device says that it is online again. */
function sleep(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const woken = new AbortController();
    const end = (): void => {
      clearTimeout(timer);
      woken.abort();
      resolve();
    };
    const timer = setTimeout(end, millis);
    signal.addEventListener("abort", end, { once: true, signal: woken.signal });
    if (typeof addEventListener === "function") addEventListener("online", end, { once: true, signal: woken.signal });
  });
}
