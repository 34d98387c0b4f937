"""Datadog's own Python clients: `datadog-api-client`, and `datadog` with ThreadStats and the emitter of DogStatsD."""

import sys
import time
from datetime import datetime, timedelta

from datadog import DogStatsd, ThreadStats, api, initialize
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException, ForbiddenException
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v1.api.events_api import EventsApi
from datadog_api_client.v1.api.metrics_api import MetricsApi as MetricsV1
from datadog_api_client.v1.api.service_checks_api import ServiceChecksApi
from datadog_api_client.v1.api.tags_api import TagsApi
from datadog_api_client.v1.model.distribution_point import DistributionPoint
from datadog_api_client.v1.model.distribution_points_payload import DistributionPointsPayload
from datadog_api_client.v1.model.distribution_points_series import DistributionPointsSeries
from datadog_api_client.v1.model.event_create_request import EventCreateRequest
from datadog_api_client.v1.model.metric_metadata import MetricMetadata
from datadog_api_client.v1.model.metrics_payload import MetricsPayload
from datadog_api_client.v1.model.point import Point
from datadog_api_client.v1.model.series import Series
from datadog_api_client.v1.model.service_check import ServiceCheck
from datadog_api_client.v1.model.service_check_status import ServiceCheckStatus
from datadog_api_client.v1.model.service_checks import ServiceChecks
from datadog_api_client.v2.api.metrics_api import MetricsApi as MetricsV2
from datadog_api_client.v2.model.formula_limit import FormulaLimit
from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding
from datadog_api_client.v2.model.metric_intake_type import MetricIntakeType
from datadog_api_client.v2.model.metric_payload import MetricPayload
from datadog_api_client.v2.model.metric_point import MetricPoint
from datadog_api_client.v2.model.metric_resource import MetricResource
from datadog_api_client.v2.model.metric_series import MetricSeries
from datadog_api_client.v2.model.metrics_aggregator import MetricsAggregator
from datadog_api_client.v2.model.metrics_data_source import MetricsDataSource
from datadog_api_client.v2.model.metrics_scalar_query import MetricsScalarQuery
from datadog_api_client.v2.model.metrics_timeseries_query import MetricsTimeseriesQuery
from datadog_api_client.v2.model.query_formula import QueryFormula
from datadog_api_client.v2.model.query_sort_order import QuerySortOrder
from datadog_api_client.v2.model.scalar_formula_query_request import ScalarFormulaQueryRequest
from datadog_api_client.v2.model.scalar_formula_request import ScalarFormulaRequest
from datadog_api_client.v2.model.scalar_formula_request_attributes import ScalarFormulaRequestAttributes
from datadog_api_client.v2.model.scalar_formula_request_queries import ScalarFormulaRequestQueries
from datadog_api_client.v2.model.scalar_formula_request_type import ScalarFormulaRequestType
from datadog_api_client.v2.model.timeseries_formula_query_request import TimeseriesFormulaQueryRequest
from datadog_api_client.v2.model.timeseries_formula_request import TimeseriesFormulaRequest
from datadog_api_client.v2.model.timeseries_formula_request_attributes import TimeseriesFormulaRequestAttributes
from datadog_api_client.v2.model.timeseries_formula_request_queries import TimeseriesFormulaRequestQueries
from datadog_api_client.v2.model.timeseries_formula_request_type import TimeseriesFormulaRequestType

url, statsd_port = sys.argv[1], int(sys.argv[2])
NOW = int(time.time()) // 60 * 60


def check(found, expected):
    assert found == expected, f"{found!r}, expected {expected!r}"


def plain(model):
    """Lists and scalars out of the client's models of them."""
    value = getattr(model, "value", model)
    return [plain(one) for one in value] if isinstance(value, list) else value


def values(series):
    return [point.value[1] for point in series.pointlist]


def generated():
    configuration = Configuration(host=url)
    configuration.api_key["apiKeyAuth"] = "an-api-key"
    configuration.api_key["appKeyAuth"] = "an-application-key"
    with ApiClient(configuration) as client:
        check(AuthenticationApi(client).validate().valid, True)
        v1, v2 = MetricsV1(client), MetricsV2(client)
        for host, load in (("a", 1.5), ("b", 2.5)):
            series = Series(
                metric="py.load",
                type="gauge",
                points=[Point([NOW - 120, load]), Point([NOW - 60, load + 1])],
                tags=["env:test"],
                host=host,
            )
            check(v1.submit_metrics(body=MetricsPayload(series=[series])).status, "ok")
        # The example of the documentation, its metric apart.
        answer = v1.query_metrics(
            _from=int((datetime.now() + timedelta(days=-1)).timestamp()),
            to=int(datetime.now().timestamp()),
            query="avg:py.load{*}",
        )
        check((answer.status, answer.res_type, len(answer.series)), ("ok", "time_series", 1))
        answer = v1.query_metrics(_from=NOW - 600, to=NOW, query="sum:py.load{env:test} by {host}.rollup(avg, 60)")
        check([series.scope for series in answer.series], ["env:test,host:a", "env:test,host:b"])
        check([values(series) for series in answer.series], [[1.5, 2.5], [2.5, 3.5]])
        first = answer.series[0]
        check((first.interval, first.length, first.aggr, first.metric), (60, 2, "sum", "py.load"))
        check((first.start, first.end, first.tag_set), ((NOW - 120) * 1000, NOW * 1000 - 1000, ["host:a"]))

        v1.update_metric_metadata("py.load", body=MetricMetadata(unit="byte", per_unit="second", description="words"))
        known = v1.get_metric_metadata("py.load")
        check((known.type, known.unit, known.per_unit, known.description), ("gauge", "byte", "second", "words"))
        series = v1.query_metrics(_from=NOW - 600, to=NOW, query="avg:py.load{*}").series[0]
        check([unit.name for unit in series.unit], ["byte", "second"])
        check("py.load" in v1.list_active_metrics(_from=NOW - 600).metrics, True)
        check(v1.list_metrics(q="py.lo").results.metrics, ["py.load"])

        points = [DistributionPoint([float(NOW - 60), [1.0, 2.0, 3.0]])]
        payload = DistributionPointsPayload(series=[DistributionPointsSeries(metric="py.dist", points=points)])
        v1.submit_distribution_points(body=payload)
        check(values(v1.query_metrics(_from=NOW - 600, to=NOW, query="p50:py.dist{*}").series[0]), [2.0])

        status = ServiceCheck(check="up", host_name="a", status=ServiceCheckStatus.OK, tags=["env:test"])
        check(ServiceChecksApi(client).submit_service_check(body=ServiceChecks([status])).status, "ok")
        EventsApi(client).create_event(body=EventCreateRequest(title="t", text="x"))
        check(sorted(TagsApi(client).list_host_tags().tags["env:test"]), ["a", "b"])

        # Every encoding that the client has.
        for encoding in (None, MetricContentEncoding.DEFLATE, MetricContentEncoding.GZIP, MetricContentEncoding.ZSTD1):
            payload = MetricPayload(
                series=[
                    MetricSeries(
                        metric="py.v2",
                        type=MetricIntakeType.COUNT,
                        interval=10,
                        points=[MetricPoint(timestamp=NOW - 60, value=7.0)],
                        resources=[MetricResource(name="c", type="host")],
                        tags=[f"encoding:{encoding}"],
                    )
                ]
            )
            more = {} if encoding is None else {"content_encoding": encoding}
            check(v2.submit_metrics(body=payload, **more).errors, [])
        answer = v1.query_metrics(_from=NOW - 600, to=NOW, query="sum:py.v2{host:c}.as_count()")
        check(values(answer.series[0]), [28.0])

        body = TimeseriesFormulaQueryRequest(
            data=TimeseriesFormulaRequest(
                type=TimeseriesFormulaRequestType.TIMESERIES_REQUEST,
                attributes=TimeseriesFormulaRequestAttributes(
                    _from=(NOW - 600) * 1000,
                    to=NOW * 1000,
                    interval=60_000,
                    formulas=[
                        QueryFormula(formula="a * 2", limit=FormulaLimit(count=1, order=QuerySortOrder.DESC)),
                    ],
                    queries=TimeseriesFormulaRequestQueries(
                        [
                            MetricsTimeseriesQuery(
                                data_source=MetricsDataSource.METRICS, query="avg:py.load{*} by {host}", name="a"
                            )
                        ]
                    ),
                ),
            )
        )
        attributes = v2.query_timeseries_data(body=body).data.attributes
        check([plain(one.group_tags) for one in attributes.series.value], [["host:b"]])
        check(plain(attributes.values), [[5.0, 7.0]])
        check(plain(attributes.times), [(NOW - 120) * 1000, (NOW - 60) * 1000])

        body = ScalarFormulaQueryRequest(
            data=ScalarFormulaRequest(
                type=ScalarFormulaRequestType.SCALAR_REQUEST,
                attributes=ScalarFormulaRequestAttributes(
                    _from=(NOW - 600) * 1000,
                    to=NOW * 1000,
                    queries=ScalarFormulaRequestQueries(
                        [
                            MetricsScalarQuery(
                                aggregator=MetricsAggregator.MAX,
                                data_source=MetricsDataSource.METRICS,
                                query="avg:py.load{*} by {host}",
                                name="a",
                            ),
                            MetricsScalarQuery(
                                aggregator=MetricsAggregator.MIN,
                                data_source=MetricsDataSource.METRICS,
                                query="avg:py.load{*} by {host}",
                                name="b",
                            ),
                        ]
                    ),
                ),
            )
        )
        columns = v2.query_scalar_data(body=body).data.attributes.columns
        found = [(column.name, plain(column.type), plain(column.values)) for column in columns]
        check(found, [("host", "group", [["a"], ["b"]]), ("a", "number", [2.5, 3.5]), ("b", "number", [1.5, 2.5])])
        check(v2.list_tags_by_metric_name("py.load").data.attributes.tags, ["env:test", "host:a", "host:b"])

        for query, part in (("avg:py.load", "scope_expr"), ("frobnicate(avg:py.load{*})", "no function")):
            try:
                v1.query_metrics(_from=NOW - 600, to=NOW, query=query)
            except ApiException as error:
                check((error.status, part in error.body["errors"][0]), (400, True))
            else:
                raise AssertionError(f"{query} is an error")
    configuration.api_key.clear()
    with ApiClient(configuration) as client:
        try:
            MetricsV1(client).query_metrics(_from=NOW - 600, to=NOW, query="avg:py.load{*}")
        except ForbiddenException as error:
            check(error.body["errors"], ["Forbidden"])
        else:
            raise AssertionError("keys are needed")


def older():
    initialize(api_key="an-api-key", app_key="an-application-key", api_host=url, mute=False)
    api.Metric.send(metric="dogpy.a", points=[(NOW - 120, 1), (NOW - 60.5, 2)], host="h", tags=["env:x"], type="gauge")
    api.Metric.send([{"metric": "dogpy.b", "points": 3}, {"metric": "dogpy.c", "points": [(NOW - 60, 4)], "type": "rate"}])
    answer = api.Metric.query(start=NOW - 600, end=NOW, query="avg:dogpy.a{env:x}by{host}.rollup(avg,60)")
    check(answer["status"], "ok")
    check([point[1] for point in answer["series"][0]["pointlist"]], [1.5])
    api.Distribution.send(metric="dogpy.d", points=[(NOW - 60, [1, 2, 3, 4])])
    answer = api.Metric.query(start=NOW - 600, end=NOW, query="count:dogpy.d{*}")
    check(answer["series"][0]["pointlist"][0][1], 4.0)
    api.Metadata.update(metric_name="dogpy.a", type="gauge", unit="byte")
    check(api.Metadata.get(metric_name="dogpy.a")["unit"], "byte")
    check(api.Infrastructure.search(q="metrics:dogpy.a")["results"]["metrics"], ["dogpy.a"])
    check("dogpy.b" in api.Metric.list(NOW - 600)["metrics"], True)
    api.ServiceCheck.check(check="up", host_name="h", status=0)
    api.Event.create(title="t", text="x")

    stats = ThreadStats()
    stats.start(flush_in_thread=False, flush_interval=10, roll_up_interval=10)
    for value in (1, 2, 3):
        stats.increment("threads.hits", 2, timestamp=NOW - 60)
        stats.gauge("threads.size", value, timestamp=NOW - 60, tags=["k:v"])
        stats.histogram("threads.time", value, timestamp=NOW - 60)
    stats.flush(NOW)
    last = lambda query: api.Metric.query(start=NOW - 600, end=NOW, query=query)["series"][0]["pointlist"][-1][1]
    # A rate of six in ten seconds.
    check(last("sum:threads.hits{*}.as_count()"), 6.0)
    check(last("avg:threads.size{k:v}"), 3.0)
    check(last("avg:threads.time.95percentile{*}"), 3.0)


def emitted():
    statsd = DogStatsd(host="127.0.0.1", port=statsd_port, constant_tags=["service:web"])
    for value in (1, 2, 3, 4):
        statsd.gauge("dogstatsd.size", value, tags=["Env:Prod"])
        statsd.increment("dogstatsd.hits", 5)
        statsd.histogram("dogstatsd.time", value)
        statsd.distribution("dogstatsd.spread", value)
        statsd.set("dogstatsd.users", value % 2)
    statsd.event("deployed", "now")
    statsd.service_check("up", DogStatsd.OK)
    statsd.flush()
    initialize(api_key="an-api-key", app_key="an-application-key", api_host=url, mute=False)

    def of(query):
        now = int(time.time())
        series = api.Metric.query(start=now - 600, end=now + 60, query=query)["series"]
        return [point[1] for point in series[0]["pointlist"]] if series else []

    deadline = time.time() + 15
    while not of("sum:dogstatsd.hits{service:web}.as_count()") and time.time() < deadline:
        time.sleep(0.2)
    check(sum(of("sum:dogstatsd.hits{service:web}.as_count()")), 20.0)
    check(of("avg:dogstatsd.size{env:prod}")[-1], 4.0)
    check(sum(of("count:dogstatsd.spread{*}")), 4.0)
    check(of("avg:dogstatsd.users{*}")[-1], 2.0)
    check(of("avg:dogstatsd.time.max{*}")[-1], 4.0)


generated()
older()
emitted()
print("ok")
