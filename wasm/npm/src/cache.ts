/** A part of a block file. */
export interface ByteRange {
  file: string;
  offset: number;
  len: number;
}

interface Segment {
  offset: number;
  bytes: Uint8Array;
}

/**
 * Parts of block files held in the page. Files are immutable and named by their content, so what is held never goes
 * stale; the file used longest ago goes first when the budget is full.
 */
export class BlockCache {
  /** In order of use, the latest last. */
  private readonly files = new Map<string, Segment[]>();
  private held = 0;

  constructor(private readonly budget: number) {}

  get bytesHeld(): number {
    return this.held;
  }

  /** The bytes of a range, when all of it is held. */
  get(range: ByteRange): Uint8Array | null {
    const segments = this.files.get(range.file);
    const segment = segments?.find((part) => part.offset <= range.offset && range.offset + range.len <= part.offset + part.bytes.length);
    if (!segments || !segment) return null;
    this.files.delete(range.file);
    this.files.set(range.file, segments);
    return segment.bytes.subarray(range.offset - segment.offset, range.offset - segment.offset + range.len);
  }

  put(file: string, offset: number, bytes: Uint8Array): void {
    const segments = this.files.get(file) ?? [];
    // Parts that the new one covers go; what merely touches it stays: a range is always looked for in one part.
    const kept = segments.filter((part) => part.offset < offset || offset + bytes.length < part.offset + part.bytes.length);
    for (const part of segments) if (!kept.includes(part)) this.held -= part.bytes.length;
    kept.push({ offset, bytes });
    this.held += bytes.length;
    this.files.delete(file);
    this.files.set(file, kept);
    for (const [oldest, parts] of this.files) {
      if (this.held <= this.budget || oldest === file) break;
      this.files.delete(oldest);
      for (const part of parts) this.held -= part.bytes.length;
    }
  }

  /** Drops files that are live no more. */
  keep(live: Set<string>): void {
    for (const [file, parts] of this.files) {
      if (live.has(file)) continue;
      this.files.delete(file);
      for (const part of parts) this.held -= part.bytes.length;
    }
  }
}

/** Bytes between two ranges that are fetched with them rather than asked for in a request of their own. */
const GAP = 16 * 1024;

/** The fewest requests for these ranges: those close together in one file become one. */
export function coalesce(ranges: ByteRange[]): ByteRange[] {
  const sorted = [...ranges].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.offset - b.offset));
  const merged: ByteRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last && last.file === range.file && range.offset <= last.offset + last.len + GAP) {
      last.len = Math.max(last.len, range.offset + range.len - last.offset);
    } else {
      merged.push({ ...range });
    }
  }
  return merged;
}
