/**
 * A database in one piece: what a replica of it needs, as it was at one moment.
 *
 * | offset | size | what |
 * |---|---|---|
 * | 0 | 8 | `ISOSNAP1` |
 * | 8 | 4 | length of the head, little-endian |
 * | 12 | … | the head, JSON: {@link Head} |
 * | … | … | the tail: frames as the source sends them, manifest first, a clock last |
 * | … | … | the block files that the manifest names, in the order of the head |
 */
import { IsopointError } from "./errors.js";

const MAGIC = "ISOSNAP1";
/** Kind of the tail's frames that say what time it is; the source has told all it has when the first comes. */
const CLOCK = 3;

interface Head {
  database: string;
  /** Milliseconds since 1970. */
  taken: number;
  tail: number;
  files: { name: string; size: number }[];
}

export interface Snapshot {
  database: string;
  /** Milliseconds since 1970. */
  taken: number;
  tail: Uint8Array;
  files: Map<string, Uint8Array>;
}

export function writeSnapshot({ database, taken, tail, files }: Snapshot): Uint8Array {
  const head: Head = { database, taken, tail: tail.length, files: [...files].map(([name, { length }]) => ({ name, size: length })) };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const whole = new Uint8Array(12 + text.length + tail.length + head.files.reduce((sum, { size }) => sum + size, 0));
  whole.set(new TextEncoder().encode(MAGIC));
  new DataView(whole.buffer).setUint32(8, text.length, true);
  let at = 12;
  for (const part of [text, tail, ...files.values()]) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Throws `damaged` when the bytes are no snapshot, or are cut. */
export function readSnapshot(bytes: Uint8Array): Snapshot {
  const damaged = (): never => {
    throw new IsopointError("damaged", "these bytes are no snapshot, or not all of one");
  };
  if (bytes.length < 12 || new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC) damaged();
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  let at = 12 + length;
  if (at > bytes.length) damaged();
  let head: Head;
  try {
    head = JSON.parse(new TextDecoder().decode(bytes.subarray(12, at))) as Head;
  } catch {
    return damaged();
  }
  const take = (size: number): Uint8Array => {
    if (!Number.isSafeInteger(size) || size < 0 || at + size > bytes.length) damaged();
    at += size;
    return bytes.subarray(at - size, at);
  };
  if (typeof head.database !== "string" || !Array.isArray(head.files)) damaged();
  const tail = take(head.tail);
  return { database: head.database, taken: Number(head.taken), tail, files: new Map(head.files.map(({ name, size }) => [name, take(size)])) };
}

/** How many bytes of a tail are whole frames, and whether they end with a clock. */
export function wholeFrames(bytes: Uint8Array): { used: number; clock: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let used = 0;
  while (used + 5 <= bytes.length) {
    const length = view.getUint32(used, true);
    if (used + 4 + length > bytes.length) break;
    used += 4 + length;
    if (view.getUint8(used - length) === CLOCK) return { used, clock: true };
  }
  return { used, clock: false };
}
