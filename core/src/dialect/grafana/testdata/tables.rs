//! Tables, heat maps and logs.

use super::super::frame::{DataFrame, Field, Meta, Times, Values};
use super::super::json::{Json, object};
use super::{Answered, Asked, MAX_POINTS, done};

pub(crate) fn table_static(asked: Asked<'_>) -> Answered {
    let times: Vec<i64> = asked.instants(asked.interval()).take(10).collect();
    let texts = |text: &str| Values::Text(times.iter().map(|_| Some(text.to_owned())).collect());
    let values = Values::Float(times.iter().map(|_| Some(23.1)).collect());
    let fields = vec![
        Field::new("Message", texts("This is a message")),
        Field::new("Description", texts("Description")),
        Field::new("Value", values),
    ];
    let fields = std::iter::once(Field::time("Time", times)).chain(fields).collect();
    done(vec![DataFrame::new(asked.ref_id, fields)])
}

pub(crate) fn random_walk_table(asked: Asked<'_>) -> Answered {
    let rows = usize::try_from(asked.max_data_points).unwrap_or(0).min(MAX_POINTS);
    let with_nil = asked.model.get("withNil").and_then(Json::bool).unwrap_or(false);
    let mut random = asked.random(0);
    let mut walker = random.float() * 100.0;
    let spread = 2.5;
    let mut times = Times::default();
    let (mut values, mut mins, mut maxs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut infos, mut states) = (Vec::new(), Vec::new());
    for at in asked.instants(asked.interval()).take(rows) {
        let delta = random.float() - 0.5;
        walker += delta;
        let absent = with_nil && random.float() > 0.8;
        let unless = |value: f64| if absent { None } else { Some(value) };
        times.push(Some(at), 0);
        values.push(unless(walker));
        mins.push(unless(walker - random.float() * spread));
        maxs.push(unless(walker + random.float() * spread));
        infos.push(if absent { None } else { Some(if delta > 0.0 { "up" } else { "down" }.to_owned()) });
        states.push(if absent { 0 } else { 1 + u16::from(delta <= 0.0) });
    }
    let mut state = Field::new("State", Values::Enum(states));
    state.config.texts = vec!["Unknown", "Up", "Down"];
    let fields = vec![
        Field::time("Time", times).nullable(),
        Field::floats("Value", values),
        Field::floats("Min", mins),
        Field::floats("Max", maxs),
        Field::new("Info", Values::Text(infos)).nullable(),
        state,
    ];
    done(vec![DataFrame::new(asked.ref_id, fields)])
}

pub(crate) fn exponential_heatmap(asked: Asked<'_>) -> Answered {
    heatmap(asked, |at| (1_u32 << at).to_string())
}

pub(crate) fn linear_heatmap(asked: Asked<'_>) -> Answered {
    heatmap(asked, |at| (at * 10).to_string())
}

/// Ten columns of counts, a row every 50 intervals.
fn heatmap(asked: Asked<'_>, name: fn(u32) -> String) -> Answered {
    let times: Vec<i64> = asked.instants(asked.interval().saturating_mul(50)).take(100).collect();
    let mut random = asked.random(0);
    let mut columns: Vec<Vec<Option<f64>>> = vec![Vec::new(); 10];
    for _ in &times {
        for column in &mut columns {
            column.push(Some((random.float() * 100.0).floor()));
        }
    }
    let mut fields = vec![Field::time("time", times).nullable()];
    for (at, column) in (0..).zip(columns) {
        fields.push(Field::floats(&name(at), column));
    }
    done(vec![DataFrame::new("data", fields)])
}

/// Lines from the range's end backwards.
pub(crate) fn logs(asked: Asked<'_>) -> Answered {
    const LEVELS: [&str; 10] =
        ["emerg", "alert", "crit", "critical", "warn", "warning", "err", "eror", "info", "debug"];
    let lines = asked.model.int_of("lines").unwrap_or(10).clamp(0, MAX_POINTS as i64);
    let level_column = asked.model.get("levelColumn").and_then(Json::bool).unwrap_or(false);
    let mut random = asked.random(0);
    let (mut times, mut bodies, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut label_sets, mut label_types) = (Vec::new(), Vec::new());
    let to_text = |json: &Json| String::from_utf8(json.to_bytes()).unwrap_or_default();
    let mut at = asked.range.to;
    while at > asked.range.from && (times.len() as i64) < lines {
        let row = times.len();
        let level = LEVELS[(random.next() % LEVELS.len() as u64) as usize];
        let prefix = if level_column { String::new() } else { format!("lvl={level} ") };
        let size = random.next() % 1000;
        bodies.push(Some(format!("{prefix}msg=\"Request Completed\" logger=context userId=1 uname=admin method=GET path=/api/datasources/proxy/{row} status=200 size={size}")));
        let mut labels = object([
            ("container_id", format!("a{:011x}", random.next() >> 20).into()),
            ("hostname", format!("srv{:03}", random.next() % 1000).into()),
        ]);
        let mut types = object([("container_id", "I".into()), ("hostname", "I".into())]);
        if level_column {
            labels.set("level", level.into());
            types.set("level", "I".into());
        }
        label_sets.push(to_text(&labels));
        label_types.push(to_text(&types));
        ids.push(Some(format!("{at}_{row}")));
        times.push(at);
        at = at.saturating_sub(asked.interval());
    }
    let mut hidden = Field::new("labelTypes", Values::Raw(label_types));
    hidden.config.hidden = true;
    let fields = vec![
        Field::new("labels", Values::Raw(label_sets)),
        Field::time("timestamp", times),
        Field::new("body", Values::Text(bodies)),
        Field::new("id", Values::Text(ids)),
        hidden,
    ];
    let meta = Meta { kind: "log-lines", visualisation: "logs", ..Meta::default() };
    done(vec![DataFrame { meta: Some(meta), ..DataFrame::new(asked.ref_id, fields) }])
}
