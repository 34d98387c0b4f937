//! A plan as text: a node a line, its input indented below it. Equal plans give equal text.

use super::{
    Aggregate, Bucket, Expr, Fill, FillWith, GroupBy, Limit, Measurements, Node, Reduce, ReportedTime, Scalar, Scan,
    Ties,
};
use crate::model::SeriesKey;
use crate::time::{Timestamp, write_rfc3339};
use std::fmt::{self, Write as _};

mod pool;

/// Ends every line with a line feed.
pub fn explain(plan: &Node) -> String {
    let mut out = String::new();
    write_node(plan, 0, &mut out).expect("a String takes all that is written");
    out
}

fn write_node(node: &Node, depth: usize, out: &mut String) -> fmt::Result {
    write!(out, "{:width$}", "", width = depth * 2)?;
    match node {
        Node::Scan(scan) => write_scan(scan, out)?,
        Node::Absent(columns) => {
            let columns = columns.iter().map(|(name, field_type)| format!("{name:?}::{field_type}"));
            write!(out, "absent fields {}", list(columns))?;
        }
        Node::Group(group) => {
            write!(out, "group by {}", By(&group.by))?;
            match &group.ties {
                Ties::InOrder => {}
                Ties::Apart => out.push_str(" one after the other"),
                Ties::Heap { texts } if texts.is_empty() => out.push_str(" ties by heap"),
                Ties::Heap { texts } => {
                    write!(out, " ties by {}, heap", list(texts.iter().map(|at| format!("${at}"))))?
                }
            }
        }
        Node::Filter(filter) => write!(out, "filter {}", Shown(&filter.predicate))?,
        Node::Map(map) => {
            let columns = map.columns.iter().map(|(name, expr)| format!("{name:?}: {}", Shown(expr)));
            write!(out, "map {}", list(columns))?;
            if map.drop_empty {
                out.push_str(" drop_empty");
            }
        }
        Node::Aggregate(aggregate) => write_aggregate(aggregate, out)?,
        Node::Reduce(reduce) => write_reduce(reduce, out)?,
        Node::Transform(transform) => {
            write!(out, "transform ${} by {:?} as {:?}", transform.argument, transform.transformer, transform.output)?;
        }
        Node::Join(_) => out.push_str("join"),
        Node::Fill(fill) => write_fill(fill, out)?,
        Node::Across(across) => write!(out, "across {} as {:?}", across.function.name(), across.name)?,
        Node::DropGaps(_) => out.push_str("drop_gaps"),
        Node::Sample(sample) => write!(out, "sample {:?} to {}", sample.method, sample.points)?,
        Node::Order(order) => out.push_str(if order.descending { "order descending" } else { "order ascending" }),
        Node::Sort(sort) => {
            write!(out, "sort by ${}{}", sort.column, if sort.descending { " descending" } else { "" })?;
        }
        Node::Limit(limit) => write_limit(limit, out)?,
        Node::Union(_) => out.push_str("union"),
        node => pool::write(node, out)?,
    }
    out.push('\n');
    let mut below = |input: &Node| write_node(input, depth + 1, out);
    match node {
        Node::Scan(_) | Node::Absent(_) => Ok(()),
        Node::Group(group) => below(&group.input),
        Node::Filter(filter) => below(&filter.input),
        Node::Map(map) => below(&map.input),
        Node::Aggregate(aggregate) => below(&aggregate.input),
        Node::Reduce(reduce) => below(&reduce.input),
        Node::Transform(transform) => below(&transform.input),
        Node::Sort(sort) => below(&sort.input),
        Node::Fill(fill) => below(&fill.input),
        Node::Across(across) => below(&across.input),
        Node::DropGaps(input) => below(input),
        Node::Sample(sample) => below(&sample.input),
        Node::Order(order) => below(&order.input),
        Node::Limit(limit) => below(&limit.input),
        Node::Union(inputs) | Node::Join(inputs) => inputs.iter().try_for_each(below),
        Node::Merge(merge) => below(&merge.input),
        Node::Pool(pool) => below(&pool.input),
        Node::Quantile(quantile) => below(&quantile.input),
        Node::Follow(follow) => below(&follow.input),
        Node::Pair(pair) => below(&pair.left).and_then(|()| below(&pair.right)),
        Node::Rank(rank) => below(&rank.input),
        Node::Expect(expect) => below(&expect.input),
    }
}

fn write_scan(scan: &Scan, out: &mut String) -> fmt::Result {
    write!(out, "scan {:?}.", scan.database)?;
    match &scan.policy {
        Some(policy) => write!(out, "{policy:?}")?,
        None => out.push_str("default"),
    }
    match &scan.measurements {
        Measurements::Named(names) => write!(out, " {}", list(names.iter().map(|name| format!("{name:?}"))))?,
        Measurements::Matching(regex) => write!(out, " /{}/", regex.as_str())?,
        Measurements::Series { measurement, keys } => {
            let tags = keys.iter().map(|key| match SeriesKey::from_canonical(key) {
                Some(key) => list(key.tags().map(|(key, value)| format!("{key:?} = {value:?}"))),
                None => "?".to_owned(),
            });
            write!(out, " {measurement:?} series {}", list(tags))?;
        }
    }
    let fields = scan.fields.iter().map(|field| {
        let aside = if field.drives { "" } else { " aside" };
        format!("{:?}::{}{aside}", field.name, field.field_type)
    });
    write!(out, " fields {}", list(fields))?;
    if !scan.tags.is_empty() {
        write!(out, " tags {}", list(scan.tags.iter().map(|tag| format!("{tag:?}"))))?;
    }
    if let Some(predicate) = &scan.predicate {
        write!(out, " where {}", Shown(predicate))?;
    }
    let (min, max) = (scan.range.min, scan.range.max);
    if min > Timestamp::MIN.nanos() {
        write!(out, " from {}", Instant(min))?;
    }
    if max < Timestamp::MAX.nanos() {
        write!(out, " to {}", Instant(max))?;
    }
    if scan.descending {
        out.push_str(" descending");
    }
    Ok(())
}

fn write_aggregate(aggregate: &Aggregate, out: &mut String) -> fmt::Result {
    let calls = aggregate.calls.iter().map(|call| {
        let carried = call.carried.iter().map(|(column, name)| format!(" with ${column} as {name:?}"));
        let carried: String = carried.collect();
        format!("{}(${}) as {:?}{carried}", call.function.name(), call.argument, call.output)
    });
    write!(out, "aggregate {} by {} {}", list(calls), By(&aggregate.by), Parts(&aggregate.bucket))?;
    write_time(aggregate.time, out)?;
    if aggregate.descending {
        out.push_str(" descending");
    }
    Ok(())
}

fn write_reduce(reduce: &Reduce, out: &mut String) -> fmt::Result {
    let carried: String = reduce.carried.iter().map(|(column, name)| format!(" with ${column} as {name:?}")).collect();
    write!(out, "reduce {:?}(${}) as {:?}{carried}", reduce.reducer, reduce.argument, reduce.output)?;
    write!(out, " {}", Parts(&reduce.bucket))?;
    write_time(reduce.time, out)
}

fn write_time(time: ReportedTime, out: &mut String) -> fmt::Result {
    match time {
        ReportedTime::BucketStart => Ok(()),
        ReportedTime::Fixed(time) => write!(out, " at {}", Instant(time)),
        ReportedTime::Selected => out.write_str(" at the point's time"),
    }
}

fn write_fill(fill: &Fill, out: &mut String) -> fmt::Result {
    let columns = fill.columns.iter().map(|with| match with {
        FillWith::Null => "null".to_owned(),
        FillWith::Previous => "previous".to_owned(),
        FillWith::Linear => "linear".to_owned(),
        FillWith::LinearWithin(nanos) => format!("linear within {nanos} ns"),
        FillWith::Value(value) => Constant(value).to_string(),
        FillWith::ValueIfAny(value) => format!("{} if any", Constant(value)),
    });
    write!(out, "fill {} {}", list(columns), Parts(&fill.bucket))?;
    if let Some(first) = fill.first {
        write!(out, " from {}", Instant(first))?;
    }
    if let Some(last) = fill.last {
        write!(out, " to {}", Instant(last))?;
    }
    if fill.make_rows {
        out.push_str(" make_rows");
    }
    if fill.empty_groups {
        out.push_str(" empty_groups");
    }
    Ok(())
}

fn write_limit(limit: &Limit, out: &mut String) -> fmt::Result {
    out.push_str("limit");
    for (what, most, skipped) in [("rows", limit.rows, limit.skip_rows), ("groups", limit.groups, limit.skip_groups)] {
        if let Some(most) = most {
            write!(out, " {most} {what}")?;
        }
        if skipped > 0 {
            write!(out, " after {skipped} {what}")?;
        }
    }
    Ok(())
}

fn list(parts: impl Iterator<Item = String>) -> String {
    format!("[{}]", parts.collect::<Vec<_>>().join(", "))
}

struct By<'a>(&'a GroupBy);

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            GroupBy::Nothing => f.write_str("nothing"),
            GroupBy::AllTags => f.write_str("all tags"),
            GroupBy::Each => f.write_str("each"),
            GroupBy::Listed(groups) => f.write_str(&pool::listed(groups)),
            GroupBy::Tags(keys) => f.write_str(&list(keys.iter().map(|key| format!("{key:?}")))),
        }
    }
}

struct Parts<'a>(&'a Bucket);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Bucket::Whole => f.write_str("in one"),
            Bucket::Every { width, origin: 0 } => write!(f, "every {width}ns"),
            Bucket::Every { width, origin } => write!(f, "every {width}ns from {origin}ns"),
            Bucket::Count { count, start, end, lower_to_points } => {
                let at_most = if *lower_to_points { "at most " } else { "" };
                write!(f, "in {at_most}{count} parts from {} to {}", Instant(*start), Instant(*end))
            }
            Bucket::Edges(edges) => write!(f, "between {}", list(edges.iter().map(|edge| Instant(*edge).to_string()))),
        }
    }
}

struct Instant(i64);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        write_rfc3339(self.0, 0, &mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

struct Constant<'a>(&'a Scalar);

impl fmt::Display for Constant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Always with a point or an exponent, unlike an integer.
            Scalar::Float(value) => write!(f, "{value:?}"),
            Scalar::Integer(value) => write!(f, "{value}"),
            Scalar::Unsigned(value) => write!(f, "{value}u"),
            Scalar::Boolean(value) => write!(f, "{value}"),
            Scalar::String(value) => write!(f, "{value:?}"),
        }
    }
}

/// An expression, fully bracketed. `$n` is column n of the input.
struct Shown<'a>(&'a Expr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Column(at) => write!(f, "${at}"),
            Expr::Literal(value) => Constant(value).fmt(f),
            Expr::Binary { op, left, right } => write!(f, "({} {} {})", Shown(left), op.symbol(), Shown(right)),
            Expr::Matches { text, regex, negated, absent_is_empty } => {
                let op = if *negated { "!~" } else { "=~" };
                let text = Shown(text);
                if *absent_is_empty {
                    write!(f, "({text} or \"\"")?
                } else {
                    write!(f, "({text}")?
                }
                write!(f, " {op} /{}/)", regex.as_str())
            }
            Expr::Cast { value, to } => write!(f, "{}::{to}", Shown(value)),
            Expr::OrElse { value, other } => write!(f, "({} or {})", Shown(value), Constant(other)),
            Expr::Tag(key) => write!(f, "tag {key:?}"),
            Expr::Mathematics { function, arguments } => {
                let arguments: Vec<_> = arguments.iter().map(|argument| Shown(argument).to_string()).collect();
                write!(f, "{}({})", function.name(), arguments.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Regex;
    use crate::plan::{BinaryOp, Call, Function, Map, Order, ScanField};
    use crate::time::TimeRange;
    use crate::value::FieldType;
    use expect_test::expect;

    #[test]
    fn a_plan_reads_from_the_answer_down() {
        let tag = |at| Box::new(Expr::Column(at));
        let host = Expr::Binary {
            op: BinaryOp::Equal,
            left: Box::new(Expr::OrElse { value: tag(1), other: Scalar::String(String::new()) }),
            right: Box::new(Expr::Literal(Scalar::String("a".to_owned()))),
        };
        let dc = Expr::Matches { text: tag(2), regex: Regex::new("^x").unwrap(), negated: true, absent_is_empty: true };
        let scan = Scan {
            database: "db".to_owned(),
            policy: None,
            measurements: Measurements::Named(vec!["cpu".to_owned()]),
            fields: vec![ScanField { name: "f".to_owned(), field_type: FieldType::Float, drives: true }],
            tags: vec!["host".to_owned(), "dc".to_owned()],
            predicate: Some(Expr::Binary { op: BinaryOp::And, left: Box::new(host), right: Box::new(dc) }),
            range: TimeRange::new(0, i64::MAX),
            descending: true,
        };
        let call = Call {
            function: Function::Max,
            argument: 0,
            output: "max".to_owned(),
            carried: vec![(1, "host".to_owned())],
        };
        let aggregate = Aggregate {
            input: Node::Scan(Box::new(scan)),
            by: GroupBy::Tags(vec!["dc".to_owned()]),
            bucket: Bucket::Every { width: 60_000_000_000, origin: 0 },
            calls: vec![call],
            time: ReportedTime::BucketStart,
            descending: true,
        };
        let fill = Fill {
            input: Node::Aggregate(Box::new(aggregate)),
            first: Some(0),
            last: None,
            bucket: Bucket::Every { width: 60_000_000_000, origin: 0 },
            columns: vec![FillWith::Value(Scalar::Float(-1.0)), FillWith::Null],
            make_rows: true,
            empty_groups: false,
        };
        let half = Expr::Binary {
            op: BinaryOp::Div,
            left: Box::new(Expr::Column(0)),
            right: Box::new(Expr::Literal(Scalar::Float(2.0))),
        };
        let map =
            Map { input: Node::Fill(Box::new(fill)), columns: vec![("half".to_owned(), half)], drop_empty: false };
        let order = Order { input: Node::Map(Box::new(map)), descending: true };
        let limit =
            Limit { input: Node::Order(Box::new(order)), rows: Some(10), skip_rows: 5, groups: None, skip_groups: 0 };
        expect![[r#"
            limit 10 rows after 5 rows
              order descending
                map ["half": ($0 / 2.0)]
                  fill [-1.0, null] every 60000000000ns from 1970-01-01T00:00:00Z make_rows
                    aggregate [max($0) as "max" with $1 as "host"] by ["dc"] every 60000000000ns descending
                      scan "db".default ["cpu"] fields ["f"::float] tags ["host", "dc"] where ((($1 or "") = "a") and ($2 or "" !~ /^x/)) from 1970-01-01T00:00:00Z descending
        "#]]
        .assert_eq(&explain(&Node::Limit(Box::new(limit))));
    }
}
