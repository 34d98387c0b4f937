//! The executor against a plain one, over points laid out at random.

mod naive;
mod nodes;
mod world;

use crate::exec::Budget;
use crate::limits::Limits;
use crate::model::SeriesKey;
use crate::pattern::Regex;
use crate::plan::*;
use crate::time::TimeRange;
use crate::value::FieldType;
use naive::Naive;
use proptest::prelude::*;
use world::{Group as Answer, Place, Reordered, World, Write};

pub(super) const FIELDS: [(&str, FieldType); 5] = [
    ("f", FieldType::Float),
    ("i", FieldType::Integer),
    ("u", FieldType::Unsigned),
    ("s", FieldType::String),
    ("b", FieldType::Boolean),
];

pub(super) fn series() -> Vec<SeriesKey> {
    vec![
        SeriesKey::new("cpu", &[("host", "b"), ("dc", "x")]),
        SeriesKey::new("cpu", &[("host", "a")]),
        SeriesKey::new("cpu", &[("host", "c"), ("dc", "y")]),
        SeriesKey::new("mem", &[("host", "a")]),
    ]
}

fn value(field: usize, seed: u32) -> Scalar {
    match field {
        // Sums of these depend on their order unless they are exact.
        0 => Scalar::Float([0.1, 1e16, -1e16, -0.0, 0.0, 3.3, 7.7e-9, -2.5][seed as usize % 8]),
        1 => Scalar::Integer([1, -1, i64::MAX, i64::MIN, 7, 0][seed as usize % 6]),
        2 => Scalar::Unsigned([0, 5, u64::MAX, 9][seed as usize % 4]),
        3 => Scalar::String(["", "x", "yy", "ü"][seed as usize % 4].to_owned()),
        _ => Scalar::Boolean(seed.is_multiple_of(2)),
    }
}

/// Points at regular times, or scattered and repeated.
fn part() -> impl Strategy<Value = Vec<Write>> {
    let dense = (0usize..4, 0i64..2500, 1i64..4, 1usize..260, 1u32..32, any::<u32>()).prop_map(
        |(series, start, step, rows, mask, seed)| {
            (0..rows)
                .map(|row| {
                    // Now and then a field is missing.
                    let holes = if seed.is_multiple_of(3) { 0 } else { (row as u32).wrapping_mul(seed) >> 27 };
                    let mask = if mask & !holes == 0 { mask } else { mask & !holes };
                    write(series, start + row as i64 * step, mask, seed.wrapping_add(row as u32 * 7))
                })
                .collect::<Vec<_>>()
        },
    );
    let point =
        (0usize..4, 0i64..2500, 1u32..32, any::<u32>()).prop_map(|(s, time, mask, seed)| write(s, time, mask, seed));
    prop_oneof![dense, prop::collection::vec(point, 1..40)]
}

fn write(series: usize, time: i64, mask: u32, seed: u32) -> Write {
    let named = FIELDS.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
    let fields = named.map(|(at, (name, _))| (*name, value(at, seed.wrapping_mul(at as u32 * 2 + 1)))).collect();
    Write { series, time, fields }
}

pub(super) fn scan(fields: &[&str], tags: &[&str]) -> Scan {
    let field = |name: &&str| {
        let (name, field_type) = *FIELDS.iter().find(|(known, _)| known == name).unwrap();
        ScanField { name: name.to_owned(), field_type, drives: true }
    };
    Scan {
        database: "db".to_owned(),
        policy: None,
        measurements: Measurements::Named(vec!["cpu".to_owned(), "mem".to_owned()]),
        fields: fields.iter().map(field).collect(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        predicate: None,
        range: TimeRange::ALL,
        descending: false,
    }
}

pub(super) fn call(function: Function, argument: usize) -> Call {
    Call { function, argument, output: format!("{}_{argument}", function.name()), carried: Vec::new() }
}

pub(super) fn aggregate(input: Node, by: GroupBy, bucket: Bucket, calls: Vec<Call>) -> Aggregate {
    Aggregate { input, by, bucket, calls, time: ReportedTime::BucketStart, descending: false }
}

pub(super) fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

fn tag_is(at: usize, text: &str) -> Expr {
    let tag = Expr::OrElse { value: Box::new(Expr::Column(at)), other: Scalar::String(String::new()) };
    binary(BinaryOp::Equal, tag, Expr::Literal(Scalar::String(text.to_owned())))
}

const ALL_CALLS: [Function; 7] =
    [Function::Count, Function::Sum, Function::Mean, Function::Min, Function::Max, Function::First, Function::Last];

fn all_calls(fields: &[&str]) -> Vec<Call> {
    let typed =
        fields.iter().enumerate().map(|(at, name)| (at, FIELDS.iter().find(|field| field.0 == *name).unwrap().1));
    typed
        .flat_map(|(at, field_type)| {
            let taken = ALL_CALLS.iter().filter(move |function| function.result(field_type).is_some());
            taken.map(move |function| call(*function, at))
        })
        .collect()
}

/// Plans of every kind, over `range` and with buckets of `width`.
fn plans(range: TimeRange, width: i64, seed: u32) -> Vec<Node> {
    let all = ["f", "i", "u", "s", "b"];
    let scan = |fields: &[&str], tags: &[&str]| Scan { range, ..scan(fields, tags) };
    let node = |scan: Scan| Node::Scan(Box::new(scan));
    let tags = |names: &[&str]| GroupBy::Tags(names.iter().map(|name| (*name).to_owned()).collect());
    let group = |input: Node, by: GroupBy| Node::Group(Box::new(Group { input, by, ties: Ties::InOrder }));
    let aggregated = |aggregate: Aggregate| Node::Aggregate(Box::new(aggregate));
    let every = Bucket::Every { width, origin: i64::from(seed % 7) };
    let descending = |scan: Scan| Scan { descending: true, ..scan };
    let limit = |input: Node, rows, groups| {
        let (skip_rows, skip_groups) = (u64::from(seed % 3), u64::from(seed / 3 % 2));
        Node::Limit(Box::new(Limit { input, rows, skip_rows, groups, skip_groups }))
    };
    let mut plans = vec![
        node(scan(&all, &["host", "dc"])),
        node(descending(scan(&all, &["host"]))),
        group(node(scan(&["f", "s"], &["host"])), GroupBy::Nothing),
        group(node(descending(scan(&["i", "b"], &["host"]))), tags(&["dc"])),
        limit(group(node(scan(&["f"], &[])), GroupBy::AllTags), Some(5), Some(2)),
        limit(group(node(descending(scan(&["u"], &[]))), GroupBy::Nothing), Some(30), None),
    ];
    for bucket in [
        Bucket::Whole,
        every.clone(),
        Bucket::Edges(vec![100, 130, 131, 700, 2000]),
        Bucket::Count { count: u64::from(seed % 50) + 1, start: 50, end: 2100, lower_to_points: false },
    ] {
        for (at, fields) in [&["f"][..], &["i", "u"], &["f", "i", "u", "b"], &["s", "b"]].into_iter().enumerate() {
            let by = [GroupBy::Nothing, tags(&["host"]), GroupBy::AllTags, tags(&["dc", "host"])][at].clone();
            plans.push(aggregated(aggregate(node(scan(fields, &[])), by, bucket.clone(), all_calls(fields))));
        }
        // Those that a header can answer, alone.
        let sums = vec![call(Function::Mean, 0), call(Function::Count, 0), call(Function::Max, 0)];
        plans.push(aggregated(aggregate(node(scan(&["f"], &[])), GroupBy::Nothing, bucket.clone(), sums)));
        let counts = vec![call(Function::Count, 0), call(Function::Count, 1)];
        plans.push(aggregated(aggregate(node(scan(&["s", "b"], &[])), tags(&["dc"]), bucket.clone(), counts)));
        // A selector's own time, and what else its point has.
        for function in [Function::Min, Function::Max, Function::First, Function::Last] {
            let carried = vec![(1, "s".to_owned()), (2, "host".to_owned())];
            let lone = Call { carried, ..call(function, 0) };
            let input = node(scan(&["i", "s"], &["host"]));
            let aggregate = aggregate(input, tags(&["host", "dc"]), bucket.clone(), vec![lone]);
            plans.push(aggregated(Aggregate { time: ReportedTime::Selected, descending: true, ..aggregate }));
        }
    }
    walks(&mut plans, &scan, width, seed);
    pools(&mut plans, &scan, width, seed);
    // Predicates: of tags only, of fields, of both, of a field that is not asked for.
    let float_above = binary(BinaryOp::Greater, Expr::Column(0), Expr::Literal(Scalar::Integer(0)));
    let integer_is = binary(BinaryOp::Equal, Expr::Column(1), Expr::Literal(Scalar::Integer(7)));
    let not_x = Expr::Matches {
        text: Box::new(Expr::Column(3)),
        regex: Regex::new("^x$").unwrap(),
        negated: true,
        absent_is_empty: true,
    };
    let false_or_absent = binary(BinaryOp::Equal, Expr::Column(1), Expr::Literal(Scalar::Boolean(false)));
    for (fields, predicate) in [
        (["f", "i"], tag_is(2, "a")),
        (["f", "i"], tag_is(3, "")),
        (["f", "i"], binary(BinaryOp::And, tag_is(2, "c"), float_above.clone())),
        (["f", "i"], binary(BinaryOp::Or, tag_is(2, "b"), integer_is.clone())),
        (["f", "i"], binary(BinaryOp::And, binary(BinaryOp::Or, float_above, integer_is), not_x)),
        (["f", "b"], false_or_absent),
    ] {
        let mut filtered = Scan { predicate: Some(predicate), ..scan(&fields, &["host", "dc"]) };
        filtered.fields[1].drives = seed.is_multiple_of(2);
        plans.push(group(node(filtered.clone()), GroupBy::Nothing));
        let calls = vec![call(Function::Sum, 0), call(Function::Last, 1)];
        plans.push(aggregated(aggregate(node(filtered), tags(&["host"]), every.clone(), calls)));
    }
    // Rows computed, then aggregated, filled, paged and turned around.
    let ratio = binary(BinaryOp::Div, Expr::Column(0), Expr::Column(1));
    let doubled = binary(BinaryOp::Mul, Expr::Column(1), Expr::Literal(Scalar::Float(2.0)));
    let map = Map {
        input: node(scan(&["f", "i"], &[])),
        columns: vec![("ratio".to_owned(), ratio), ("doubled".to_owned(), doubled)],
        drop_empty: seed.is_multiple_of(2),
    };
    let map = Node::Map(Box::new(map));
    plans.push(map.clone());
    plans.push(aggregated(aggregate(
        map,
        GroupBy::Nothing,
        every.clone(),
        vec![call(Function::Sum, 0), call(Function::Min, 1)],
    )));
    let calls =
        vec![call(Function::Mean, 0), call(Function::Last, 1), call(Function::Count, 2), call(Function::Sum, 1)];
    let filled = Fill {
        input: aggregated(aggregate(node(scan(&["f", "i", "b"], &[])), tags(&["host"]), every.clone(), calls)),
        first: seed.is_multiple_of(2).then_some(40),
        last: seed.is_multiple_of(3).then_some(2300),
        bucket: every.clone(),
        columns: vec![
            FillWith::Linear,
            FillWith::LinearWithin(300),
            FillWith::Value(Scalar::Integer(0)),
            [FillWith::Previous, FillWith::Null][seed as usize % 2].clone(),
        ],
        make_rows: !seed.is_multiple_of(5),
        empty_groups: false,
    };
    let filled = Node::Fill(Box::new(filled));
    plans.push(limit(filled.clone(), Some(10), Some(2)));
    plans.push(Node::Order(Box::new(Order { input: filled.clone(), descending: true })));
    plans.push(Node::Union(vec![filled, node(scan(&["b"], &[]))]));
    // The first buckets of many.
    for (at, descending) in [false, true].into_iter().enumerate() {
        let calls = vec![call(Function::Max, 0), call(Function::Count, 1)];
        let input =
            aggregate(node(scan(&["f", "i"], &[])), tags(&["dc"]), Bucket::Every { width: 9, origin: 4 }, calls);
        let first = aggregated(Aggregate { descending, ..input });
        plans.push(limit(first.clone(), Some(1 + u64::from(seed % 4)), None));
        let filled = Fill {
            input: first,
            first: (seed as usize / 2 % 2 == at).then_some(40),
            last: seed.is_multiple_of(3).then_some(2300),
            bucket: Bucket::Every { width: 9, origin: 4 },
            columns: vec![FillWith::Null, FillWith::Previous],
            make_rows: !seed.is_multiple_of(5),
            empty_groups: false,
        };
        if !descending {
            plans.push(limit(Node::Fill(Box::new(filled)), Some(3), None));
        }
    }
    // Two stages: buckets of each series, then over the series.
    let inner =
        aggregated(aggregate(node(scan(&["f"], &[])), GroupBy::AllTags, every.clone(), vec![call(Function::Max, 0)]));
    for function in [Function::Sum, Function::Mean, Function::Min] {
        plans.push(Node::Across(Box::new(Across { input: inner.clone(), function, name: "all".to_owned() })));
    }
    plans.push(aggregated(aggregate(inner, tags(&["dc"]), every, vec![call(Function::Sum, 0)])));
    plans
}

/// Plans whose steps walk rows in order.
fn walks(plans: &mut Vec<Node>, scan: &dyn Fn(&[&str], &[&str]) -> Scan, width: i64, seed: u32) {
    let every = Bucket::Every { width, origin: i64::from(seed % 7) };
    let tags = |names: &[&str]| GroupBy::Tags(names.iter().map(|name| (*name).to_owned()).collect());
    let input = |by: GroupBy, descending: bool| {
        let scan = Scan { descending, ..scan(&["f", "i", "u", "s"], &["host", "dc"]) };
        Node::Group(Box::new(Group { input: Node::Scan(Box::new(scan)), by, ties: Ties::InOrder }))
    };
    let reduce = |reducer, argument, time, bucket, input| {
        let carried = vec![(3, "s".to_owned()), (4, "host".to_owned())];
        let output = "out".to_owned();
        Node::Reduce(Box::new(Reduce { input, bucket, reducer, argument, output, carried, time }))
    };
    let transform = |transformer, argument, input| {
        Node::Transform(Box::new(Transform { input, transformer, argument, output: "out".to_owned() }))
    };
    for descending in [false, true] {
        for (at, bucket) in [Bucket::Whole, every.clone()].into_iter().enumerate() {
            let by = || if at == 0 { GroupBy::Nothing } else { tags(&["dc"]) };
            let best = |greatest, per| Reducer::Extreme { greatest, count: u64::from(seed % 5) + 1, per };
            for (reducer, argument, time) in [
                (Reducer::Median, seed as usize % 3, ReportedTime::BucketStart),
                (Reducer::Stddev, 1, ReportedTime::Fixed(7)),
                (Reducer::CountDistinct, seed as usize % 4, ReportedTime::BucketStart),
                (Reducer::Distinct, seed as usize / 2 % 4, ReportedTime::BucketStart),
                (Reducer::Percentile(f64::from(seed % 110)), 0, ReportedTime::Selected),
                (best(true, Vec::new()), 2, ReportedTime::Selected),
                (best(false, vec![4, 5]), 0, ReportedTime::Selected),
            ] {
                plans.push(reduce(reducer, argument, time, bucket.clone(), input(by(), descending)));
            }
        }
        let non_negative = seed.is_multiple_of(2);
        let derivative = Transformer::Derivative { unit: 10, non_negative };
        let number = seed as usize % 3;
        plans.push(transform(derivative.clone(), number, input(tags(&["host"]), descending)));
        plans.push(transform(Transformer::CumulativeSum, number, input(tags(&["dc"]), descending)));
        let elapsed = transform(Transformer::Elapsed { unit: 3 }, 3, input(GroupBy::Nothing, descending));
        let distinct =
            reduce(Reducer::Distinct, 3, ReportedTime::BucketStart, every.clone(), input(GroupBy::Nothing, descending));
        let change = transform(derivative, number, input(GroupBy::Nothing, descending));
        plans.push(Node::Join(vec![elapsed, distinct, change]));
        plans.push(Node::Sort(Box::new(Sort {
            input: input(tags(&["host"]), descending),
            column: seed as usize % 6,
            descending: non_negative,
        })));
    }
}

/// Plans over the values of many groups at once.
fn pools(plans: &mut Vec<Node>, scan: &dyn Fn(&[&str], &[&str]) -> Scan, width: i64, seed: u32) {
    let number = |choices: u32, of: u32| seed / of % choices;
    let every = |width: i64| Bucket::Every { width, origin: i64::from(seed % 7) };
    let rolled = |width: i64, function: Function| {
        let input = Node::Scan(Box::new(scan(&["f"], &[])));
        Node::Aggregate(Box::new(aggregate(input, GroupBy::Each, every(width), vec![call(function, 0)])))
    };
    let listed = |name: &str, members: &[u32]| Listed {
        tags: vec![("group".to_owned(), name.to_owned())],
        members: members.to_vec(),
    };
    let groups = vec![listed("a", &[2, 0]), listed("b", &[1]), listed("c", &[0, 1, 2, 3])];
    let methods = [ReachMethod::None, ReachMethod::Linear, ReachMethod::Last, ReachMethod::Zero];
    let change = Along::Change { per: Some(1_000), rising: false };
    let pool = |width: i64, function: Function, change: Option<Along>, every_row: bool| {
        Node::Pool(Box::new(Pool {
            input: rolled(width, Function::Max),
            groups: groups.clone(),
            first: i64::from(number(300, 2)),
            last: 2000,
            reach: Reach { method: methods[number(4, 3) as usize], limit: i64::from(number(500, 5)) },
            change,
            function,
            every_row,
        }))
    };
    let follow = |input: Node, along: Along| Node::Follow(Box::new(Follow { input, along }));
    for function in [Function::Mean, Function::Sum, Function::Min, Function::Max, Function::Count] {
        let change = Some(change.clone()).filter(|_| number(2, 7) == 0);
        plans.push(pool(width, function, change, number(2, 11) == 0));
    }
    let reach = Reach { method: methods[number(4, 13) as usize], limit: 200 };
    let measures = [
        Measure::Mean,
        Measure::Min,
        Measure::Max,
        Measure::Sum,
        Measure::Last,
        Measure::Norm,
        Measure::Area,
        Measure::Median,
    ];
    for along in [
        Along::Each(Each::Abs),
        Along::Each(Each::AtLeast(0.5)),
        Along::Each(Each::DropAbove(3.3)),
        Along::Each(Each::With { op: PairOp::Div, number: 3.0, first: number(2, 2) == 0 }),
        change.clone(),
        Along::Change { per: None, rising: true },
        Along::Total,
        Along::Area,
        Along::Elapsed,
        Along::Moving { width: 3 * width, function: Function::Mean },
        Along::MovingCount { count: 3, function: Smoothing::Mean },
        Along::Exponential { span: 5 },
        Along::Shift(-17),
        Along::Spread { bucket: every(width), first: 100, last: 1500, reach, otherwise: -1.0 },
        Along::Measured { measure: measures[number(8, 41) as usize], width_secs: width as f64 / 1e9, at: 77 },
    ] {
        plans.push(follow(pool(width, Function::Sum, None, false), along));
    }
    let pairs = |op: PairOp, left: Node, right: Node| {
        let zero = |bucket: Bucket| Some(bucket).filter(|_| number(2, 17) == 0);
        Node::Pair(Box::new(Pair {
            left,
            right,
            op,
            pairs: vec![(0, 0), (1, 2), (2, 1)],
            named_by_right: number(2, 19) == 0,
            left_zero: zero(every(width)),
            right_zero: zero(every(2 * width + 1)),
            ends: Some([every(width), every(2 * width + 1)]),
        }))
    };
    let both = pairs(
        [PairOp::Add, PairOp::Sub, PairOp::Mul, PairOp::Div, PairOp::Min, PairOp::Max][number(6, 23) as usize],
        pool(width, Function::Sum, None, false),
        pool(2 * width + 1, Function::Mean, None, false),
    );
    let again =
        pairs(PairOp::Add, follow(both.clone(), Along::Shift(40)), pool(2 * width + 1, Function::Max, None, false));
    let (measure, count) = (measures[number(8, 29) as usize], number(4, 31) as usize);
    let ranked =
        Rank { input: both.clone(), measure, count, greatest: number(2, 37) == 0, width_secs: width as f64 / 1e9 };
    plans.extend([both, again, Node::Rank(Box::new(ranked))]);
    for (by, parts) in [(GroupBy::Listed(groups.clone()), number(10_000, 3)), (GroupBy::Each, 5_000)] {
        let input = Node::Scan(Box::new(scan(&["f"], &[])));
        plans.push(Node::Quantile(Box::new(Quantile { input, by, bucket: every(width), parts })));
    }
    let input = Node::Scan(Box::new(scan(&["i", "s"], &[])));
    let by = GroupBy::Listed(groups.clone());
    let calls = vec![call(Function::Sum, 0), call(Function::Count, 1)];
    plans.push(Node::Aggregate(Box::new(aggregate(input.clone(), by, every(width), calls))));
    plans.push(Node::Merge(Box::new(Merge { input, groups })));
}

/// Equal to the bit, and with the columns' names.
fn assert_same(plan: &Node, found: &[Answer], expected: &[Answer], how: &str) {
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    assert!(found == expected, "{how}: {plan:?}\n   found {found}\nexpected {expected}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn answers_do_not_depend_on_the_layout(
        parts in prop::collection::vec(part(), 1..7),
        files in 0usize..7,
        from in -100i64..2600,
        len in 0i64..4000,
        width in 1i64..600,
        seed in any::<u32>(),
    ) {
        let place = |at: usize| if at < files { Place::File } else { Place::Chunk };
        let parts: Vec<_> = parts.into_iter().enumerate().map(|(at, writes)| (place(at), writes)).collect();
        let writes: Vec<Write> = parts.iter().flat_map(|(_, writes)| writes.clone()).collect();
        let series = series();
        let laid_out = World::new(&series, &parts);
        let one_chunk = World::new(&series, &[(Place::Chunk, writes.clone())]);
        let one_file = World::new(&series, &[(Place::File, writes.clone())]);
        let long_shard = World::with_shards(10_000, &series, &[(Place::File, writes.clone())]);
        let naive = Naive { series: &series, writes: &writes };
        let range = if seed.is_multiple_of(4) { TimeRange::ALL } else { TimeRange::new(from, from + len) };
        for plan in plans(range, width, seed) {
            let expected = naive.run(&plan);
            assert_same(&plan, &laid_out.run(&plan).0, &expected, "as laid out");
            assert_same(&plan, &one_chunk.run(&plan).0, &expected, "in one chunk");
            assert_same(&plan, &one_file.run(&plan).0, &expected, "in one file");
            assert_same(&plan, &long_shard.run(&plan).0, &expected, "in one file of one shard");
            let pool: &'static Reordered = if seed % 2 == 0 { &Reordered { evens_first: false } } else { &Reordered { evens_first: true } };
            let (world, rows) = if seed % 3 == 0 { (&long_shard, 20) } else { (&laid_out, u64::MAX) };
            let shared = world.try_run(&plan, &Limits::default(), Budget { rows, pool: Some(pool) }).unwrap();
            assert_same(&plan, &shared.0, &expected, "side by side");
            let slices = laid_out.try_run(&plan, &Limits::default(), Budget::rows(1)).unwrap();
            assert_same(&plan, &slices.0, &expected, "in short steps");
        }
    }
}
