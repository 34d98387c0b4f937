//! The visual query model as InfluxQL. `$timeFilter` and `$__interval` are left for the macros.

use super::super::json::Json;

pub(crate) fn render(model: &Json) -> Result<String, String> {
    let mut text = format!("SELECT {} FROM {}", select(model)?, measurement(model));
    text += " WHERE ";
    let tags = tags(model);
    match tags.as_slice() {
        [] => {}
        [one] => text += &format!("{one} AND "),
        several => text += &format!("({}) AND ", several.join(" ")),
    }
    text += "$timeFilter";
    text += &group_by(model)?;
    match model.text_of("orderByTime") {
        "" => {}
        order => text += &format!(" ORDER BY time {order}"),
    }
    for clause in ["limit", "slimit"] {
        match model.get(clause) {
            Some(Json::Text(count)) if !count.is_empty() => text += &format!(" {clause} {count}"),
            Some(Json::Int(count)) => text += &format!(" {clause} {count}"),
            _ => {}
        }
    }
    match model.text_of("tz") {
        "" => {}
        zone => text += &format!(" tz('{zone}')"),
    }
    Ok(text)
}

fn measurement(model: &Json) -> String {
    let policy = match model.text_of("policy") {
        "" | "default" => String::new(),
        policy => format!("\"{policy}\"."),
    };
    let measurement = model.text_of("measurement");
    let pattern = measurement.len() > 1 && measurement.starts_with('/') && measurement.ends_with('/');
    if pattern { format!("{policy}{measurement}") } else { format!("{policy}\"{measurement}\"") }
}

fn select(model: &Json) -> Result<String, String> {
    let mut columns = Vec::new();
    for column in model.get("select").map(Json::list).unwrap_or_default() {
        let mut text = String::new();
        for part in column.list() {
            text = wrap(part, &text)?;
        }
        columns.push(text);
    }
    Ok(columns.join(", "))
}

fn parameters(part: &Json) -> Vec<String> {
    let parameters = part.get("params").map(Json::list).unwrap_or_default();
    let text = |value: &Json| match value {
        Json::Text(text) => text.clone(),
        other => String::from_utf8(other.to_bytes()).unwrap_or_default(),
    };
    parameters.iter().map(text).collect()
}

const FUNCTIONS: &[&str] = &[
    "abs",
    "bottom",
    "ceil",
    "count",
    "cumulative_sum",
    "derivative",
    "difference",
    "distinct",
    "elapsed",
    "exponential_moving_average",
    "first",
    "floor",
    "holt_winters",
    "holt_winters_with_fit",
    "integral",
    "last",
    "ln",
    "log",
    "log10",
    "log2",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "moving_average",
    "non_negative_derivative",
    "non_negative_difference",
    "percentile",
    "pow",
    "round",
    "sample",
    "sin",
    "cos",
    "tan",
    "spread",
    "sqrt",
    "stddev",
    "sum",
    "top",
    "exp",
    "acos",
    "asin",
    "atan",
    "atan2",
    "double_exponential_moving_average",
    "triple_exponential_moving_average",
    "triple_exponential_derivative",
    "relative_strength_index",
    "kaufmans_efficiency_ratio",
    "kaufmans_adaptive_moving_average",
    "chande_momentum_oscillator",
];

/// One part around what came before it.
fn wrap(part: &Json, inner: &str) -> Result<String, String> {
    let parameters = parameters(part);
    let first = parameters.first().map(String::as_str).unwrap_or_default();
    Ok(match part.text_of("type") {
        "field" => identifier(first),
        "tag" => identifier(first),
        "alias" => format!("{inner} AS \"{first}\""),
        "math" => format!("{inner} {first}"),
        function if FUNCTIONS.contains(&function) => {
            let mut all = vec![inner.to_owned()];
            all.extend(parameters);
            format!("{function}({})", all.join(", "))
        }
        other => return Err(format!("missing query definition for {other}")),
    })
}

/// `*` stands bare, and `p::tag` keeps its cast outside the quotes.
fn identifier(name: &str) -> String {
    if name == "*" {
        return name.to_owned();
    }
    for cast in ["::tag", "::field"] {
        if let Some(name) = name.strip_suffix(cast) {
            return format!("\"{name}\"{cast}");
        }
    }
    format!("\"{name}\"")
}

fn tags(model: &Json) -> Vec<String> {
    let mut conditions = Vec::new();
    for tag in model.get("tags").map(Json::list).unwrap_or_default() {
        let value = tag.text_of("value");
        let pattern = value.len() > 1 && value.starts_with('/') && value.ends_with('/');
        let operator = match tag.text_of("operator") {
            "" if pattern => "=~",
            "" => "=",
            operator => operator,
        };
        let quoted = || format!("'{}'", value.replace('\\', "\\\\"));
        let bare = matches!(value, "true" | "false") || value.parse::<f64>().is_ok();
        let literal = if bare { value.to_owned() } else { quoted() };
        let (operator, value) = match operator {
            "=~" | "!~" | "<" | ">" | "<=" | ">=" => (operator, value.to_owned()),
            "Is" => ("=", literal),
            "Is Not" => ("!=", literal),
            operator => (operator, quoted()),
        };
        let word = match tag.text_of("condition") {
            _ if conditions.is_empty() => String::new(),
            "" => "AND ".to_owned(),
            word => format!("{word} "),
        };
        conditions.push(format!("{word}{} {operator} {value}", identifier(tag.text_of("key"))));
    }
    conditions
}

fn group_by(model: &Json) -> Result<String, String> {
    let mut text = String::new();
    for (at, part) in model.get("groupBy").map(Json::list).unwrap_or_default().iter().enumerate() {
        let kind = part.text_of("type");
        text += match at {
            0 => " GROUP BY ",
            _ if kind == "fill" => " ",
            _ => ", ",
        };
        let parameters = parameters(part);
        match kind {
            "time" => {
                let parameters: Vec<_> =
                    parameters.iter().map(|text| if text == "auto" { "$__interval" } else { text }).collect();
                text += &format!("time({})", parameters.join(", "));
            }
            "tag" => text += &identifier(parameters.first().map(String::as_str).unwrap_or_default()),
            "fill" => text += &format!("fill({})", parameters.join(", ")),
            other => return Err(format!("missing query definition for {other}")),
        }
    }
    Ok(text)
}
