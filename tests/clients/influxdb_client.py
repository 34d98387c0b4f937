"""The Python client of InfluxDB 1.x: MessagePack (its default), JSON, chunked answers, users and data frames."""

import sys

import pandas
from influxdb import DataFrameClient, InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

port = int(sys.argv[1])


def check(found, expected):
    assert found == expected, f"{found!r}, expected {expected!r}"


for headers in (None, {"Accept": "application/json"}):
    client = InfluxDBClient("127.0.0.1", port, database="py", headers=headers, gzip=headers is not None)
    assert client.ping().startswith("1.8"), client.ping()
    client.create_database("py")
    check({"name": "py"} in client.get_list_database(), True)
    points = [
        {"measurement": "cpu", "tags": {"host": host}, "time": time, "fields": {"load": load, "n": 3, "ok": True, "s": "a b"}}
        for host, time, load in (("a", "2026-01-01T00:00:00Z", 0.5), ("b", "2026-01-01T00:00:10Z", 1.5))
    ]
    assert client.write_points(points)
    rows = list(client.query("SELECT load, n, ok, s FROM cpu WHERE host = $host", bind_params={"host": "b"}).get_points())
    check(rows, [{"time": "2026-01-01T00:00:10Z", "load": 1.5, "n": 3, "ok": True, "s": "a b"}])
    result = client.query("SELECT mean(load) FROM cpu GROUP BY host", epoch="s")
    check([point["mean"] for point in result.get_points(tags={"host": "a"})], [0.5])
    # The client reads a chunked answer as one document unless it is JSON, whoever sends it.
    if headers is not None:
        chunks = client.query("SELECT load FROM cpu", chunked=True, chunk_size=1)
        check(sum(1 for chunk in chunks for _ in chunk.get_points()), 2)
    try:
        client.query("SELECT FROM cpu")
    except InfluxDBClientError as error:
        check(error.code, 400)
    else:
        raise AssertionError("a parse error is an error")
    client.create_retention_policy("short", "1d", 1, database="py")
    check([policy["name"] for policy in client.get_list_retention_policies("py")], ["autogen", "short"])
    client.create_user("ann", "pw")
    client.grant_privilege("read", "py", "ann")
    check(client.get_list_privileges("ann"), [{"database": "py", "privilege": "READ"}])
    client.drop_user("ann")
    client.drop_database("py")

frames = DataFrameClient("127.0.0.1", port, database="frames")
frames.create_database("frames")
times = pandas.date_range("2026-01-01", periods=5, freq="h", tz="UTC")
frames.write_points(pandas.DataFrame({"v": [1.0, 2.0, 3.0, 4.0, 5.0]}, index=times), "m", tags={"k": "x"})
read = frames.query("SELECT v FROM m")["m"]
check(list(read["v"]), [1.0, 2.0, 3.0, 4.0, 5.0])
check(list(read.index), list(times))
print("ok")
