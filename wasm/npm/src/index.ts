/** The package in a page: the engine runs in a Worker. */
import { EngineBase, type Platform } from "./engine.js";
import type { OpenOptions } from "./types.js";

const platform: Platform = {
  files: {
    reader: new URL("../pkg/reader/isopoint_bg.wasm", import.meta.url),
    full: new URL("../pkg/full/isopoint_bg.wasm", import.meta.url),
  },
  async compile(wasm) {
    if (wasm instanceof WebAssembly.Module) return wasm;
    if (wasm instanceof ArrayBuffer || ArrayBuffer.isView(wasm)) return WebAssembly.compile(wasm as BufferSource);
    const response = wasm instanceof Response ? wasm : await fetch(wasm as string | URL);
    if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
    // A server that calls the file something else than application/wasm still works, a little slower.
    if (response.headers.get("content-type") === "application/wasm") return WebAssembly.compileStreaming(response);
    return WebAssembly.compile(await response.arrayBuffer());
  },
  worker: () => (typeof Worker === "undefined" ? null : new Worker(new URL("./worker.js", import.meta.url), { type: "module" })),
  host: async (extent, module, options, emit) => (await import("./instance.js")).host(extent, module, options, emit),
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
export type * from "./types.js";
