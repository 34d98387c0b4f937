import * as full from "../pkg/full/isopoint.js";
import * as reader from "../pkg/reader/isopoint.js";
import type { Core, Extent } from "./core.js";
import { Host, type HostOptions, type Instance } from "./host.js";
import type { EngineEvent } from "./types.js";

/** A host around a fresh instance of a module, in this thread. */
export function host(extent: Extent, module: WebAssembly.Module, options: HostOptions, emit: (event: EngineEvent) => void): Promise<Host> {
  return Host.open(instantiate(extent, module), instantiate, options, emit);
}

/** Each module has its own glue. Both are here from the start, since not every bundler can split a Worker's script. */
function instantiate(extent: Extent, module: WebAssembly.Module): Instance {
  const { initSync, Core: CoreClass, version } = extent === "full" ? full : reader;
  const { memory } = initSync({ module });
  return { extent, core: new CoreClass() as unknown as Core, memory, version: version() };
}
