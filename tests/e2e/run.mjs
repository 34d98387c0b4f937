// The dashboard in Chromium, against a real server that watches this machine: `node tests/e2e/run.mjs [PART OF A NAME]`.
import { Server, runAll } from "./harness.mjs";
import "./access.mjs";
import "./boards.mjs";
import "./dashboard.mjs";
import "./datadog.mjs";
import "./editors.mjs";
import "./graph.mjs";
import "./package.mjs";
import "./snapshot.mjs";
import "./sources.mjs";
import "./storage.mjs";

const server = await Server.start();
let good = false;
try {
  await server.remember();
  await server.query("CREATE DATABASE notes");
  await server.write("notes", "m,kind=a value=1,count=3i 1000000000\nm,kind=b value=2.5,count=4i 2000000000");
  good = await runAll({ server });
} finally {
  await server.end();
}
process.exit(good ? 0 : 1);
