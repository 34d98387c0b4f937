/** Keeps the files of local databases on the device: does what the store asks, in its order, and says how it went. */
import type { FullCore, FileAction } from "./core.js";
import { IsopointError } from "./errors.js";
import { type Folder, openFolder, storageError } from "./storage.js";
import type { Persistence } from "./types.js";

/** A store that nobody writes to still has things to do, such as making files of old memtables. */
const TICK_MILLIS = 5_000;

export class Keeper {
  private running: Promise<void> | null = null;
  private again = false;
  private readonly timer: ReturnType<typeof setInterval>;
  private closed = false;

  private constructor(
    private readonly core: FullCore,
    private readonly folder: Folder,
    private readonly unlock: () => void,
  ) {
    this.timer = setInterval(() => void this.act(), TICK_MILLIS);
  }

  /** Recovers what the device holds. One engine at a time may: the store of another tab is `locked`. */
  static async open(core: FullCore, persistence: Exclude<Persistence, "memory">, name: string): Promise<Keeper> {
    const unlock = await lock(`isopoint/${name}/store`);
    let folder: Folder | null = null;
    try {
      folder = await openFolder(persistence, `${name}.store`);
      const names = (await folder.list()).map((file) => file.name);
      const parts: Uint8Array[] = [];
      for (const file of names) parts.push((await folder.read(file)) ?? new Uint8Array(0));
      core.recover(names, parts, nanos());
      const keeper = new Keeper(core, folder, unlock);
      // What opening changes is done first: a device that takes nothing is found before anything is written.
      await keeper.act();
      return keeper;
    } catch (error) {
      folder?.close();
      unlock();
      throw error;
    }
  }

  /** Does all that the store wants done. */
  act(): Promise<void> {
    this.again = true;
    this.running ??= this.run().finally(() => (this.running = null));
    return this.running;
  }

  private async run(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false;
      for (;;) {
        const action = this.closed ? undefined : this.core.action(nanos());
        if (action === undefined) break;
        const why = await this.perform(action).then(
          () => undefined,
          (error: unknown) => storageError(action.file, error).message,
        );
        if (this.closed) return;
        this.core.did(why, nanos());
      }
    }
  }

  private perform(action: FileAction): Promise<void> {
    switch (action.do) {
      case "append":
        return this.folder.append(action.file, action.bytes);
      case "sync":
        return this.folder.sync(action.file);
      case "truncate":
        return this.folder.truncate(action.file, action.len);
      case "put":
        return this.folder.put(action.file, action.bytes);
      case "rename":
        return this.folder.rename(action.file, action.to);
      case "delete":
        return this.folder.delete(action.file);
    }
  }

  /** Ends at once: what was acknowledged is on the device, and the log brings back what is in no file yet. */
  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    const end = (): void => {
      this.folder.close();
      this.unlock();
    };
    if (this.running) void this.running.finally(end);
    else end();
  }
}

/** Holds a lock of the origin until the returned function is called, or the page or its Worker is gone. */
function lock(name: string): Promise<() => void> {
  // Without Web Locks nobody can tell; OPFS's own handles are exclusive.
  if (typeof navigator === "undefined" || !navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (held) => {
        if (!held) {
          reject(new IsopointError("locked", "another tab has these databases open; close it, or give this engine another name"));
          return undefined;
        }
        return new Promise<void>((release) => resolve(release));
      })
      .catch(reject);
  });
}

function nanos(): bigint {
  return BigInt(Math.round(Date.now() * 1000)) * 1000n;
}
