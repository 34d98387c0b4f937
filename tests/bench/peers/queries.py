"""The queries, once per language, and what of an answer is compared.

An answer is a dict from (host or "", seconds) to a list of numbers; None where a database says nothing.
"""

import random
from dataclasses import dataclass, field

from data import EVERY, FIELDS, START

DAY = 24 * 3600
INSTANCES = 8


@dataclass
class Query:
    name: str
    kind: str
    fields: list
    hosts: list = field(default_factory=list)
    start: int = START
    end: int = START + DAY
    width: int = 60


def instances(hosts):
    """Query type to its instances: hosts and windows drawn from one seed."""
    found = {}
    draw = random.Random(123)

    def window(hours):
        start = START + draw.randrange(0, DAY - hours * 3600 + 1, 60)
        return start, start + hours * 3600

    def some(count):
        return [f"host_{host}" for host in draw.sample(range(hosts), min(count, hosts))]

    def add(name, make):
        found[name] = [make(name) for _ in range(INSTANCES)]

    for metrics, count, hours in [(1, 1, 1), (1, 1, 12), (1, 8, 1), (5, 1, 1), (5, 1, 12), (5, 8, 1)]:
        add(f"single-groupby-{metrics}-{count}-{hours}",
            lambda name: Query(name, "max", FIELDS[:metrics], some(count), *window(hours)))
    for count in (1, 8):
        add(f"cpu-max-all-{count}", lambda name: Query(name, "max", FIELDS, some(count), *window(8), 3600))
    for name, metrics in (("1", 1), ("5", 5), ("all", 10)):
        add(f"double-groupby-{name}", lambda name: Query(name, "mean-by-host", FIELDS[:metrics], [], *window(12), 3600))
    add("high-cpu-1", lambda name: Query(name, "high", FIELDS, some(1), *window(12)))
    add("high-cpu-all", lambda name: Query(name, "high", FIELDS, [], *window(12)))
    add("lastpoint", lambda name: Query(name, "last", FIELDS))
    add("groupby-orderby-limit", lambda name: Query(name, "newest", FIELDS[:1], [], START, window(12)[1] // 60 * 60))
    add("mean 24h by 1m and host", lambda name: Query(name, "mean-by-host", FIELDS[:1]))
    add("raw export, all values", lambda name: Query(name, "raw", FIELDS))
    return found


# InfluxQL ---------------------------------------------------------------------------------------------------------


def influxql(query):
    where = f"time >= {query.start}s AND time < {query.end}s"
    if query.hosts:
        where += " AND (" + " OR ".join(f"hostname = '{host}'" for host in query.hosts) + ")"

    def calls(function):
        return ", ".join(f"{function}({name})" for name in query.fields)

    by = f"time({query.width}s)"
    match query.kind:
        case "max":
            return f"SELECT {calls('max')} FROM cpu WHERE {where} GROUP BY {by} fill(none)"
        case "mean-by-host":
            return f"SELECT {calls('mean')} FROM cpu WHERE {where} GROUP BY {by}, hostname fill(none)"
        case "high":
            return f"SELECT * FROM cpu WHERE {where} AND usage_user > 90.0"
        case "last":
            return "SELECT * FROM cpu GROUP BY hostname ORDER BY time DESC LIMIT 1"
        case "newest":
            return f"SELECT max(usage_user) FROM cpu WHERE time < {query.end}s GROUP BY {by} ORDER BY time DESC LIMIT 5"
        case "raw":
            return f"SELECT {', '.join(query.fields)} FROM cpu GROUP BY hostname"


def from_influxql(query, series):
    """`series` of an answer in JSON with epoch=s."""
    answer = {}
    for one in series:
        names = one["columns"]
        host_at = names.index("hostname") if "hostname" in names else None
        picked = [names.index(name) for name in query.fields] if query.kind in ("high", "last") else range(1, len(names))
        picked = list(picked)
        tag = one.get("tags", {}).get("hostname", "")
        for row in one["values"]:
            answer[(tag or (row[host_at] if host_at else ""), row[0])] = [row[at] for at in picked]
    return answer


# SQL --------------------------------------------------------------------------------------------------------------


def sql(query, duckdb):
    seconds = (lambda time: f"epoch({time})::BIGINT") if duckdb else (lambda time: f"toUnixTimestamp({time})")
    moment = (lambda secs: f"make_timestamp({secs}000000)") if duckdb else (lambda secs: f"toDateTime({secs}, 'UTC')")
    bucket = f"time_bucket(INTERVAL {query.width} SECOND, time)" if duckdb else f"toStartOfInterval(time, INTERVAL {query.width} SECOND)"
    where = f"time >= {moment(query.start)} AND time < {moment(query.end)}"
    if query.hosts:
        where += " AND hostname IN (" + ", ".join(f"'{host}'" for host in query.hosts) + ")"

    def calls(function):
        return ", ".join(f"{function}({name}) AS m{at}" for at, name in enumerate(query.fields))

    out = ", ".join(f"m{at}" for at in range(len(query.fields)))
    match query.kind:
        case "max":
            return f"SELECT {seconds('t')}, {out} FROM (SELECT {bucket} AS t, {calls('max')} FROM cpu WHERE {where} GROUP BY t ORDER BY t) AS s"
        case "mean-by-host":
            return (f"SELECT hostname, {seconds('t')}, {out} FROM (SELECT hostname, {bucket} AS t, {calls('avg')} FROM cpu WHERE {where} "
                    "GROUP BY hostname, t ORDER BY hostname, t) AS s")
        case "high":
            return f"SELECT * FROM cpu WHERE {where} AND usage_user > 90.0 ORDER BY time, hostname"
        case "last" if duckdb:
            columns = ", ".join(f"arg_max({name}, time)" for name in query.fields)
            return f"SELECT hostname, {seconds('max(time)')}, {columns} FROM cpu GROUP BY hostname ORDER BY hostname"
        case "last":
            return f"SELECT hostname, {seconds('time')} AS t, {', '.join(query.fields)} FROM cpu ORDER BY hostname, time DESC LIMIT 1 BY hostname"
        case "newest":
            return (f"SELECT {seconds('t')}, {out} FROM (SELECT {bucket} AS t, {calls('max')} FROM cpu WHERE time < {moment(query.end)} "
                    "GROUP BY t ORDER BY t DESC LIMIT 5) AS s")
        case "raw":
            return f"SELECT hostname, time, {', '.join(query.fields)} FROM cpu"


def from_sql(query, names, rows):
    answer = {}
    for row in rows:
        row = dict(zip(names, row)) if query.kind == "high" else row
        match query.kind:
            case "high":
                answer[(row["hostname"], row["time"])] = [row[name] for name in query.fields]
            case "max" | "newest":
                answer[("", row[0])] = list(row[1:])
            case _:
                answer[(row[0], row[1])] = list(row[2:])
    return answer


# MetricsQL --------------------------------------------------------------------------------------------------------


def metricsql(query):
    """(path, parameters). A window of VictoriaMetrics is open at its start and closed at its end, hence the shift."""
    names = "|".join(f"cpu_{name}" for name in query.fields)
    selector = f'{{__name__=~"{names}"' if len(query.fields) > 1 else f"cpu_{query.fields[0]}{{"
    comma = "," if len(query.fields) > 1 else ""
    if query.hosts:
        selector += f'{comma}hostname=~"{"|".join(query.hosts)}"'
    selector += "}"
    width = query.width
    first, last = query.start // width * width, (query.end - EVERY) // width * width
    ranged = {"start": first + width - EVERY, "end": last + width - EVERY, "step": f"{width}s", "nocache": "1"}
    match query.kind:
        case "max":
            return "/api/v1/query_range", {"query": f"max(max_over_time({selector}[{width}s])) by (__name__)", **ranged}
        case "mean-by-host":
            return "/api/v1/query_range", {"query": f"avg(avg_over_time({selector}[{width}s])) by (__name__, hostname)", **ranged}
        case "high":
            where = f'{{hostname=~"{"|".join(query.hosts)}"}}' if query.hosts else ""
            text = f"{selector} and on(hostname) (cpu_usage_user{where} > 90)"
            return "/api/v1/query_range", {"query": text, "start": query.start, "end": query.end - EVERY, "step": "10s", "nocache": "1"}
        case "last":
            return "/api/v1/query", {"query": f"last_over_time({selector}[24h])", "time": START + DAY, "nocache": "1"}
        case "newest":
            start = query.end - 4 * width - EVERY
            return "/api/v1/query_range", {"query": f"max(max_over_time({selector}[{width}s])) by (__name__)",
                                           "start": start, "end": query.end - EVERY, "step": f"{width}s", "nocache": "1"}
        case "raw":
            return "/api/v1/export/csv", {"format": "hostname,__timestamp__:unix_s,__name__,__value__", "match[]": selector}


def from_metricsql(query, result):
    answer = {}
    shift = query.width - EVERY if query.kind in ("max", "mean-by-host", "newest") else 0
    order = {f"cpu_{name}": at for at, name in enumerate(query.fields)}
    for one in result:
        host = one["metric"].get("hostname", "") if query.kind not in ("max", "newest") else ""
        at = order[one["metric"]["__name__"]]
        points = one["values"] if "values" in one else [one["value"]]
        for time, value in points:
            time = START + DAY - EVERY if query.kind == "last" else time - shift
            answer.setdefault((host, time), [None] * len(query.fields))[at] = float(value)
    return answer


def inner(query, answer):
    """Without the buckets that the window cuts: MetricsQL has no filter by time apart from its steps."""
    if query.kind not in ("max", "mean-by-host"):
        return answer
    return {key: row for key, row in answer.items() if query.start <= key[1] and key[1] + query.width <= query.end}


def differs(ours, theirs):
    """None if two answers say the same, else how they differ."""
    if set(ours) != set(theirs):
        missing, more = len(set(ours) - set(theirs)), len(set(theirs) - set(ours))
        return f"{missing} rows missing, {more} too many"
    for key, row in ours.items():
        for a, b in zip(row, theirs[key]):
            if a is None or b is None or abs(a - b) > 1e-9 * max(1.0, abs(a)):
                return f"{key}: {a} here, {b} there"
    return None
