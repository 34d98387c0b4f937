//! The types of data sources: other names, what they are called, which need an address.

/// What answers for a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    TestData,
    Influx,
    Prometheus,
    Graphite,
}

struct Plugin {
    id: &'static str,
    alias: &'static str,
    name: &'static str,
    logo: &'static str,
    backend: Option<Backend>,
    /// An update must have an address.
    needs_url: bool,
}

const fn stored(id: &'static str, alias: &'static str, name: &'static str, needs_url: bool) -> Plugin {
    Plugin { id, alias, name, logo: "", backend: None, needs_url }
}

const PLUGINS: &[Plugin] = &[
    Plugin {
        id: "grafana-testdata-datasource",
        alias: "testdata",
        name: "TestData",
        logo: "public/plugins/grafana-testdata-datasource/img/testdata.svg",
        backend: Some(Backend::TestData),
        needs_url: false,
    },
    Plugin {
        id: "influxdb",
        alias: "",
        name: "InfluxDB",
        logo: "public/plugins/influxdb/img/influxdb_logo.svg",
        backend: Some(Backend::Influx),
        needs_url: true,
    },
    Plugin {
        id: "prometheus",
        alias: "",
        name: "Prometheus",
        logo: "public/plugins/prometheus/img/prometheus_logo.svg",
        backend: Some(Backend::Prometheus),
        needs_url: true,
    },
    Plugin {
        id: "graphite",
        alias: "",
        name: "Graphite",
        logo: "public/plugins/graphite/img/graphite_logo.png",
        backend: Some(Backend::Graphite),
        needs_url: true,
    },
    stored("influxdb_08", "", "InfluxDB 0.8", true),
    stored("elasticsearch", "", "Elasticsearch", true),
    stored("alertmanager", "", "Alertmanager", true),
    stored("jaeger", "", "Jaeger", true),
    stored("loki", "", "Loki", true),
    stored("opentsdb", "", "OpenTSDB", true),
    stored("tempo", "", "Tempo", true),
    stored("zipkin", "", "Zipkin", true),
    stored("mysql", "", "MySQL", true),
    stored("mssql", "", "Microsoft SQL Server", true),
    stored("grafana-postgresql-datasource", "postgres", "PostgreSQL", true),
    stored("cloudwatch", "", "CloudWatch", false),
];

fn find(kind: &str) -> Option<&'static Plugin> {
    PLUGINS.iter().find(|plugin| plugin.id == kind)
}

/// The type itself, in place of another name for it.
pub(crate) fn canonical(kind: &str) -> &str {
    let named = PLUGINS.iter().find(|plugin| !plugin.alias.is_empty() && plugin.alias == kind);
    named.map_or(kind, |plugin| plugin.id)
}

/// What people call the type.
pub(crate) fn name(kind: &str) -> &str {
    find(kind).map_or(kind, |plugin| plugin.name)
}

pub(crate) fn logo(kind: &str) -> &'static str {
    let logo = find(kind).map_or("", |plugin| plugin.logo);
    if logo.is_empty() { "public/img/icn-datasource.svg" } else { logo }
}

pub(crate) fn backend(kind: &str) -> Option<Backend> {
    find(kind)?.backend
}

pub(crate) fn needs_url(kind: &str) -> bool {
    find(kind).is_some_and(|plugin| plugin.needs_url)
}
