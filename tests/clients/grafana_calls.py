"""Every data source call of the published Python client (grafana-client) against a server.

    python3 grafana_calls.py http://127.0.0.1:8086 admin admin

The server must know itself by that address. Ends with "ok" or an AssertionError.
"""
import sys
import time
import urllib.parse
import urllib.request

from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError
from grafana_client.model import DatasourceIdentifier, DatasourceModel

base, user, password = sys.argv[1:4]
url = urllib.parse.urlsplit(base)
grafana = GrafanaApi.from_url(f"{url.scheme}://{user}:{password}@{url.netloc}")
grafana.connect()
assert grafana.version.split(".")[0].isdigit(), grafana.version
sources = grafana.datasource
name = f"client-{time.time_ns()}"


def influx(path, **form):
    token = urllib.request.HTTPPasswordMgrWithPriorAuth()
    token.add_password(None, base, user, password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(token))
    return opener.open(base + path, data=urllib.parse.urlencode(form).encode() if form else None).read()


influx("/query", q=f'CREATE DATABASE "{name}"')
model = DatasourceModel(
    name=name, type="influxdb", url=base, access="proxy", database=name, user=user,
    jsonData={"dbName": name, "httpMode": "GET"}, secureJsonData={"password": password})
made = sources.create_datasource(model.asdict())["datasource"]
try:
    assert made["secureJsonFields"] == {"password": True}, made
    assert any(one["uid"] == made["uid"] for one in sources.list_datasources())
    for found in (
        sources.get_datasource_by_id(made["id"]),
        sources.get_datasource_by_uid(made["uid"]),
        sources.get_datasource_by_name(name),
        sources.find_datasource(name),
        sources.get(DatasourceIdentifier(uid=made["uid"])),
    ):
        assert found["id"] == made["id"] and found["type"] == "influxdb", found
    assert sources.get_datasource_id_by_name(name)["id"] == made["id"]

    changed = sources.get_datasource_by_id(made["id"])
    changed["jsonData"]["timeInterval"] = "10s"
    assert sources.update_datasource(made["id"], changed)["datasource"]["version"] == 2
    changed["version"] = 2
    assert sources.update_datasource_by_uid(made["uid"], changed)["datasource"]["version"] == 3
    assert sources.get_datasource_by_uid(made["uid"])["secureJsonFields"] == {"password": True}

    health = sources.health(made["uid"])
    assert health["status"] == "OK", health
    inquiry = sources.health_inquiry(made["uid"])
    assert inquiry.success, inquiry
    through = sources.smartquery(DatasourceIdentifier(uid=made["uid"]), "SHOW DATABASES")
    assert [name] in through["results"][0]["series"][0]["values"], through
finally:
    sources.delete_datasource_by_id(made["id"])
try:
    sources.get_datasource_by_uid(made["uid"])
    raise AssertionError("it is still there")
except GrafanaClientError as error:
    assert error.status_code == 404 and "Data source not found" in str(error), error
for delete, member in ((sources.delete_datasource_by_uid, "uid"), (sources.delete_datasource_by_name, "name")):
    one = sources.create_datasource({"name": name + member, "type": "testdata", "access": "proxy"})["datasource"]
    delete(one[member])
influx("/query", q=f'DROP DATABASE "{name}"')
print("ok")
