import { Core as CoreClass, initSync, version } from "../pkg/isopoint.js";
import type { Core } from "./core.js";
import { Host, type HostOptions } from "./host.js";
import type { EngineEvent } from "./types.js";

/** A host around a fresh instance of the module, in this thread. */
export function instantiate(module: WebAssembly.Module, options: HostOptions, emit: (event: EngineEvent) => void): Host {
  const { memory } = initSync({ module });
  return new Host(new CoreClass() as unknown as Core, memory, version(), options, emit);
}
