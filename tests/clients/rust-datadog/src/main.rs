//! Datadog's own Rust client, `datadog-api-client`, against this server: the example of the API's documentation with only
//! the address changed, then what is submitted is asked for.
//!
//! ```text
//! isopoint-client-datadog http://127.0.0.1:8086      with DD_API_KEY and DD_APP_KEY; prints "ok"
//! ```

use datadog_api_client::datadog::{self, Configuration};
use datadog_api_client::datadogV1::api_authentication::AuthenticationAPI;
use datadog_api_client::datadogV1::api_metrics::{
    ListActiveMetricsOptionalParams, MetricsAPI, SubmitDistributionPointsOptionalParams, SubmitMetricsOptionalParams,
};
use datadog_api_client::datadogV1::model::{
    DistributionPointItem, DistributionPointsPayload, DistributionPointsSeries, MetricMetadata, MetricsPayload,
    MetricsQueryMetadata, Series,
};
use datadog_api_client::{datadogV2, datadogV2::model as v2};
use std::time::{SystemTime, UNIX_EPOCH};

/// As `Configuration::new()`, but for the address.
fn configuration(address: &str) -> Configuration {
    let mut configuration = datadog::Configuration::new();
    configuration.server_index = 1;
    for (name, value) in [("protocol", "http"), ("name", address)] {
        configuration.server_variables.insert(name.to_owned(), value.to_owned());
    }
    configuration
}

/// Non-null values of a series.
fn values(series: &MetricsQueryMetadata) -> Vec<f64> {
    series.pointlist.iter().flatten().filter_map(|point| point[1]).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("the server's address as an argument");
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs() as i64 / 60 * 60;

    // The documentation's example asks for a day of 2021.
    let api = MetricsAPI::with_config(configuration(address));
    let idle = Series::new("system.cpu.idle".to_owned(), vec![vec![Some(1_636_600_000.0), Some(98.5)]]);
    submit(&api, vec![idle]).await;
    let resp = api.query_metrics(1636542671, 1636629071, "system.cpu.idle{*}".to_string()).await;
    if let Ok(value) = &resp {
        println!("{value:#?}");
    }
    let answer = resp.expect("the example's answer");
    let series = answer.series.expect("its series");
    assert_eq!((answer.status.as_deref(), answer.res_type.as_deref()), (Some("ok"), Some("time_series")));
    assert_eq!((answer.from_date, answer.to_date), (Some(1_636_542_671_000), Some(1_636_629_071_000)));
    assert_eq!((series.len(), series[0].aggr.clone(), series[0].interval), (1, Some(None), Some(300)));
    assert_eq!((series[0].metric.as_deref(), values(&series[0])), (Some("system.cpu.idle"), vec![98.5]));

    metrics(address, &api, now).await;
    newer(address, &api, now).await;
    refused(address, &api, now).await;
    println!("ok");
}

async fn submit(api: &MetricsAPI, series: Vec<Series>) {
    let payload = MetricsPayload::new(series);
    let accepted = api.submit_metrics(payload, SubmitMetricsOptionalParams::default()).await.expect("accepted points");
    assert_eq!(accepted.status.as_deref(), Some("ok"));
}

/// The endpoints of version 1.
async fn metrics(address: &str, api: &MetricsAPI, now: i64) {
    let valid = AuthenticationAPI::with_config(configuration(address)).validate().await.expect("a valid key");
    assert_eq!(valid.valid, Some(true));
    let series = [("a", 1.5), ("b", 2.5)].map(|(host, load)| {
        let points = [(now - 120, load), (now - 60, load + 1.0)].map(|(at, value)| vec![Some(at as f64), Some(value)]);
        Series::new("rust.load".to_owned(), points.to_vec())
            .tags(vec!["env:test".to_owned()])
            .host(host.to_owned())
            .type_("gauge".to_owned())
    });
    submit(api, series.to_vec()).await;
    let query = "sum:rust.load{env:test} by {host}.rollup(avg, 60)";
    let answer = api.query_metrics(now - 600, now, query.to_owned()).await.expect("an answer");
    let series = answer.series.expect("its series");
    let found: Vec<_> = series.iter().map(|one| (one.scope.as_deref().unwrap_or(""), values(one))).collect();
    assert_eq!(found, [("env:test,host:a", vec![1.5, 2.5]), ("env:test,host:b", vec![2.5, 3.5])]);
    assert_eq!((series[0].start, series[0].end), (Some((now - 120) * 1000), Some(now * 1000 - 1000)));
    assert_eq!((series[0].length, series[0].interval), (Some(2), Some(60)));
    assert_eq!(series[0].tag_set, Some(vec!["host:a".to_owned()]));

    let wanted = MetricMetadata::new().unit("byte".to_owned()).per_unit("second".to_owned());
    api.update_metric_metadata("rust.load".to_owned(), wanted).await.expect("kept metadata");
    let known = api.get_metric_metadata("rust.load".to_owned()).await.expect("the metadata");
    assert_eq!((known.unit.as_deref(), known.per_unit.as_deref()), (Some("byte"), Some("second")));
    let answer = api.query_metrics(now - 600, now, "avg:rust.load{*}".to_owned()).await.expect("an answer");
    let units = answer.series.expect("its series")[0].unit.clone().expect("two units");
    let names: Vec<_> = units.iter().map(|unit| unit.as_ref().and_then(|unit| unit.name.as_deref())).collect();
    assert_eq!(names, [Some("byte"), Some("second")]);
    let active = api.list_active_metrics(now - 600, ListActiveMetricsOptionalParams::default()).await.expect("a list");
    assert!(active.metrics.expect("names").contains(&"rust.load".to_owned()));
    let found = api.list_metrics("rust.lo".to_owned()).await.expect("what is found");
    assert_eq!(found.results.and_then(|results| results.metrics), Some(vec!["rust.load".to_owned()]));

    let spread = [
        DistributionPointItem::DistributionPointTimestamp((now - 60) as f64),
        DistributionPointItem::DistributionPointData(vec![1.0, 2.0, 3.0]),
    ];
    let spread = DistributionPointsSeries::new("rust.spread".to_owned(), vec![spread.to_vec()]);
    let payload = DistributionPointsPayload::new(vec![spread]);
    let options = SubmitDistributionPointsOptionalParams::default();
    api.submit_distribution_points(payload, options).await.expect("accepted values");
    let answer = api.query_metrics(now - 600, now, "p50:rust.spread{*}".to_owned()).await.expect("an answer");
    assert_eq!(values(&answer.series.expect("its series")[0]), [2.0]);
}

/// The endpoints of version 2, with every encoding that the client has.
async fn newer(address: &str, api: &MetricsAPI, now: i64) {
    use datadogV2::api_metrics as v2_api;
    let metrics = v2_api::MetricsAPI::with_config(configuration(address));
    let encodings =
        [v2::MetricContentEncoding::DEFLATE, v2::MetricContentEncoding::GZIP, v2::MetricContentEncoding::ZSTD1];
    for encoding in encodings {
        let series =
            v2::MetricSeries::new("rust.hits".to_owned(), vec![v2::MetricPoint::new().timestamp(now - 60).value(7.0)])
                .type_(v2::MetricIntakeType::COUNT)
                .interval(10)
                .tags(vec![format!("encoding:{encoding:?}")])
                .resources(vec![v2::MetricResource::new().name("c".to_owned()).type_("host".to_owned())]);
        let options = v2_api::SubmitMetricsOptionalParams::default().content_encoding(encoding);
        let accepted = metrics.submit_metrics(v2::MetricPayload::new(vec![series]), options).await;
        assert_eq!(accepted.expect("accepted points").errors, Some(Vec::new()));
    }
    let query = "sum:rust.hits{host:c}.as_count()";
    let answer = api.query_metrics(now - 600, now, query.to_owned()).await.expect("an answer");
    assert_eq!(values(&answer.series.expect("its series")[0]), [21.0]);

    let query = "avg:rust.load{*} by {host}".to_owned();
    let limit = v2::FormulaLimit::new().count(1).order(v2::QuerySortOrder::DESC);
    let formula = v2::QueryFormula::new("a * 2".to_owned()).limit(limit);
    let one = v2::MetricsTimeseriesQuery::new(v2::MetricsDataSource::METRICS, query.clone()).name("a".to_owned());
    let attributes = v2::TimeseriesFormulaRequestAttributes::new(
        (now - 600) * 1000,
        vec![v2::TimeseriesQuery::MetricsTimeseriesQuery(Box::new(one))],
        now * 1000,
    )
    .formulas(vec![formula])
    .interval(60_000);
    let kind = v2::TimeseriesFormulaRequestType::TIMESERIES_REQUEST;
    let request = v2::TimeseriesFormulaQueryRequest::new(v2::TimeseriesFormulaRequest::new(attributes, kind));
    let answer = metrics.query_timeseries_data(request).await.expect("an answer");
    let attributes = answer.data.and_then(|data| data.attributes).expect("its attributes");
    let groups = attributes.series.expect("its series").into_iter().map(|series| series.group_tags);
    assert_eq!(groups.collect::<Vec<_>>(), [Some(vec!["host:b".to_owned()])]);
    assert_eq!(attributes.times, Some(vec![(now - 120) * 1000, (now - 60) * 1000]));
    assert_eq!(attributes.values, Some(vec![vec![Some(5.0), Some(7.0)]]));

    let kind = (v2::MetricsAggregator::MAX, v2::MetricsDataSource::METRICS);
    let one = v2::MetricsScalarQuery::new(kind.0, kind.1, query).name("a".to_owned());
    let attributes = v2::ScalarFormulaRequestAttributes::new(
        (now - 600) * 1000,
        vec![v2::ScalarQuery::MetricsScalarQuery(Box::new(one))],
        now * 1000,
    );
    let kind = v2::ScalarFormulaRequestType::SCALAR_REQUEST;
    let request = v2::ScalarFormulaQueryRequest::new(v2::ScalarFormulaRequest::new(attributes, kind));
    let answer = metrics.query_scalar_data(request).await.expect("an answer");
    let columns = answer.data.and_then(|data| data.attributes).and_then(|all| all.columns).expect("its columns");
    let [v2::ScalarColumn::GroupScalarColumn(hosts), v2::ScalarColumn::DataScalarColumn(loads)] = &columns[..] else {
        panic!("a column of groups and one of numbers: {columns:#?}");
    };
    assert_eq!(hosts.values, Some(vec![vec!["a".to_owned()], vec!["b".to_owned()]]));
    assert_eq!(loads.values, Some(vec![Some(2.5), Some(3.5)]));
}

/// Errors come as the client's own type of them.
async fn refused(address: &str, api: &MetricsAPI, now: i64) {
    match api.query_metrics(now - 600, now, "avg:rust.load".to_owned()).await {
        Err(datadog::Error::ResponseError(error)) => {
            assert_eq!(error.status.as_u16(), 400);
            assert!(error.content.contains("scope_expr"), "{}", error.content);
            assert!(error.entity.is_some(), "{}", error.content);
        }
        other => panic!("a query without scope is refused: {other:#?}"),
    }
    let mut without = configuration(address);
    for key in ["apiKeyAuth", "appKeyAuth"] {
        without.set_auth_key(key, datadog::APIKey { key: String::new(), prefix: String::new() });
    }
    let api = MetricsAPI::with_config(without);
    match api.query_metrics(now - 600, now, "avg:rust.load{*}".to_owned()).await {
        Err(datadog::Error::ResponseError(error)) => assert_eq!(error.status.as_u16(), 403),
        other => panic!("keys are needed: {other:#?}"),
    }
}
