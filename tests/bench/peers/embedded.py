"""DuckDB and chDB: a process that loads and queries in itself, told what to do by lines of JSON."""

import json
import sys
import time
from pathlib import Path

from data import FIELDS, TAGS


class DuckDb:
    def __init__(self, folder):
        import duckdb

        self.connection = duckdb.connect(str(Path(folder) / "cpu.duckdb"))
        # Clocks in UTC whatever the machine's zone.
        self.connection.execute("SET TimeZone = 'UTC'")

    def load(self, csv):
        columns = ", ".join(["time TIMESTAMP", *(f"{tag} VARCHAR" for tag in TAGS), *(f"{name} DOUBLE" for name in FIELDS)])
        self.connection.execute(f"CREATE TABLE cpu ({columns})")
        self.connection.execute(f"COPY cpu FROM '{csv}' (HEADER, DELIMITER ',')")

    def settle(self):
        self.connection.execute("CHECKPOINT")

    def run(self, text):
        """As columns: the fastest way out."""
        return self.connection.execute(text).fetchnumpy()

    def export(self, text, file):
        self.connection.execute(f"COPY ({text}) TO '{file}' (FORMAT csv)")

    def rows(self, text):
        done = self.connection.execute(text)
        names = [column[0] for column in done.description]
        return names, [[cell.timestamp() if hasattr(cell, "timestamp") else cell for cell in row] for row in done.fetchall()]


class ChDb:
    def __init__(self, folder):
        from chdb.session import Session

        self.session = Session(str(Path(folder) / "chdb"))
        self.session.query("CREATE DATABASE IF NOT EXISTS tsbs ENGINE = Atomic")
        self.session.query("USE tsbs")

    def load(self, csv):
        gauge = "Float64 CODEC(Gorilla, LZ4)"
        columns = ", ".join(["time DateTime('UTC') CODEC(DoubleDelta, LZ4)", *(f"{tag} LowCardinality(String)" for tag in TAGS), *(f"{name} {gauge}" for name in FIELDS)])
        self.session.query(f"CREATE TABLE cpu ({columns}) ENGINE = MergeTree ORDER BY (hostname, time)")
        types = ", ".join(["time DateTime(''UTC'')", *(f"{tag} String" for tag in TAGS), *(f"{name} Float64" for name in FIELDS)])
        self.session.query(f"INSERT INTO cpu SELECT * FROM file('{csv}', CSVWithNames, '{types}')")

    def settle(self):
        self.session.query("OPTIMIZE TABLE cpu FINAL")

    def run(self, text):
        return self.session.query(text, "Native").bytes()

    def export(self, text, file):
        Path(file).write_bytes(self.session.query(text, "CSV").bytes())

    def rows(self, text):
        from datetime import datetime, timezone

        answer = json.loads(self.session.query(text, "JSONCompact").bytes())
        stamps = [column["type"].startswith("DateTime") for column in answer["meta"]]

        def cell(value, stamp):
            return datetime.fromisoformat(value).replace(tzinfo=timezone.utc).timestamp() if stamp else value

        return [column["name"] for column in answer["meta"]], [[cell(*pair) for pair in zip(row, stamps)] for row in answer["data"]]


def main():
    engine = {"DuckDB": DuckDb, "chDB": ChDb}[sys.argv[1]](sys.argv[2])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        began = time.perf_counter()
        said = getattr(engine, what)(*arguments)
        millis = (time.perf_counter() - began) * 1e3
        print(json.dumps([millis, said if what == "rows" else None]), flush=True)


if __name__ == "__main__":
    main()
