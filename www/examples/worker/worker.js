import { Engine } from "isopoint";

async function run() {
  // This is a Worker already: the engine needs none of its own.
  const engine = await Engine.open({ worker: false });
  await engine.write("room,sensor=a celsius=19.5 1\nroom,sensor=a celsius=21.5 2", { database: "home" });
  const result = await engine.query("SELECT mean(celsius) FROM room", { database: "home" });
  postMessage(result.series()[0].column("mean").values[0]);
  engine.close();
}

run();
