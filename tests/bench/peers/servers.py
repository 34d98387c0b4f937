"""What is measured: our server, two servers beside it, two engines in processes of their own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import queries

HERE = Path(__file__).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bytes_below(folder, ends=""):
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file() and file.name.endswith(ends))


class Process:
    """A child and what it costs."""

    def __init__(self, command, **more):
        self.child = subprocess.Popen([str(word) for word in command], **more)

    def cpu_secs(self):
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self):
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()


class Connection:
    """One kept HTTP connection, thin enough that what is measured is the server."""

    def __init__(self, port):
        self.port = port
        self.open()

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, method, path, parameters=None, body=b"", headers=""):
        """(status, seconds, body): seconds until the last byte is here."""
        try:
            return self.talk(method, path, parameters, body, headers)
        except ConnectionError:
            # A server may close a connection between two requests.
            self.open()
            return self.talk(method, path, parameters, body, headers)

    def talk(self, method, path, parameters, body, headers):
        target = path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode()
        began = time.perf_counter()
        self.socket.sendall(head + body)
        start = b""
        while b"\r\n\r\n" not in start:
            more = self.socket.recv(1 << 20)
            if not more:
                raise ConnectionError("the server hung up")
            start += more
        head, rest = start.split(b"\r\n\r\n", 1)
        lines = head.decode("latin1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        found = dict(line.lower().split(": ", 1) for line in lines[1:])
        if status == 204:
            return status, time.perf_counter() - began, b""
        if "content-length" in found:
            parts, left = [rest], int(found["content-length"]) - len(rest)
            while left > 0:
                parts.append(self.socket.recv(min(left, 1 << 20)))
                left -= len(parts[-1])
            return status, time.perf_counter() - began, b"".join(parts)
        parts, tail = [rest], rest
        while not tail.endswith(b"\r\n0\r\n\r\n") and tail != b"0\r\n\r\n":
            part = self.socket.recv(1 << 20)
            if not part:
                raise ConnectionError("the server hung up")
            parts.append(part)
            tail = (tail + part)[-8:]
        secs = time.perf_counter() - began
        return status, secs, unchunked(b"".join(parts))


def unchunked(raw):
    parts, at = [], 0
    while True:
        end = raw.index(b"\r\n", at)
        size = int(raw[at:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(raw[end + 2:end + 2 + size])
        at = end + 4 + size


class Server:
    """What the servers share."""

    crashes = True

    def __init__(self, folder):
        self.folder = Path(folder) / self.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.start()

    def start(self):
        """Starts the process and waits until it answers; gives the seconds that took."""
        began = time.perf_counter()
        self.process = Process(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=open(self.folder / "log", "a"), env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "TZ": "UTC"})
        while True:
            try:
                self.connection = Connection(self.port)
                status, _, _ = self.connection.send("GET", self.health)
                if status in (200, 204):
                    return time.perf_counter() - began
            except OSError:
                if self.process.child.poll() is not None:
                    raise RuntimeError(f"{self.name} ended at once; see {self.folder / 'log'}")
            time.sleep(0.001)

    def load(self, lines, csv):
        secs = 0
        for body in lines:
            status, took, said = self.connection.send("POST", *self.write, body=body)
            if status != 204:
                raise RuntimeError(f"{self.name}: {status} {said[:200]}")
            secs += took
        return secs

    def stop(self):
        self.process.stop()


class Influx(Server):
    """The two that speak InfluxQL."""

    health = "/ping"
    write = ("/write", {"db": "tsbs"})

    def create(self):
        self.connection.send("POST", "/query", {"q": "CREATE DATABASE tsbs"})

    def measure(self, query):
        parameters = {"db": "tsbs", "q": queries.influxql(query), "epoch": "s"}
        headers = "Accept: application/csv\r\n" if query.kind == "raw" else ""
        if query.kind == "raw":
            parameters["chunked"] = "true"
        status, secs, self.said = self.connection.send("GET", "/query", parameters, headers=headers)
        assert status == 200, self.said[:300]
        return secs

    def answer(self, query):
        self.measure(query)
        if query.kind == "raw":
            return {"lines": sum(line[:3] == b"cpu" for line in self.said.split(b"\n"))}
        return queries.from_influxql(query, json.loads(self.said)["results"][0].get("series", []))

    def points(self):
        _, _, said = self.connection.send("GET", "/query", {"db": "tsbs", "q": "SELECT count(usage_user) FROM cpu"})
        series = json.loads(said)["results"][0].get("series")
        return series[0]["values"][0][1] if series else 0


class Isopoint(Influx):
    name = "isopoint"

    def command(self):
        return [os.environ["ISOPOINT_SERVER"], "serve", "--no-self-metrics", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder / "data"]

    def disk(self):
        return bytes_below(self.folder / "data", ".blk")

    def flush(self):
        """A graceful stop writes what is in memory to files."""
        self.process.stop()
        self.start()

    def settle(self):
        time.sleep(5)


class InfluxDb(Influx):
    name = "InfluxDB"

    def command(self):
        self.rpc = getattr(self, "rpc", None) or free_port()
        root = self.folder
        (root / "conf").write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{self.rpc}"
[meta]
  dir = "{root}/meta"
  logging-enabled = false
[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
  query-log-enabled = false
  cache-snapshot-write-cold-duration = "5s"
  compact-full-write-cold-duration = "15s"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
  max-row-limit = 0
  max-body-size = 0
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[logging]
  level = "error"
""")
        return [shutil.which("influxd") or "influxd", "run", "-config", root / "conf"]

    def disk(self):
        return bytes_below(self.folder / "data", ".tsm")

    def flush(self):
        time.sleep(10)

    def settle(self):
        time.sleep(25)


class VictoriaMetrics(Server):
    name = "VictoriaMetrics"
    health = "/health"
    write = ("/write", {})

    def command(self):
        return [shutil.which("victoria-metrics") or "victoria-metrics", f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={self.folder / 'data'}",
                "-retentionPeriod=100y", "-search.maxUniqueTimeseries=10000000", "-search.maxPointsPerTimeseries=10000000",
                "-search.maxQueryDuration=300s", "-search.maxSamplesPerQuery=1000000000", "-loggerLevel=ERROR", "-search.logSlowQueryDuration=0"]

    def create(self):
        pass

    def measure(self, query):
        path, parameters = queries.metricsql(query)
        status, secs, self.said = self.connection.send("GET", path, parameters)
        assert status == 200, self.said[:300]
        return secs

    def answer(self, query):
        self.measure(query)
        if query.kind == "raw":
            return {"lines": self.said.count(b"\n") // len(query.fields)}
        return queries.from_metricsql(query, json.loads(self.said)["data"]["result"])

    def points(self):
        _, _, said = self.connection.send("GET", "/api/v1/query", {
            "query": "sum(count_over_time(cpu_usage_user[25h]))", "time": queries.START + queries.DAY, "nocache": "1"})
        result = json.loads(said)["data"]["result"]
        return int(result[0]["value"][1]) if result else 0

    def disk(self):
        return bytes_below(self.folder / "data/data")

    def flush(self):
        self.connection.send("GET", "/internal/force_flush")
        time.sleep(1)

    def settle(self):
        self.connection.send("GET", "/internal/force_merge")
        time.sleep(5)


class Embedded:
    """An engine in a Python process of its own; its times are taken in there, around the engine's call alone."""

    crashes = False

    def __init__(self, folder):
        self.folder = Path(folder) / self.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.process = Process([sys.executable, HERE / "embedded.py", self.name, self.folder], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"})
        if self.process.child.stdout.readline() != '"ready"\n':
            raise RuntimeError(f"{self.name} does not start")

    def ask(self, *what):
        self.process.child.stdin.write(json.dumps(what) + "\n")
        self.process.child.stdin.flush()
        line = self.process.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended at {what}")
        return json.loads(line)

    def create(self):
        pass

    def load(self, lines, csv):
        return self.ask("load", str(csv))[0] / 1e3

    def flush(self):
        pass

    def settle(self):
        self.ask("settle")

    def measure(self, query):
        text = queries.sql(query, self.name == "DuckDB")
        if query.kind == "raw":
            return self.ask("export", text, str(self.folder / "export.csv"))[0] / 1e3
        return self.ask("run", text)[0] / 1e3

    def answer(self, query):
        if query.kind == "raw":
            self.measure(query)
            with open(self.folder / "export.csv", "rb") as file:
                return {"lines": sum(line[:4] != b"host" or line[4:5] == b"_" for line in file)}
        _, (names, rows) = self.ask("rows", queries.sql(query, self.name == "DuckDB"))
        return queries.from_sql(query, names, rows)

    def points(self):
        return self.ask("rows", "SELECT count(*) FROM cpu")[1][1][0][0]

    def stop(self):
        self.process.stop()


class DuckDb(Embedded):
    name = "DuckDB"

    def disk(self):
        return bytes_below(self.folder, "cpu.duckdb")


class ChDb(Embedded):
    name = "chDB"

    def disk(self):
        text = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'cpu'"
        return int(self.ask("rows", text)[1][1][0][0])


ALL = [Isopoint, InfluxDb, VictoriaMetrics, DuckDb, ChDb]
