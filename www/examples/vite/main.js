import { Engine } from "isopoint";

const engine = await Engine.open();
await engine.write("room,sensor=a celsius=19.5 1\nroom,sensor=a celsius=21.5 2", { database: "home" });
const result = await engine.query("SELECT mean(celsius) FROM room", { database: "home" });
document.title = `mean ${result.series()[0].column("mean").values[0]}`;
engine.close();
