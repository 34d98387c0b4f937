/** The engine's own thread: takes calls, answers them, reports events. */
import { IsopointError, errorData } from "./errors.js";
import type { Host } from "./host.js";
import { host as begin } from "./instance.js";
import { buffersOf, CANCELLABLE, type Call, type Reply, type Watch } from "./messages.js";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const running = new Map<number, AbortController>();
let host: Host | null = null;

function send(reply: Reply): void {
  const moved = reply.type === "done" ? [...buffersOf(reply.value)] : [];
  scope.postMessage(reply, moved);
}

scope.onmessage = async ({ data }: MessageEvent<Call>) => {
  if (data.type === "open") {
    try {
      host = await begin(data.extent, data.module, data.options, (event) => send({ type: "event", event }));
      send({ type: "opened" });
    } catch (error) {
      // What is not said in our own words went wrong with the module.
      send({ type: "failed", error: error instanceof IsopointError ? errorData(error) : { ...errorData(error), code: "load" } });
    }
    return;
  }
  if (data.type === "abort") {
    running.get(data.id)?.abort();
    return;
  }
  const { id, method, args } = data;
  const abort = new AbortController();
  running.set(id, abort);
  const watch: Watch = { signal: abort.signal, progress: (progress) => send({ type: "progress", id, progress }) };
  try {
    const call = host![method] as (...args: unknown[]) => unknown;
    const value = await call.apply(host, CANCELLABLE.has(method) ? [...args, watch] : args);
    send({ type: "done", id, value });
  } catch (error) {
    send({ type: "error", id, error: errorData(error) });
  } finally {
    running.delete(id);
  }
};
