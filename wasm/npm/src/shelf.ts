/**
 * Parts of block files on the device, shared by the tabs of an origin: what one has fetched, the others and later visits
 * need not.
 *
 * A part is one file, `<block file>@<offset>`: 32 bytes SHA-256 of what follows, then the bytes. A part that does not
 * fit its hash is deleted and fetched again.
 */
import type { ByteRange } from "./cache.js";
import { type Folder, openFolder } from "./storage.js";
import type { Persistence } from "./types.js";

const HASH = 32;

interface Part {
  name: string;
  offset: number;
  len: number;
  changed: number;
}

export class Shelf {
  /** Of each block file. */
  private readonly parts = new Map<string, Part[]>();
  bytesHeld = 0;
  /** Since the start: parts that did not fit their hash. */
  damaged = 0;
  private writing: Promise<void> = Promise.resolve();
  private closed = false;

  private constructor(
    private readonly folder: Folder,
    private readonly budget: number,
    private readonly lock: string,
  ) {}

  static async open(persistence: Exclude<Persistence, "memory">, name: string, budget: number): Promise<Shelf> {
    const shelf = new Shelf(await openFolder(persistence, `${name}.blocks`), budget, `isopoint/${name}/blocks`);
    for (const { name: file, size, changed } of await shelf.folder.list()) shelf.add(file, size - HASH, changed);
    return shelf;
  }

  /** The part that holds a range, with its place in the file; `null` when there is none that is whole. */
  async get(range: ByteRange): Promise<{ offset: number; bytes: Uint8Array } | null> {
    const part = this.parts.get(range.file)?.find(({ offset, len }) => offset <= range.offset && range.offset + range.len <= offset + len);
    if (!part) return null;
    const whole = await this.folder.read(part.name).catch(() => null);
    // Another tab may have evicted it.
    if (whole === null) return this.remove(range.file, part);
    const bytes = whole.subarray(HASH);
    const good = bytes.length === part.len && equal(await sha256(bytes), whole.subarray(0, HASH));
    if (good) return { offset: part.offset, bytes };
    this.damaged += 1;
    await this.folder.delete(part.name).catch(() => undefined);
    return this.remove(range.file, part);
  }

  /** Keeps a part, by and by. A device that takes no more is no error: the bytes are in memory. */
  put(file: string, offset: number, bytes: Uint8Array): void {
    const name = `${file}@${offset}`;
    const known = this.parts.get(file)?.find((part) => part.name === name);
    if (bytes.length + HASH > this.budget || (known && known.len >= bytes.length)) return;
    this.writing = this.writing.then(() => this.write(name, bytes)).catch(() => undefined);
  }

  private async write(name: string, bytes: Uint8Array): Promise<void> {
    if (this.closed) return;
    const whole = new Uint8Array(HASH + bytes.length);
    whole.set(await sha256(bytes));
    whole.set(bytes, HASH);
    await this.exclusive(async () => {
      await this.folder.put(name, whole);
      this.add(name, bytes.length, Date.now());
      if (this.bytesHeld > this.budget) await this.evict();
    });
  }

  /** What was written longest ago goes, also what other tabs have written. */
  private async evict(): Promise<void> {
    this.parts.clear();
    this.bytesHeld = 0;
    for (const { name, size, changed } of await this.folder.list()) this.add(name, size - HASH, changed);
    const oldest = [...this.parts.entries()].flatMap(([file, parts]) => parts.map((part) => ({ file, part }))).sort((a, b) => a.part.changed - b.part.changed);
    for (const { file, part } of oldest) {
      if (this.bytesHeld <= this.budget) return;
      await this.folder.delete(part.name);
      this.remove(file, part);
    }
  }

  /** One tab writes at a time: two would put the same name, or evict each other's. */
  private exclusive(work: () => Promise<void>): Promise<void> {
    if (typeof navigator === "undefined" || !navigator.locks) return work();
    return navigator.locks.request(this.lock, work) as Promise<void>;
  }

  /** When all that was put is on the device. */
  settled(): Promise<void> {
    return this.writing;
  }

  close(): void {
    this.closed = true;
    void this.writing.finally(() => this.folder.close());
  }

  private add(name: string, len: number, changed: number): void {
    const at = name.lastIndexOf("@");
    const [file, offset] = [name.slice(0, at), Number(name.slice(at + 1))];
    if (at < 0 || !Number.isSafeInteger(offset) || len < 0) return;
    const parts = (this.parts.get(file) ?? []).filter((part) => part.name !== name || this.forget(part));
    parts.push({ name, offset, len, changed });
    this.parts.set(file, parts);
    this.bytesHeld += len;
  }

  private forget(part: Part): false {
    this.bytesHeld -= part.len;
    return false;
  }

  private remove(file: string, part: Part): null {
    const parts = this.parts.get(file);
    if (parts?.includes(part)) {
      this.parts.set(file, parts.filter((other) => other !== part));
      this.forget(part);
    }
    return null;
  }
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}
