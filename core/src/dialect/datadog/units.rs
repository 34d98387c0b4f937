//! Datadog's units.

use crate::dialect::json::JsonWriter;
use crate::number::write_json_float;

/// A unit as the API shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) id: u32,
    pub(super) family: &'static str,
    pub(super) name: &'static str,
    pub(super) short: Option<&'static str>,
    /// Without one the name takes an `s`.
    pub(super) plural: Option<&'static str>,
    /// Of the family's base unit.
    pub(super) scale: f64,
}

const fn unit(id: u32, family: &'static str, name: &'static str, short: &'static str, scale: f64) -> Unit {
    Unit { id, family, name, short: Some(short), plural: None, scale }
}

const KI: f64 = 1024.0;

/// Units with something of their own. Those that only count something are in [`COUNTED`].
const UNITS: &[Unit] = &[
    unit(1, "bytes", "bit", "b", 0.125),
    unit(2, "bytes", "byte", "B", 1.0),
    unit(3, "bytes", "kibibyte", "KiB", KI),
    unit(4, "bytes", "mebibyte", "MiB", KI * KI),
    unit(5, "bytes", "gibibyte", "GiB", KI * KI * KI),
    unit(6, "bytes", "tebibyte", "TiB", KI * KI * KI * KI),
    unit(7, "bytes", "pebibyte", "PiB", KI * KI * KI * KI * KI),
    unit(8, "bytes", "exbibyte", "EiB", KI * KI * KI * KI * KI * KI),
    unit(9, "time", "microsecond", "μs", 1e-6),
    unit(10, "time", "millisecond", "ms", 1e-3),
    unit(11, "time", "second", "s", 1.0),
    unit(12, "time", "minute", "min", 60.0),
    unit(13, "time", "hour", "hr", 3600.0),
    unit(14, "time", "day", "day", 86_400.0),
    unit(15, "time", "week", "wk", 604_800.0),
    unit(16, "percentage", "fraction", "fraction", 100.0),
    Unit { id: 17, family: "percentage", name: "percent", short: Some("%"), plural: Some("percent"), scale: 1.0 },
    unit(18, "network", "connection", "conn", 1.0),
    unit(19, "network", "request", "req", 1.0),
    unit(20, "time", "nanosecond", "ns", 1e-9),
    unit(120, "cpu", "core", "core", 1.0),
    unit(121, "cpu", "nanocore", "ncores", 1e-9),
    unit(122, "cpu", "microcore", "μcores", 1e-6),
    unit(123, "cpu", "millicore", "mcores", 1e-3),
    unit(130, "money", "dollar", "$", 1.0),
    unit(131, "money", "cent", "¢", 0.01),
    unit(132, "money", "micro_dollar", "μ$", 1e-6),
    Unit {
        id: 140,
        family: "temperature",
        name: "degree celsius",
        short: Some("°C"),
        plural: Some("degrees celsius"),
        scale: 1.0,
    },
    Unit {
        id: 141,
        family: "temperature",
        name: "degree fahrenheit",
        short: Some("°F"),
        plural: Some("degrees fahrenheit"),
        scale: 1.0,
    },
    Unit { id: 150, family: "frequency", name: "hertz", short: Some("Hz"), plural: Some("hertz"), scale: 1.0 },
    Unit { id: 151, family: "frequency", name: "kilohertz", short: Some("kHz"), plural: Some("kilohertz"), scale: 1e3 },
    Unit { id: 152, family: "frequency", name: "megahertz", short: Some("MHz"), plural: Some("megahertz"), scale: 1e6 },
    Unit { id: 153, family: "frequency", name: "gigahertz", short: Some("GHz"), plural: Some("gigahertz"), scale: 1e9 },
    Unit { id: 39, family: "cache", name: "hit", short: None, plural: None, scale: 1.0 },
    Unit { id: 160, family: "db", name: "index", short: None, plural: Some("indices"), scale: 1.0 },
    Unit { id: 161, family: "db", name: "query", short: None, plural: Some("queries"), scale: 1.0 },
    Unit { id: 162, family: "db", name: "flush", short: None, plural: Some("flushes"), scale: 1.0 },
    Unit { id: 163, family: "db", name: "fetch", short: None, plural: Some("fetches"), scale: 1.0 },
    Unit { id: 164, family: "cache", name: "miss", short: None, plural: Some("misses"), scale: 1.0 },
    Unit { id: 165, family: "system", name: "process", short: Some("proc"), plural: Some("processes"), scale: 1.0 },
];

/// Units that count something: family and names. Their ids follow from 200 on.
const COUNTED: &[(&str, &[&str])] = &[
    ("percentage", &["apdex"]),
    ("network", &["packet", "segment", "response", "message", "payload", "timeout", "datagram", "route", "session"]),
    ("system", &["thread", "host", "node", "fault", "service", "instance", "cpu"]),
    ("disk", &["file", "inode", "sector", "block"]),
    (
        "general",
        &[
            "error",
            "read",
            "write",
            "occurrence",
            "event",
            "unit",
            "operation",
            "item",
            "task",
            "worker",
            "resource",
            "email",
            "sample",
            "attempt",
            "job",
            "buffer",
            "stage",
        ],
    ),
    (
        "db",
        &[
            "table",
            "lock",
            "transaction",
            "row",
            "key",
            "command",
            "offset",
            "record",
            "object",
            "cursor",
            "assertion",
            "scan",
            "document",
            "shard",
            "merge",
            "refresh",
            "column",
            "commit",
            "wait",
            "ticket",
            "question",
        ],
    ),
    ("cache", &["eviction", "get", "set"]),
];

/// The unit of a name, in singular or plural.
pub(super) fn find(name: &str) -> Option<Unit> {
    let named = |unit: &&Unit| unit.name == name || unit.plural_text() == name;
    if let Some(unit) = UNITS.iter().find(named) {
        return Some(*unit);
    }
    let mut id = 200;
    for (family, names) in COUNTED {
        for counted in *names {
            let unit = Unit { id, family, name: counted, short: None, plural: None, scale: 1.0 };
            if named(&&unit) {
                return Some(unit);
            }
            id += 1;
        }
    }
    None
}

impl Unit {
    fn plural_text(&self) -> String {
        self.plural.map_or_else(|| format!("{}s", self.name), str::to_owned)
    }

    fn write(&self, json: &mut JsonWriter) {
        json.begin_object();
        json.key("family");
        json.string(self.family);
        json.key("scale_factor");
        json.with(|out| write_json_float(self.scale, out));
        json.key("name");
        json.string(self.name);
        json.key("short_name");
        match self.short {
            Some(short) => json.string(short),
            None => json.null(),
        }
        json.key("plural");
        json.string(&self.plural_text());
        json.key("id");
        json.raw(&self.id.to_string());
        json.end_object();
    }
}

/// A unit, and per what. Always two elements, or `null` without a unit: what clients are typed for.
pub(super) fn write_pair(unit: Option<Unit>, per: Option<Unit>, json: &mut JsonWriter) {
    let Some(unit) = unit else { return json.null() };
    json.begin_array();
    unit.write(json);
    match per {
        Some(per) => per.write(json),
        None => json.null(),
    }
    json.end_array();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_by_name_and_ids_are_unique() {
        assert_eq!(find("bytes").map(|unit| unit.id), Some(2));
        assert_eq!(find("queries").map(|unit| unit.family), Some("db"));
        assert_eq!(find("row").map(|unit| unit.plural_text()).as_deref(), Some("rows"));
        assert_eq!(find("furlong"), None);
        let counted = COUNTED.iter().flat_map(|(_, names)| *names).filter_map(|name| find(name));
        let mut ids: Vec<u32> = UNITS.iter().copied().chain(counted).map(|unit| unit.id).collect();
        let all = ids.len();
        crate::order::sort_dedup(&mut ids);
        assert_eq!(ids.len(), all);
    }
}
