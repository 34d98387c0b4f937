//! SELECT statements.

use super::{START, Seeded};

const CALLS: &[&str] = &["mean", "max", "min", "sum", "first", "last", "count", "median", "spread", "stddev", "mode"];

/// A statement; `depth`: whether it reads from a subquery.
pub(super) fn select(random: &mut Seeded, depth: u64) -> String {
    let descending = random.chance(12);
    let by_time = random.chance(45);
    let mut conditions = Vec::new();
    let bounded = range(random, by_time);
    if !bounded.is_empty() {
        conditions.push(bounded);
    }
    if random.chance(55) {
        conditions.push(condition(random));
    }
    let mut groups: Vec<String> = Vec::new();
    if by_time {
        groups.push(format!("time({})", random.pick(&["1m", "97s", "5m", "10m,3m", "30s,-7s", "20m", "1h"])));
    }
    if random.chance(35) {
        groups.push(random.pick(&["h", "*", "/h|q/", "z, h", "nope", "z"]).to_owned());
    }
    let (fields, called) = fields(random, by_time);
    let source = if depth > 0 {
        inner(random)
    } else {
        random.pick(&["m", "m", "m", "k", "k", "n, m", "/m|n/", "fuzz.autogen.m", "nope", "m, k"]).to_owned()
    };
    let mut text = format!("SELECT {fields} FROM {source}");
    if !conditions.is_empty() {
        text.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    if !groups.is_empty() && (called || !by_time) {
        text.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        if by_time && called {
            let fill =
                random.pick(&["", "", " fill(none)", " fill(previous)", " fill(linear)", " fill(7)", " fill(-1.5)"]);
            text.push_str(fill);
        }
    }
    if descending {
        text.push_str(" ORDER BY time DESC");
    }
    text.push_str(random.pick(&["", "", "", "", " LIMIT 7", " LIMIT 5 OFFSET 2", " OFFSET 3", " LIMIT 1"]));
    if groups.len() > usize::from(by_time) {
        text.push_str(random.pick(&["", "", "", "", " SLIMIT 1", " SLIMIT 2 SOFFSET 1"]));
    }
    text.push_str(random.pick(&["", "", "", "", "", "", " tz('Europe/Berlin')", " tz('America/New_York')"]));
    text
}

fn range(random: &mut Seeded, needed: bool) -> String {
    match random.below(if needed { 5 } else { 9 }) {
        0 => "time >= 1677628800s AND time < 1677631000s".to_owned(),
        1 => "time >= 1677629003s AND time <= 1677630100s".to_owned(),
        2 => "time > 1677629500s AND time < 1677631500s".to_owned(),
        3 => {
            let from = START + random.below(2000);
            format!("time >= {from}s AND {}s > time", from + 60 + random.below(1500))
        }
        4 => "time >= '2023-03-01T00:05:00Z' AND time < '2023-03-01 00:35:00'".to_owned(),
        5 => "time >= 1677630000s".to_owned(),
        6 => "time <= '2023-03-01T00:20:00Z' + 3m".to_owned(),
        _ => String::new(),
    }
}

pub(super) fn condition(random: &mut Seeded) -> String {
    let one = |random: &mut Seeded| {
        random
            .pick(&[
                "h = 'a'",
                "h != 'b'",
                "h <> 'c'",
                "v > 3",
                "v <= 10.5",
                "i % 3 = 1",
                "i >= 5",
                "h =~ /a|c/",
                "h !~ /a/",
                "abs(v) > 2",
                "b = true",
                "b != true",
                "s = 'x'",
                "s != ''",
                "s =~ /y/",
                "z = ''",
                "z != ''",
                "v > i",
                "v + i > 7",
                "i / 2 = 3",
                "nope = 'x'",
                "nope = 3",
                "h = 'zzz'",
                "5 < v",
                "v = 'text'",
                "h = s",
                "(v > 0 OR i < 0)",
                "z = '1' OR z = '2'",
                "i & 1 = 1",
                "-v > 3",
                "round(v) = 4",
                "true",
                "h = \"a\"",
            ])
            .to_owned()
    };
    match random.below(6) {
        0 => format!("{} AND {}", one(random), one(random)),
        1 => format!("({} OR {})", one(random), one(random)),
        _ => format!("({})", one(random)),
    }
}

fn inner(random: &mut Seeded) -> String {
    let list = [
        "SELECT v, i, s, b FROM m GROUP BY h",
        "SELECT v * 2 AS v, i, s, b, h FROM m",
        "SELECT mean(v) AS v, count(v) AS i FROM m WHERE time < 1677631400s GROUP BY time(30s), h",
        "SELECT mean(v) AS v FROM k WHERE time < 1677631400s GROUP BY time(2m), h",
        "SELECT max(v) AS v, i FROM k GROUP BY h",
        "SELECT v, i FROM k WHERE v > 0",
        "SELECT count(i) AS i, sum(v) AS v FROM m, n WHERE time < 1677631400s GROUP BY time(3m) fill(0)",
        "SELECT top(v, h, 3) AS v FROM m",
        "SELECT derivative(v, 10s) AS v FROM m GROUP BY h",
        "SELECT * FROM m LIMIT 20",
        "SELECT mean(v) AS v FROM m WHERE time >= 1677628800s AND time < 1677631400s GROUP BY time(2m) fill(previous)",
        "SELECT last(i) AS i FROM m GROUP BY *",
        "SELECT v + i AS v FROM m WHERE h = 'a'",
        "SELECT sum(v) AS v FROM (SELECT max(v) AS v FROM m WHERE time < 1677631400s GROUP BY time(1m), h) GROUP BY h",
    ];
    let first = random.pick(&list).to_owned();
    match random.below(12) {
        0 => format!("({first}), ({})", random.pick(&list)),
        1 => format!("({first}), n"),
        _ => format!("({first})"),
    }
}

/// The list, and whether there is a call in it.
fn fields(random: &mut Seeded, by_time: bool) -> (String, bool) {
    let field = random.pick(&["v", "v", "i"]);
    let any = random.pick(&["v", "i", "s", "b"]);
    let plain = |random: &mut Seeded| match random.below(22) {
        0 => format!("mean({field})"),
        1 => format!("sum({field})"),
        2 => format!("count({any})"),
        3 => format!("median({field})"),
        4 => format!("mode({any})"),
        5 => format!("stddev({field})"),
        6 => format!("spread({field})"),
        7 => format!("first({any})"),
        8 => format!("last({any})"),
        9 => format!("max({field})"),
        10 => format!("min({field})"),
        11 => format!("percentile({field}, {})", random.below(101)),
        12 => format!("count(distinct({any}))"),
        13 => "mean(*)".to_owned(),
        14 => "max(/v|i/)".to_owned(),
        15 => "count(*)".to_owned(),
        16 => "max(b)".to_owned(),
        17 => format!("sum({any})"),
        18 => format!("first({field}) AS f"),
        19 => format!("mean({field}) AS {field}"),
        20 => "count(nope)".to_owned(),
        _ => format!("floor(min({field}))"),
    };
    let numeric = format!("{}({field})", random.pick(CALLS));
    let raw = |random: &mut Seeded| {
        random
            .pick(&[
                "v",
                "i",
                "s",
                "b",
                "v, i",
                "*",
                "v, h",
                "h",
                "*::field",
                "*::tag, v",
                "/v|h/",
                "v::integer",
                "i::float",
                "i::string",
                "v AS i, i AS v",
                "v + i",
                "v * 2 - i / 3",
                "v / 0",
                "i % 4",
                "i & 3, i | 8, i ^ 5",
                "b & true",
                "-v",
                "(v + 1) * (i - 2)",
                "pow(v, 2), round(v)",
                "floor(v), ceil(i), abs(v)",
                "sqrt(v), ln(v)",
                "sin(v), atan2(v, i)",
                "log(v, 2), log10(abs(v))",
                "nope, v",
                "time, v",
                "time AS t, v",
                "v, v, v AS w",
                "h::tag, v::field",
                "v + nope",
                "s + v",
                "s, s::field",
                "1 + v",
                "i * 1.5",
                "10 - i",
                "exp(i), log2(v)",
            ])
            .to_owned()
    };
    match random.below(if by_time { 15 } else { 24 }) {
        0..=2 => (plain(random), true),
        3 => (format!("{}, {}", plain(random), plain(random)), true),
        4 => (format!("{numeric} * 2 + mean(v)"), true),
        5 => (format!("{numeric} - {}(i) / 3", random.pick(CALLS)), true),
        6 => (format!("{}, h", random.pick(&["max(v)", "first(i)", "last(v)", "min(i)", "percentile(v, 60)"])), true),
        7 | 8 => (if by_time { transform(&numeric, random) } else { transform(field, random) }, true),
        9 if by_time => (format!("{}, {numeric}", transform(&numeric, random)), true),
        9 => (format!("{}, {}", transform(field, random), transform("i", random)), true),
        10 => (format!("integral({field}, {})", random.pick(&["1s", "1m", "7s"])), true),
        11 => (format!("{}({field}, {})", random.pick(&["top", "bottom"]), random.below(5) + 1), true),
        12 => {
            let more = random.pick(&["", ", i", ", s, h"]);
            (format!("{}({field}, h, {}){more}", random.pick(&["top", "bottom"]), random.below(3) + 1), true)
        }
        13 => (format!("distinct({any})"), true),
        14 => (format!("sample({any}, 1000)"), true),
        _ => (raw(random), false),
    }
}

fn transform(inner: &str, random: &mut Seeded) -> String {
    let period = random.below(4) + 1;
    match random.below(16) {
        0 => format!("derivative({inner}, 10s)"),
        1 => format!("derivative({inner})"),
        2 => format!("non_negative_derivative({inner}, 1m)"),
        3 => format!("difference({inner})"),
        4 => format!("non_negative_difference({inner})"),
        5 => format!("cumulative_sum({inner})"),
        6 => format!("moving_average({inner}, {})", period + 1),
        7 => format!("elapsed({inner}, 1s)"),
        8 => format!("elapsed({inner})"),
        9 => format!("exponential_moving_average({inner}, {period})"),
        10 => format!("double_exponential_moving_average({inner}, {period}, 1, 'simple')"),
        11 => format!("triple_exponential_moving_average({inner}, {period})"),
        12 => format!("triple_exponential_derivative({inner}, {period})"),
        13 => format!("relative_strength_index({inner}, {period})"),
        14 => format!("chande_momentum_oscillator({inner}, {period})"),
        _ => format!(
            "{}({inner}, {period})",
            random.pick(&["kaufmans_efficiency_ratio", "kaufmans_adaptive_moving_average"])
        ),
    }
}
