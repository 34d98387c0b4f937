import type { WasmFile } from "./types.js";

/** A module from whatever it is given as. */
export async function compile(wasm: WasmFile): Promise<WebAssembly.Module> {
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (wasm instanceof ArrayBuffer || ArrayBuffer.isView(wasm)) return WebAssembly.compile(wasm as BufferSource);
  const response = wasm instanceof Response ? wasm : await fetch(wasm as string | URL);
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  // A server that calls the file something else than application/wasm still works, a little slower.
  if (response.headers.get("content-type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}
