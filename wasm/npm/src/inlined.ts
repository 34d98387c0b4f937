/**
 * The package as one file, a module and the Worker in it (`isopoint/inline`; `isopoint/inline-reader` with the reader alone): for bundlers that copy no assets, and for pages without a server. It
 * is a third larger than what the other entry loads, all of it at once, and needs `worker-src blob:` where a policy forbids
 * that.
 */
import extent from "isopoint:extent";
import wasm from "isopoint:wasm";
import worker from "isopoint:worker";
import { EngineBase, type Platform } from "./engine.js";
import { compile } from "./compile.js";
import { host } from "./instance.js";
import type { OpenOptions } from "./types.js";

/** Unpacked anew for every engine: a response can be read once. */
function unpacked(): Response {
  const packed = Uint8Array.from(atob(wasm), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain, { headers: { "content-type": "application/wasm" } });
}

const platform: Platform = {
  files: {
    get reader(): Response | undefined {
      return extent === "reader" ? unpacked() : undefined;
    },
    get full(): Response {
      if (extent === "full") return unpacked();
      throw new Error("this build has the reader only: it queries sources and nothing else");
    },
  },
  compile,
  worker() {
    if (typeof Worker === "undefined" || typeof document === "undefined") return null;
    const address = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    const started = new Worker(address);
    started.addEventListener("message", () => URL.revokeObjectURL(address), { once: true });
    return started;
  },
  host,
};

export class Engine extends EngineBase {
  private constructor() {
    super();
  }

  /** Unpacks the module and, with a `source`, begins to follow its databases. */
  static open(options: OpenOptions = {}): Promise<Engine> {
    return new Engine().start(platform, options);
  }
}

export { IsopointError, type ErrorCode } from "./errors.js";
export type { DatadogSeries, GrafanaField, GrafanaFrame } from "./formats.js";
export { Column, QueryResult, Series } from "./result.js";
export { readSnapshot, type Snapshot } from "./snapshot.js";
export type * from "./types.js";
