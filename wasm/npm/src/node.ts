/** The package in Node: the engine runs in this thread, the module is read from the package's folder. */
import { EngineBase, type Platform } from "./engine.js";
import { host } from "./instance.js";
import type { OpenOptions } from "./types.js";

// Node's own types are no dependency of the package for two names.
declare const process: { getBuiltinModule(name: "node:fs/promises"): { readFile(path: URL | string): Promise<BufferSource> } };

const platform: Platform = {
  files: {
    reader: new URL("../pkg/reader/isopoint_bg.wasm", import.meta.url),
    full: new URL("../pkg/full/isopoint_bg.wasm", import.meta.url),
  },
  async compile(wasm) {
    if (wasm instanceof WebAssembly.Module) return wasm;
    if (wasm instanceof Response) return WebAssembly.compile(await wasm.arrayBuffer());
    if (typeof wasm === "string" || wasm instanceof URL) {
      return WebAssembly.compile(await process.getBuiltinModule("node:fs/promises").readFile(wasm));
    }
    return WebAssembly.compile(wasm);
  },
  worker: () => null,
  host: (extent, module, options, emit) => host(extent, module, options, emit),
};

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
