//! What is known to differ, and why. COMPAT.md lists the same.

/// Why a statement is not asked; `None` if it is.
pub fn known(text: &str) -> Option<&'static str> {
    let has = |part: &str| text.contains(part);
    let descending = has("ORDER BY time DESC");
    if descending && (has("top(") || has("bottom(") || has("distinct(")) {
        return Some("1.6.7 lists these ascending, 1.8 does not");
    }
    if descending && has("integral(") {
        return Some("descending, InfluxDB names the ends of buckets and adds empty ones");
    }
    if has("integral(") && (has("GROUP BY") || has("m, ") || has("n, ") || has("|n/")) {
        return Some("InfluxDB tells the last bucket of each series in random order");
    }
    if has("sample(") {
        return Some("random, and of many rows sorted by time alone");
    }
    if has("chande_momentum_oscillator(") && has(", 1)") {
        return Some("InfluxDB panics");
    }
    if has("mode(v") || has("mode(i") || has("mode(*") {
        return Some(
            "of values equally frequent an unstable sort of InfluxDB's decides, which differs by its compiler",
        );
    }
    if let Some((_, rest)) = text.split_once("percentile(").filter(|_| has("GROUP BY time(")) {
        let number = rest.split([',', ')']).nth(1).and_then(|number| number.trim().parse::<u64>().ok());
        if number.is_none_or(|number| number < 50) {
            return Some("a bucket in which percentile finds nothing ends InfluxDB's query, or doubles its rows");
        }
    } else if has("percentile(") {
        return Some("of equal values an unstable sort of InfluxDB's decides which point it is");
    }
    if ["(stddev(", "(sqrt(", "(ln(", "(log"].iter().any(|inner| has(inner)) {
        return Some("what comes of a value that is no number depends on the order in which it is met");
    }
    let (inners, outer) = subqueries(text)?;
    let grouped = outer.split("GROUP BY").nth(1).is_some_and(|by| by.contains(['h', 'z', '*']));
    let alone = outer.split("GROUP BY time(").next().unwrap_or_default();
    if grouped && inners.contains("LIMIT") {
        return Some("LIMIT of a subquery counts differently in every version where tags are grouped by outside");
    }
    if has(", h, ") && (has("top(") || has("bottom(")) {
        return Some("a tag that top tells apart reaches into a subquery, and is null outside");
    }
    if inners.contains("), n") && has("OFFSET") && !has("LIMIT") {
        return Some("OFFSET alone cuts what a measurement gives to one row, but not what a subquery gives");
    }
    if inners.contains("), (") || inners.contains("), n") {
        return Some(
            "rows of two sources of one name and time are told in the order of a heap, of rows already filtered",
        );
    }
    if inners.contains("GROUP BY time(") && outer.contains("time >") && alone == outer {
        return Some("a bucket that begins before the range ends InfluxDB's query");
    }
    if text.split(" FROM ").next().is_some_and(|list| list.contains("::")) {
        return Some("casts of a subquery's columns to text, which InfluxDB ignores");
    }
    None
}

/// What stands in the list of sources, if a subquery is among them, and what comes after it.
fn subqueries(text: &str) -> Option<(&str, &str)> {
    let (_, sources) = text.split_once(" FROM (")?;
    let mut depth = 1;
    for (at, c) in sources.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth > 0 => {}
            ' ' if sources[at..].starts_with(" WHERE ") || sources[at..].starts_with(" GROUP ") => {
                return Some(sources.split_at(at));
            }
            _ => {}
        }
    }
    Some((sources, ""))
}
