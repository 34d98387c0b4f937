/** The package in a page: the engine runs in a Worker. */
import { compile } from "./compile.js";
import { EngineBase, type Platform } from "./engine.js";
import type { OpenOptions } from "./types.js";

const platform: Platform = {
  files: {
    reader: new URL("../pkg/reader/isopoint_bg.wasm", import.meta.url),
    full: new URL("../pkg/full/isopoint_bg.wasm", import.meta.url),
  },
  compile,
  worker() {
    if (typeof Worker === "undefined") return null;
    const here = new URL(import.meta.url);
    if (here.protocol.startsWith("http") && here.origin !== globalThis.location?.origin) return foreignWorker(new URL("worker.js", here));
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  },
  host: async (extent, module, options, emit) => (await import("./instance.js")).host(extent, module, options, emit),
};

/** A browser runs no Worker of another origin, but one of this page's may import from there. */
function foreignWorker(script: URL): Worker {
  const address = URL.createObjectURL(new Blob([`import ${JSON.stringify(script.href)};`], { type: "text/javascript" }));
  const worker = new Worker(address, { type: "module" });
  // It has been read once the engine answers.
  worker.addEventListener("message", () => URL.revokeObjectURL(address), { once: true });
  return worker;
}

export class Engine extends EngineBase {
  private constructor() {
    super();
  }

  /** Loads the module and, with a `source`, begins to follow its databases. */
  static open(options: OpenOptions = {}): Promise<Engine> {
    return new Engine().start(platform, options);
  }
}

export { IsopointError, type ErrorCode } from "./errors.js";
export { Column, QueryResult, Series } from "./result.js";
export type { DatadogSeries, GrafanaField, GrafanaFrame } from "./formats.js";
export { readSnapshot, type Snapshot } from "./snapshot.js";
export type * from "./types.js";
