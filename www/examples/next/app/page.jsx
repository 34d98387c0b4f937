"use client";

import { Engine } from "isopoint";
import { useEffect, useState } from "react";

export default function Page() {
  const [mean, setMean] = useState(null);

  useEffect(() => {
    const leaving = new AbortController();
    const run = async () => {
      const engine = await Engine.open({ signal: leaving.signal });
      await engine.write("room,sensor=a celsius=19.5 1\nroom,sensor=a celsius=21.5 2", { database: "home" });
      const result = await engine.query("SELECT mean(celsius) FROM room", { database: "home" });
      setMean(result.series()[0].column("mean").values[0]);
      engine.close();
    };
    run().catch((error) => leaving.signal.aborted || console.error(error));
    return () => leaving.abort();
  }, []);

  return <p id="mean">{mean === null ? "waiting" : `mean ${mean}`}</p>;
}
