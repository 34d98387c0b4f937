// What the client tests share: a server of this build, and programs that talk to it.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** `ISOPOINT_SERVER`, else the dev build of this repository. */
export const PROGRAM = process.env.ISOPOINT_SERVER ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/isopoint");

/** Runs a program; what it printed, or an error that says all it printed. */
export async function run(program, args, options = {}) {
  const { stdout } = await promisify(execFile)(program, args, { timeout: 60_000, maxBuffer: 1 << 24, ...options });
  return stdout;
}

/** `isopoint serve` with a folder of its own. */
export class Server {
  static async start(...args) {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "isopoint-clients-"));
    const serve = ["serve", "--listen", "127.0.0.1:0", "--no-self-metrics", "--data-dir", server.folder, ...args];
    server.child = spawn(PROGRAM, serve, { stdio: ["ignore", "pipe", "ignore"] });
    for await (const line of createInterface({ input: server.child.stdout })) {
      const url = line.match(/^listening on (http:\/\/\S+?)\/?$/)?.[1];
      if (url !== undefined) {
        server.url = url;
        server.child.stdout.resume();
        return server;
      }
    }
    throw new Error("the server did not start");
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  async query(q, parameters = {}) {
    const answer = await fetch(`${this.url}/query`, { method: "POST", body: new URLSearchParams({ q, ...parameters }) });
    return answer.json();
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGKILL");
      await once(this.child, "exit");
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
