// The curl lines of the documentation that customers of a hosted InfluxDB have, as printed but for the address.
import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { Server, run } from "./server.mjs";

let server, folder;

/** Runs a line of the shell after the address and credentials were filled in. */
async function shell(line) {
  const mapped = line
    .replaceAll("https://<Domain name>:3242", server.url)
    .replaceAll("u=<Username>&p=<Password>", "u=myusername&p=mypassword");
  return run("sh", ["-c", mapped.replace("curl", "curl --silent --show-error")], { cwd: folder });
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "isopoint-curl-"));
  server = await Server.start("--auth");
  await server.query("CREATE USER myusername WITH PASSWORD 'mypassword' WITH ALL PRIVILEGES");
  const login = { u: "myusername", p: "mypassword" };
  for (const q of ["CREATE DATABASE mydb", "CREATE RETENTION POLICY myrp ON mydb DURATION INF REPLICATION 1"]) {
    await fetch(`${server.url}/query?${new URLSearchParams({ q, ...login })}`, { method: "POST" });
  }
  const seed = "mymeas myfield=33.1 1488327378000000000\nmymeas,mytag1=12,mytag2=14 myfield=12.4 1488327438000000000";
  await fetch(`${server.url}/write?${new URLSearchParams({ db: "mydb", ...login })}`, { method: "POST", body: seed });
  await writeFile(join(folder, "queries.txt"), 'SELECT * FROM "mymeas";\nSELECT mean("myfield") FROM "mymeas";\n');
  await writeFile(join(folder, "data.txt"), "mymeas,mytag1=1 value=21 1463689680000000000\nmymeas,mytag1=1 value=34 1463689690000000000\n");
});

after(() => server.stop());

const ALL = '{"results":[{"statement_id":0,"series":[{"name":"mymeas","columns":["time","myfield","mytag1","mytag2"],"values":[["2017-03-01T00:16:18Z",33.1,null,null],["2017-03-01T00:17:18Z",12.4,"12","14"]]}]}]}\n';
const SECOND = ALL.replace('["2017-03-01T00:16:18Z",33.1,null,null],', "");

/** Reading comes first: what is printed is what two points give. */
const LINES = [
  [`curl -G 'https://<Domain name>:3242/query?db=mydb&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas"'`, (said) => assert.equal(said, ALL)],
  [`curl -G 'https://<Domain name>:3242/query?db=mydb&pretty=true&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas"'`, (said) => assert.match(said, /^\{\n    "results": \[\n        \{\n            "statement_id": 0,/)],
  [`curl -G 'https://<Domain name>:3242/query?db=mydb&epoch=s&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas";SELECT mean("myfield") FROM "mymeas"'`, (said) => assert.equal(said, '{"results":[{"statement_id":0,"series":[{"name":"mymeas","columns":["time","myfield","mytag1","mytag2"],"values":[[1488327378,33.1,null,null],[1488327438,12.4,"12","14"]]}]},{"statement_id":1,"series":[{"name":"mymeas","columns":["time","mean"],"values":[[0,22.75]]}]}]}\n')],
  [`curl -H "Accept: application/csv" -G 'https://<Domain name>:3242/query?db=mydb&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas"'`, (said) => assert.equal(said, "name,tags,time,myfield,mytag1,mytag2\nmymeas,,1488327378000000000,33.1,,\nmymeas,,1488327438000000000,12.4,12,14\n")],
  [`curl -F "q=@queries.txt" -F "async=true" 'https://<Domain name>:3242/query?u=<Username>&p=<Password>'`, (said) => assert.equal(said, "")],
  [`curl -G 'https://<Domain name>:3242/query?db=mydb&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas" WHERE "mytag1" = $tag_value' --data-urlencode 'params={"tag_value":"12"}'`, (said) => assert.equal(said, SECOND)],
  [`curl -G 'https://<Domain name>:3242/query?db=mydb&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas" WHERE "mytag1" = $tag_value AND  "myfield" < $field_value' --data-urlencode 'params={"tag_value":"12","field_value":30}'`, (said) => assert.equal(said, SECOND)],
  [`curl -i -G 'https://<Domain name>:3242/query?db=mydb1&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT * FROM "mymeas"'`, (said) => assert.match(said, /^HTTP\/1.1 200 OK[^]*transfer-encoding: chunked[^]*\{"results":\[\{"statement_id":0,"error":"database not found: mydb1"\}\]\}\n$/i)],
  [`curl -i -G 'https://<Domain name>:3242/query?db=mydb&u=<Username>&p=<Password>' --data-urlencode 'q=SELECT *'`, (said) => assert.match(said, /^HTTP\/1.1 400 Bad Request[^]*content-length: 76[^]*\{"error":"error parsing query: found EOF, expected FROM at line 1, char 9"\}\n$/i)],
  [`curl -i  -XPOST 'https://<Domain name>:3242/query?u=myusername&p=notmypassword' --data-urlencode 'q=CREATE DATABASE "mydb"'`, (said) => assert.match(said, /^HTTP\/1.1 401 Unauthorized[^]*www-authenticate: Basic realm="InfluxDB"[^]*content-length: 33[^]*\{"error":"authorization failed"\}\n$/i)],
  [`curl -sl -I 'https://<Domain name>:3242/ping?u=<Username>&p=<Password>'`, (said) => assert.match(said, /^HTTP\/1.1 204 No Content[^]*x-influxdb-build: OSS/i)],
  [`curl -XPOST 'https://<Domain name>:3242/query?db=mydb&u=<Username>&p=<Password>' --data-urlencode 'q=CREATE DATABASE "mydb"'`, (said) => assert.equal(said, '{"results":[{"statement_id":0}]}\n')],
];

const WRITES = [
  [204, `curl -i -XPOST "https://<Domain name>:3242/write?db=mydb&precision=s&u=<Username>&p=<Password>" --data-binary 'mymeas,mytag=1 myfield=90 1463683075'`],
  [204, `curl -i -XPOST "https://<Domain name>:3242/write?db=mydb&rp=myrp&u=<Username>&p=<Password>" --data-binary 'mymeas,mytag=1 myfield=90'`],
  [204, `curl -i -XPOST "https://<Domain name>:3242/write?db=mydb&u=myusername&p=mypassword" --data-binary 'mymeas,mytag=1 myfield=91'`],
  [401, `curl -i -XPOST "https://<Domain name>:3242/write?db=mydb&u=myusername&p=notmypassword" --data-binary 'mymeas,mytag=1 myfield=91'`],
  [204, `curl -i -XPOST -u myusername:mypassword "https://<Domain name>:3242/write?db=mydb" --data-binary 'mymeas,mytag=1 myfield=91'`],
  [401, `curl -i -XPOST -u myusername:notmypassword "https://<Domain name>:3242/write?db=mydb" --data-binary 'mymeas,mytag=1 myfield=91'`],
  [204, `curl -i -XPOST "https://<Domain name>:3242/write?db=mydb&u=<Username>&p=<Password>" --data-binary 'mymeas,mytag=3 myfield=89 1463689152000000000\nmymeas,mytag=2 myfield=34 1463689152000000000'`],
  [204, `curl -i -XPOST "https://<Domain name>:3242/write?db=mydb&u=<Username>&p=<Password>" --data-binary @data.txt`],
];

test("what is asked is answered as printed", async () => {
  for (const [line, check] of LINES) check(await shell(line));
});

test("what is written is taken or refused as printed", async () => {
  for (const [status, line] of WRITES) {
    const said = await shell(line);
    assert.match(said, new RegExp(`^HTTP/1.1 ${status} `), line);
    if (status === 401) assert.match(said, /\{"error":"authorization failed"\}\n$/);
  }
});
