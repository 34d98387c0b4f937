// What the browser tests share: a real server, Debian's Chromium, and a list of tests that is run to its end.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A page that draws slowly is not broken; one that takes longer than this is. */
export const PATIENCE = 30_000;

/** `ISOPOINT_SERVER`, else the dev build of this repository. */
function program() {
  return process.env.ISOPOINT_SERVER ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/isopoint");
}

/** `isopoint serve` with a folder of its own; `kill` is kill -9, `restart` comes back at the same address. */
export class Server {
  static async start(...args) {
    const server = new Server();
    server.args = args;
    server.folder = await mkdtemp(join(tmpdir(), "isopoint-e2e-"));
    await server.restart();
    return server;
  }

  async restart() {
    const listen = this.url === undefined ? "127.0.0.1:0" : new URL(this.url).host;
    this.child = spawn(program(), ["serve", "--listen", listen, "--data-dir", this.folder, ...this.args], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    this.child.stderr.on("data", (text) => (said = `${said}${text}`.slice(-4000)));
    for await (const line of createInterface({ input: this.child.stdout })) {
      const url = line.match(/^listening on (http:\/\/\S+?)\/?$/)?.[1];
      if (url !== undefined) {
        this.url = url;
        this.child.stdout.resume();
        return;
      }
    }
    throw new Error(`the server did not start: ${said}`);
  }

  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }

  /** Stops in good order, which puts all points into block files, and comes back at the same address. */
  async flush() {
    this.child.kill("SIGTERM");
    await once(this.child, "exit");
    await this.restart();
  }

  /** Runs another command of the program on this server's folder; gives what it says on standard error. */
  async command(name, ...args) {
    const { stderr } = await promisify(execFile)(program(), [name, "--data-dir", this.folder, ...args]);
    return stderr;
  }

  async query(text, database = "") {
    const answer = await fetch(`${this.url}/query?${new URLSearchParams({ q: text, db: database, epoch: "ms" })}`, { method: "POST" });
    return (await answer.json()).results;
  }

  async write(database, lines) {
    const answer = await fetch(`${this.url}/write?db=${database}`, { method: "POST", body: lines });
    if (answer.status !== 204) throw new Error(`${answer.status}: ${await answer.text()}`);
  }

  /** Gives a server that has just begun to watch its machine a quarter of an hour to look back on. */
  async remember() {
    await eventually("the server watches its machine", async () => (await this.query("SHOW MEASUREMENTS", "_internal"))[0].series !== undefined);
    const now = Math.floor(Date.now() / 1000);
    const lines = Array.from({ length: 450 }, (_, at) => {
      const [time, wave] = [(now - 2 * at - 5) * 1_000_000_000, Math.sin(at / 20)];
      return `cpu,cpu=total usage=${50 + 40 * wave} ${time}\nmem used=${Math.round(4e9 + 1e9 * wave)}i,available=8000000000i,total=16000000000i ${time}\nload load1=${2 + wave},load5=2,load15=1.5 ${time}`;
    });
    await this.write("_internal", lines.join("\n"));
  }

  async end() {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Debian's Chromium, or the one `ISOPOINT_CHROMIUM` names, without a screen. */
export async function launch() {
  return chromium.launch({
    executablePath: process.env.ISOPOINT_CHROMIUM ?? (await onPath("chromium")),
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
  });
}

async function onPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const file = join(folder, name);
    if (await access(file).then(() => true, () => false)) return file;
  }
  throw new Error(`the browser tests need \`${name}\` on PATH (Debian: apt-get install ${name})`);
}

/** Serves the files below a folder; `extra` are more of them by path, `headers` go with each. What is not there is asked of `behind`. */
export async function serveFolder(folder, extra = {}, headers = {}, behind = null) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".css": "text/css" };
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const name = path === "/" ? "/index.html" : path;
    const body = extra[name] ?? (await readFile(join(folder, name)).catch(() => null));
    if (body === null && behind !== null) return void forward(behind(), request, response);
    response.writeHead(body === null ? 404 : 200, { "content-type": types[extname(name)] ?? "application/octet-stream", ...headers });
    response.end(body ?? "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

function forward(address, request, response) {
  const asked = ask(address + request.url, { method: request.method, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  asked.on("error", () => response.destroy());
  response.on("close", () => asked.destroy());
  request.pipe(asked);
}

const tests = [];

/** `allow`: messages of the console that are no failure, since the test asks for them. */
export function test(name, run, { allow = null } = {}) {
  tests.push({ name, run, allow });
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}

export function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}

/** Waits until `look` gives something true, and gives that. */
export async function eventually(what, look, millis = PATIENCE) {
  const end = Date.now() + millis;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${millis} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs every test, or those whose name has the first argument, each in a page of its own that must log no error. */
export async function runAll(context) {
  const browser = await launch();
  let [passed, failed] = [0, 0];
  for (const { name, run, allow } of tests.filter(({ name }) => name.includes(process.argv[2] ?? ""))) {
    const began = Date.now();
    const session = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await session.newPage();
    page.setDefaultTimeout(PATIENCE);
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && errors.push(`${message.text()} (${message.location().url})`));
    /** Kept as an artefact when `ISOPOINT_SCREENSHOTS` names a folder. */
    const shots = async (shot) => {
      const folder = process.env.ISOPOINT_SCREENSHOTS;
      if (folder) await page.screenshot({ path: join(folder, `${shot}.png`), fullPage: true });
    };
    try {
      await run({ ...context, page, session, shots, errors });
      for (let at = errors.length - 1; at >= 0; at -= 1) if (allow?.test(errors[at])) errors.splice(at, 1);
      check(errors.length === 0, `the console has errors: ${errors.join("; ")}`);
      passed += 1;
      console.log(`ok     ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}: ${error.stack ?? error}`);
      if (errors.length > 0) console.log(`       console: ${errors.slice(0, 5).join("; ")}`);
      const file = join(tmpdir(), `isopoint-e2e-${name.replace(/\W+/g, "-")}.png`);
      await page.screenshot({ path: file }).then(() => console.log(`       screenshot: ${file}`), () => {});
    }
    await session.close();
  }
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}
