/**
 * Files on this device: in the origin's private file system (OPFS), or in IndexedDB where there is none.
 *
 * Names are paths such as `wal/00000001.wal`; neither backend has folders, so a slash is part of the name.
 */
import { IsopointError } from "./errors.js";

export interface FileEntry {
  name: string;
  size: number;
  /** Milliseconds since 1970 of the last change. */
  changed: number;
}

/** Whole files, and logs that grow. What `put`, `rename`, `truncate`, `delete` and `sync` have done survives a crash. */
export interface Folder {
  list(): Promise<FileEntry[]>;
  /** `null`: there is no such file. */
  read(name: string): Promise<Uint8Array | null>;
  /** The whole file or none of it, also when the page dies meanwhile. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Adds to a file, which is made when missing. */
  append(name: string, bytes: Uint8Array): Promise<void>;
  sync(name: string): Promise<void>;
  /** A file that is missing or no longer than that stays as it is. */
  truncate(name: string, length: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file that is missing is deleted already. */
  delete(name: string): Promise<void>;
  close(): void;
}

export type Backend = "opfs" | "indexeddb";

/** What stands for unfinished files; they are no files yet. */
const TEMPORARY = ".tmp";

/** Opens a folder of this origin. `device` takes OPFS where it can be synced, which is in a Worker. */
export async function openFolder(kind: "device" | Backend, name: string): Promise<Folder> {
  const syncable = typeof FileSystemFileHandle !== "undefined" && "createSyncAccessHandle" in FileSystemFileHandle.prototype;
  const opfs = kind === "opfs" || (kind === "device" && syncable && typeof navigator.storage?.getDirectory === "function");
  try {
    if (opfs) return await OpfsFolder.open(name);
    if (typeof indexedDB === "undefined") throw new Error("there is neither OPFS nor IndexedDB here");
    return await IndexedFolder.open(name);
  } catch (error) {
    throw storageError(`cannot open ${name}`, error);
  }
}

export function storageError(what: string, error: unknown): IsopointError {
  const full = error instanceof DOMException && error.name === "QuotaExceededError";
  return new IsopointError("storage", `${what}: ${full ? "the browser gives this origin no more room" : error instanceof Error ? error.message : error}`);
}

/** The origin's private file system, written through handles that can be synced. */
class OpfsFolder implements Folder {
  /** Logs that are being written. */
  private readonly open = new Map<string, FileSystemSyncAccessHandle>();

  private constructor(private readonly root: FileSystemDirectoryHandle) {}

  static async open(name: string): Promise<OpfsFolder> {
    const origin = await navigator.storage.getDirectory();
    const top = await origin.getDirectoryHandle("isopoint", { create: true });
    const folder = new OpfsFolder(await top.getDirectoryHandle(name, { create: true }));
    // What a page that died was about to put.
    for (const { name: left } of await folder.all()) if (left.endsWith(TEMPORARY)) await folder.delete(left);
    return folder;
  }

  async list(): Promise<FileEntry[]> {
    return (await this.all()).filter(({ name }) => !name.endsWith(TEMPORARY));
  }

  private async all(): Promise<FileEntry[]> {
    const found: FileEntry[] = [];
    for await (const handle of this.root.values()) {
      if (handle.kind !== "file") continue;
      const { size, lastModified } = await handle.getFile();
      found.push({ name: decode(handle.name), size, changed: lastModified });
    }
    return found;
  }

  async read(name: string): Promise<Uint8Array | null> {
    const handle = await missing(this.root.getFileHandle(encode(name)));
    return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const handle = await this.root.getFileHandle(encode(`${name}${TEMPORARY}`), { create: true });
    const file = await handle.createSyncAccessHandle();
    try {
      file.truncate(0);
      writeAll(file, bytes, 0);
      file.flush();
    } finally {
      file.close();
    }
    await move(handle, encode(name));
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    const file = await this.log(name);
    writeAll(file, bytes, file.getSize());
  }

  async sync(name: string): Promise<void> {
    (await this.log(name)).flush();
  }

  async truncate(name: string, length: number): Promise<void> {
    if (!(await missing(this.root.getFileHandle(encode(name))))) return;
    const file = await this.log(name);
    if (file.getSize() <= length) return;
    file.truncate(length);
    file.flush();
  }

  async rename(from: string, to: string): Promise<void> {
    const file = await this.log(from);
    file.flush();
    this.forget(from);
    await move(await this.root.getFileHandle(encode(from)), encode(to));
  }

  async delete(name: string): Promise<void> {
    this.forget(name);
    await missing(this.root.removeEntry(encode(name)));
  }

  close(): void {
    for (const file of this.open.values()) file.close();
    this.open.clear();
  }

  private async log(name: string): Promise<FileSystemSyncAccessHandle> {
    const known = this.open.get(name);
    if (known) return known;
    const handle = await this.root.getFileHandle(encode(name), { create: true });
    const file = await handle.createSyncAccessHandle();
    this.open.set(name, file);
    return file;
  }

  private forget(name: string): void {
    this.open.get(name)?.close();
    this.open.delete(name);
  }
}

function writeAll(file: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  let done = 0;
  while (done < bytes.length) {
    const wrote = file.write(bytes.subarray(done) as Uint8Array<ArrayBuffer>, { at: at + done });
    if (wrote === 0) throw new DOMException("no bytes were taken", "QuotaExceededError");
    done += wrote;
  }
}

/** `move` replaces what has the name; the type library does not know it yet. */
function move(handle: FileSystemFileHandle, name: string): Promise<void> {
  return (handle as FileSystemFileHandle & { move(name: string): Promise<void> }).move(name);
}

/** `null` when there is no such entry. */
async function missing<T>(entry: Promise<T>): Promise<T | null> {
  try {
    return await entry;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null;
    throw error;
  }
}

const encode = (name: string): string => name.replaceAll("%", "%25").replaceAll("/", "%2F");
const decode = (name: string): string => name.replaceAll("%2F", "/").replaceAll("%25", "%");

/** One row of IndexedDB: a whole file, or a piece of a log. */
interface Piece {
  name: string;
  number: number;
  bytes: Uint8Array;
  changed: number;
}

/** IndexedDB: a file is its pieces in order. Every change is one transaction that is durable when it ends. */
class IndexedFolder implements Folder {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(name: string): Promise<IndexedFolder> {
    const request = indexedDB.open(`isopoint/${name}`, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore("pieces", { keyPath: ["name", "number"] });
    return new IndexedFolder(await answer(request));
  }

  async list(): Promise<FileEntry[]> {
    const files = new Map<string, FileEntry>();
    const pieces = (await answer(this.database.transaction("pieces").objectStore("pieces").getAll())) as Piece[];
    for (const { name, bytes, changed } of pieces) {
      const known = files.get(name);
      files.set(name, { name, size: (known?.size ?? 0) + bytes.length, changed: Math.max(known?.changed ?? 0, changed) });
    }
    return [...files.values()].filter(({ name }) => !name.endsWith(TEMPORARY));
  }

  async read(name: string): Promise<Uint8Array | null> {
    const pieces = (await answer(this.database.transaction("pieces").objectStore("pieces").getAll(all(name)))) as Piece[];
    return pieces.length === 0 ? null : joined(pieces);
  }

  put(name: string, bytes: Uint8Array): Promise<void> {
    return this.change((pieces) => {
      pieces.delete(all(name));
      pieces.put(piece(name, 0, bytes));
    });
  }

  append(name: string, bytes: Uint8Array): Promise<void> {
    return this.change((pieces) => {
      const last = pieces.openKeyCursor(all(name), "prev");
      last.onsuccess = () => {
        const key = last.result?.primaryKey as [string, number] | undefined;
        pieces.put(piece(name, key === undefined ? 0 : key[1] + 1, bytes));
      };
    });
  }

  /** Every append is durable at its end. */
  async sync(): Promise<void> {}

  truncate(name: string, length: number): Promise<void> {
    return this.rewrite(name, (bytes) => {
      if (bytes.length <= length) return null;
      return { name, bytes: bytes.slice(0, length) };
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.rewrite(from, (bytes) => ({ name: to, bytes }));
  }

  delete(name: string): Promise<void> {
    return this.change((pieces) => void pieces.delete(all(name)));
  }

  close(): void {
    this.database.close();
  }

  /** Puts one file in place of another within one transaction; `null` leaves it. */
  private rewrite(name: string, make: (bytes: Uint8Array) => { name: string; bytes: Uint8Array } | null): Promise<void> {
    return this.change((pieces) => {
      const request = pieces.getAll(all(name)) as IDBRequest<Piece[]>;
      request.onsuccess = () => {
        if (request.result.length === 0) return;
        const made = make(joined(request.result));
        if (!made) return;
        pieces.delete(all(name));
        pieces.delete(all(made.name));
        pieces.put(piece(made.name, 0, made.bytes));
      };
    });
  }

  private change(what: (pieces: IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction("pieces", "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
      what(transaction.objectStore("pieces"));
    });
  }
}

const all = (name: string): IDBKeyRange => IDBKeyRange.bound([name, 0], [name, Infinity]);

/** A copy: the bytes may be a part of something larger, which would be stored whole. */
const piece = (name: string, number: number, bytes: Uint8Array): Piece => ({ name, number, bytes: bytes.slice(), changed: Date.now() });

function joined(pieces: Piece[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of pieces) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
