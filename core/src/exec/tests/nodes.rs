//! Node by node, what the plain executor does not show.

use super::world::{Group as Answer, Place, World, Write};
use super::{aggregate, binary, call, scan, series};
use crate::exec::{Budget, QueryError, QueryTask, Step};
use crate::limits::{Exceeded, Limits};
use crate::model::SeriesKey;
use crate::plan::*;
use crate::time::TimeRange;
use crate::value::FieldType;

fn rows(answers: &[Answer]) -> Vec<(i64, Vec<Option<Scalar>>)> {
    answers.iter().flat_map(|answer| answer.rows.clone()).collect()
}

/// A point a time unit, in one file a shard: 1,000 rows a block.
fn regular(series: usize, rows: i64) -> Vec<Write> {
    (0..rows).map(|time| Write { series, time, fields: vec![("f", Scalar::Float(time as f64 / 10.0))] }).collect()
}

fn over(scan: Scan, bucket: Bucket, functions: &[Function]) -> Node {
    let calls = functions.iter().map(|function| call(*function, 0)).collect();
    Node::Aggregate(Box::new(aggregate(Node::Scan(Box::new(scan)), GroupBy::Nothing, bucket, calls)))
}

#[test]
fn headers_answer_for_blocks_inside_a_bucket() {
    let world = World::new(&series(), &[(Place::File, regular(0, 3_000))]);
    let functions = [Function::Count, Function::Mean, Function::Min, Function::Max, Function::First, Function::Last];
    let (answers, stats) = world.run(&over(scan(&["f"], &[]), Bucket::Whole, &functions));
    assert_eq!((stats.blocks_from_header, stats.blocks_decoded, stats.bytes), (3, 0, 0));
    let values = [Scalar::Integer(3_000), Scalar::Float(149.95), Scalar::Float(0.0), Scalar::Float(299.9)];
    assert_eq!(rows(&answers)[0].1[..4], values.map(Some));

    let buckets = Bucket::Every { width: 1_500, origin: 0 };
    let (_, stats) = world.run(&over(scan(&["f"], &[]), buckets, &functions));
    assert_eq!((stats.blocks_from_header, stats.blocks_decoded), (2, 1), "the middle block is cut");

    let cut = Scan { range: TimeRange::new(10, 5_000), ..scan(&["f"], &[]) };
    let (_, stats) = world.run(&over(cut, Bucket::Whole, &functions));
    assert_eq!((stats.blocks_from_header, stats.blocks_decoded), (2, 1), "the first block is cut");

    let later = vec![Write { series: 0, time: 500, fields: vec![("f", Scalar::Float(1e3))] }];
    let rewritten = World::new(&series(), &[(Place::File, regular(0, 3_000)), (Place::Chunk, later)]);
    let (answers, stats) = rewritten.run(&over(scan(&["f"], &[]), Bucket::Whole, &[Function::Count, Function::Max]));
    assert_eq!((stats.blocks_from_header, stats.blocks_decoded), (2, 1), "a later run overlaps the first block");
    assert_eq!(rows(&answers)[0].1, [Some(Scalar::Integer(3_000)), Some(Scalar::Float(1e3))]);

    let integers = Scan {
        fields: vec![ScanField { name: "f".to_owned(), field_type: FieldType::Integer, drives: true }],
        ..scan(&[], &[])
    };
    let (answers, stats) = world.run(&over(integers, Bucket::Whole, &[Function::Max]));
    assert_eq!(stats.blocks_from_header, 0, "values are converted");
    assert_eq!(rows(&answers)[0].1, [Some(Scalar::Integer(299))]);

    let selected = over(scan(&["f"], &[]), Bucket::Whole, &[Function::Max]);
    let Node::Aggregate(selected) = selected else { panic!() };
    let selected = Node::Aggregate(Box::new(Aggregate { time: ReportedTime::Selected, ..*selected }));
    let (answers, stats) = world.run(&selected);
    assert_eq!((rows(&answers)[0].0, stats.blocks_from_header), (2_999, 0), "headers do not say when");
}

#[test]
fn a_limit_reads_no_more_than_it_needs() {
    let world = World::new(&series(), &[(Place::File, regular(0, 50_000))]);
    let first = Limit {
        input: Node::Scan(Box::new(scan(&["f"], &[]))),
        rows: Some(1),
        skip_rows: 0,
        groups: None,
        skip_groups: 0,
    };
    let (answers, stats) = world.run(&Node::Limit(Box::new(first)));
    assert_eq!((rows(&answers).len(), stats.blocks_decoded), (1, 1));
    assert_eq!(stats.points, 1_000);
}

/// `LIMIT rows` of the rows of `cpu` in a range.
fn first_rows(rows: u64, range: TimeRange, descending: bool) -> Node {
    let input = Node::Scan(Box::new(Scan { range, descending, ..scan(&["f"], &[]) }));
    Node::Limit(Box::new(Limit { input, rows: Some(rows), skip_rows: 0, groups: None, skip_groups: 0 }))
}

#[test]
fn of_a_block_only_the_vectors_needed_are_decoded() {
    // One block of 5,000 regular rows, and one of as many with a pause.
    let paused = |write: &Write| Write { time: write.time + if write.time < 2_500 { 0 } else { 7 }, ..write.clone() };
    for writes in [regular(0, 5_000), regular(0, 5_000).iter().map(paused).collect()] {
        let mut world = World::with_shards(10_000, &series(), &[(Place::File, writes.clone())]);
        let times: Vec<i64> = writes.iter().map(|write| write.time).collect();
        let read = |world: &World, rows, range, descending| {
            let (answers, stats) = world.run(&first_rows(rows, range, descending));
            let found: Vec<i64> = self::rows(&answers).into_iter().map(|(time, _)| time).collect();
            (found, stats.points)
        };
        assert_eq!(read(&world, 1, TimeRange::ALL, false), (vec![0], 1_024));
        assert_eq!(read(&world, 1, TimeRange::ALL, true), (vec![times[4_999]], 5_000 - 4 * 1_024));
        // The second vector, then two at once.
        let (found, points) = read(&world, 1_025, TimeRange::new(times[1_030], i64::MAX), false);
        assert_eq!((&found[..], points), (&times[1_030..2_055], 2_048 - 1_030 + 2_048));
        let window = TimeRange::new(times[3_000], times[3_100]);
        assert_eq!(read(&world, 1_000, window, false), (times[3_000..=3_100].to_vec(), 101));
        assert_eq!(read(&world, 1_000, window, true).0, times[3_000..=3_100].iter().rev().copied().collect::<Vec<_>>());
        let between = TimeRange::new(times[2_499] + 1, times[2_500] - 1);
        assert_eq!(read(&world, 1_000, between, false), (Vec::new(), 0));

        // Deleted rows stay away whichever part of the block they lie in, and no header stands for the block.
        world.cut(TimeRange::new(times[1_000], times[3_999]));
        let left: Vec<i64> = times[..1_000].iter().chain(&times[4_000..]).copied().collect();
        assert!(read(&world, u64::MAX, TimeRange::ALL, false).0 == left);
        assert!(read(&world, u64::MAX, TimeRange::ALL, true).0.iter().eq(left.iter().rev()));
        let window = TimeRange::new(times[900], times[4_100]);
        assert_eq!(read(&world, u64::MAX, window, false).0, left[900..1_101]);
        let (answers, stats) = world.run(&over(scan(&["f"], &[]), Bucket::Whole, &[Function::Count]));
        assert_eq!((&rows(&answers)[0].1[..], stats.blocks_decoded), (&[Some(Scalar::Integer(2_000))][..], 1));
    }
}

#[test]
fn the_first_buckets_are_made_of_their_time_alone() {
    let writes: Vec<Write> = (0..4).flat_map(|series| regular(series, 8_000)).collect();
    let world = World::with_shards(10_000, &series(), &[(Place::File, writes)]);
    for (descending, first) in [(false, 0), (true, 7_990)] {
        let input = over(scan(&["f"], &[]), Bucket::Every { width: 10, origin: 0 }, &[Function::Max]);
        let Node::Aggregate(input) = input else { panic!() };
        let input = Node::Aggregate(Box::new(Aggregate { descending, ..*input }));
        let limit = Limit { input: input.clone(), rows: Some(3), skip_rows: 1, groups: None, skip_groups: 0 };
        let (answers, stats) = world.run(&Node::Limit(Box::new(limit)));
        let times: Vec<i64> = rows(&answers).iter().map(|(time, _)| *time).collect();
        let step = if descending { -10 } else { 10 };
        assert_eq!(times[..3], [first + step, first + 2 * step, first + 3 * step]);
        assert_eq!(stats.points, 4 * 40, "four buckets of four series");

        // Filled or not, they are the first of all.
        for (first, last) in [(None, None), (Some(15), Some(7_000)), (Some(-500), None), (None, Some(9_000))] {
            let filled = Fill {
                input: input.clone(),
                first,
                last,
                bucket: Bucket::Every { width: 10, origin: 0 },
                columns: vec![FillWith::Previous],
                make_rows: true,
                empty_groups: false,
            };
            let filled = Node::Fill(Box::new(filled));
            let all: Vec<_> = world.run(&filled).0.iter().flat_map(|answer| answer.rows[..70].to_vec()).collect();
            let limit = Limit { input: filled, rows: Some(70), skip_rows: 0, groups: None, skip_groups: 0 };
            let (few, stats) = world.run(&Node::Limit(Box::new(limit)));
            assert!(rows(&few) == all, "{first:?} {last:?} {descending}");
            assert!(stats.points < 4 * 8_000, "{stats:?}");
        }
    }
}

#[test]
fn many_series_merge_in_the_memory_of_a_vector_each() {
    let keys: Vec<_> = (0..50).map(|at| SeriesKey::new("cpu", &[("host", &format!("{at:03}"))])).collect();
    let writes: Vec<Write> = (0..50).flat_map(|series| regular(series, 5_000)).collect();
    let world = World::with_shards(10_000, &keys, &[(Place::File, writes)]);
    let scan = Node::Scan(Box::new(scan(&["f"], &["host"])));
    let merged = Node::Group(Box::new(Group { input: scan, by: GroupBy::Nothing, ties: Ties::InOrder }));
    // Of the 250,000 rows no more than 50 vectors and what is merged are in memory.
    let limits = Limits { query_memory: 50 * 1_024 * 17 + 600_000, ..Limits::default() };
    let (found, _) = world.try_run(&merged, &limits, Budget::SLICE).unwrap();
    let found = rows(&found);
    assert_eq!(found.len(), 250_000);
    assert!(found.is_sorted_by_key(|(time, _)| *time));
}

#[test]
fn the_first_rows_of_many_series_need_little_memory() {
    let keys: Vec<_> = (0..200).map(|at| SeriesKey::new("cpu", &[("host", &format!("{at:03}"))])).collect();
    let writes: Vec<Write> = (0..200).flat_map(|series| regular(series, 300)).collect();
    let world = World::new(&keys, &[(Place::File, writes)]);
    for descending in [false, true] {
        let input = Node::Scan(Box::new(Scan { descending, ..scan(&["f"], &["host"]) }));
        let group = |input| Node::Group(Box::new(Group { input, by: GroupBy::Nothing, ties: Ties::InOrder }));
        let few = Limit { input: group(input.clone()), rows: Some(7), skip_rows: 250, groups: None, skip_groups: 0 };
        let limits = Limits { query_memory: 100_000, ..Limits::default() };
        let budget = Budget::rows(1_000);
        let (found, _) = world.try_run(&Node::Limit(Box::new(few)), &limits, budget).unwrap();
        let all = rows(&world.run(&group(input.clone())).0);
        assert_eq!(rows(&found), all[250..257]);
        let refused = world.try_run(&group(input), &limits, budget).unwrap_err();
        assert!(matches!(refused, QueryError::Limit(Exceeded { limit: "query-memory", .. })), "{refused}");
    }
}

#[test]
fn limits_are_named() {
    let world = World::new(&series(), &[(Place::Chunk, regular(0, 2_000)), (Place::Chunk, regular(1, 10))]);
    let plan = over(scan(&["f"], &[]), Bucket::Every { width: 1, origin: 0 }, &[Function::Mean]);
    let refuse = |limits: Limits| match world.try_run(&plan, &limits, Budget::UNBOUNDED) {
        Err(QueryError::Limit(exceeded)) => exceeded.to_string(),
        other => panic!("{other:?}"),
    };
    let none = Limits::default;
    assert_eq!(refuse(Limits { max_select_series: 2, ..none() }), "max-select-series limit exceeded: (3/2)");
    assert_eq!(refuse(Limits { max_select_buckets: 999, ..none() }), "max-select-buckets limit exceeded: (1000/999)");
    assert_eq!(refuse(Limits { max_select_points: 1_500, ..none() }), "max-select-point limit exceeded: (2000/1500)");
    assert!(refuse(Limits { query_memory: 20_000, ..none() }).starts_with("query-memory limit exceeded"));

    let missing = Node::Scan(Box::new(Scan { database: "none".to_owned(), ..scan(&["f"], &[]) }));
    assert_eq!(
        world.try_run(&missing, &none(), Budget::SLICE).unwrap_err(),
        QueryError::DatabaseNotFound("none".to_owned())
    );
    let texts = over(scan(&["s"], &[]), Bucket::Whole, &[Function::Sum]);
    let refused = world.try_run(&texts, &none(), Budget::SLICE).unwrap_err();
    assert_eq!(refused.to_string(), "sum does not take string values");
}

#[test]
fn parts_are_lowered_to_the_most_points_and_gaps_go() {
    // spec/facette.md T8: values 1 at 1 s, 2, 3, 5 at 50, 51, 52 s; ten parts of 60 s become four.
    let points = [(1, 1.0), (50, 2.0), (51, 3.0), (52, 5.0)];
    let write = |(time, value): (i64, f64)| Write { series: 0, time, fields: vec![("f", Scalar::Float(value))] };
    let bucket = Bucket::Count { count: 10, start: 0, end: 60, lower_to_points: true };
    let graph = |series: usize| {
        let keys = vec![super::series()[series].as_bytes().to_vec()];
        let measurements = Measurements::Series { measurement: "cpu".to_owned(), keys };
        let scan = Scan { measurements, range: TimeRange::new(0, 59), ..scan(&["f"], &[]) };
        Node::Fill(Box::new(Fill {
            input: over(scan, bucket.clone(), &[Function::Mean]),
            first: Some(0),
            last: Some(59),
            bucket: bucket.clone(),
            columns: vec![FillWith::Null],
            make_rows: true,
            empty_groups: true,
        }))
    };
    for place in [Place::Chunk, Place::File] {
        let world = World::new(&series(), &[(place, points.map(write).to_vec())]);
        // The last label is start + 3·(step + 1).
        let gapless = Node::DropGaps(Box::new(graph(0)));
        let float = |value| vec![Some(Scalar::Float(value))];
        assert_eq!(rows(&world.run(&gapless).0), [(0, float(1.0)), (48, float(10.0 / 3.0))]);
        let empty = &world.run(&Node::Union(vec![graph(0), graph(1)])).0[1];
        assert_eq!((empty.input, empty.rows.len()), (1, 4), "a series without points is all absent");
        let across = Node::Across(Box::new(Across {
            input: Node::Union(vec![graph(0), graph(1)]),
            function: Function::Sum,
            name: "all".to_owned(),
        }));
        let absent = vec![None];
        assert_eq!(rows(&world.run(&across).0)[..2], [(0, float(1.0)), (16, absent)]);
    }
}

#[test]
fn what_does_not_exist_is_a_group_all_the_same() {
    let world = World::new(&series(), &[]);
    let absent = Node::Absent(vec![("f".to_owned(), FieldType::Float)]);
    let bucket = Bucket::Count { count: 2, start: 0, end: 60, lower_to_points: true };
    let mean = Call { function: Function::Mean, argument: 0, output: "mean".to_owned(), carried: Vec::new() };
    let filled = Node::Fill(Box::new(Fill {
        input: Node::Aggregate(Box::new(Aggregate {
            input: absent.clone(),
            by: GroupBy::Nothing,
            bucket: bucket.clone(),
            calls: vec![mean],
            time: ReportedTime::BucketStart,
            descending: false,
        })),
        first: Some(0),
        last: Some(59),
        bucket,
        columns: vec![FillWith::Null],
        make_rows: true,
        empty_groups: true,
    }));
    assert_eq!(rows(&world.run(&filled).0), [(0, vec![None]), (31, vec![None])]);
    assert_eq!(world.run(&absent).0, []);
    assert_eq!(explain(&absent), "absent fields [\"f\"::float]\n");
}

#[test]
fn a_field_of_another_type_is_converted_or_absent() {
    let write = |time: i64, value: Scalar| Write { series: 0, time, fields: vec![("f", value)] };
    // Of one shard each: the type of a field is a shard's own.
    let writes = vec![
        write(1, Scalar::Integer(3)),
        write(1_001, Scalar::Float(-2.7)),
        write(2_001, Scalar::String("x".to_owned())),
    ];
    for place in [Place::Chunk, Place::File] {
        let world = World::new(&series(), &[(place, writes.clone())]);
        let as_type = |field_type| {
            let fields = vec![ScanField { name: "f".to_owned(), field_type, drives: true }];
            rows(&world.run(&Node::Scan(Box::new(Scan { fields, ..scan(&[], &[]) }))).0)
        };
        let floats = [(1, vec![Some(Scalar::Float(3.0))]), (1_001, vec![Some(Scalar::Float(-2.7))])];
        assert_eq!(as_type(FieldType::Float), floats);
        let integers = [(1, vec![Some(Scalar::Integer(3))]), (1_001, vec![Some(Scalar::Integer(-2))])];
        assert_eq!(as_type(FieldType::Integer), integers);
        assert_eq!(as_type(FieldType::String), [(2_001, vec![Some(Scalar::String("x".to_owned()))])]);
        assert_eq!(as_type(FieldType::Boolean), []);
    }
}

#[test]
fn arithmetic_is_that_of_influxdb() {
    let fields = vec![
        ("f", Scalar::Float(7.5)),
        ("i", Scalar::Integer(-7)),
        ("u", Scalar::Unsigned(2)),
        ("b", Scalar::Boolean(true)),
    ];
    let world = World::new(&series(), &[(Place::Chunk, vec![Write { series: 0, time: 1, fields }])]);
    let integer = |value| Expr::Literal(Scalar::Integer(value));
    let float = |value| Expr::Literal(Scalar::Float(value));
    let (f, i, u, b) = (Expr::Column(0), Expr::Column(1), Expr::Column(2), Expr::Column(3));
    use BinaryOp::*;
    for (op, left, right, expected) in [
        (Add, f.clone(), i.clone(), Some(Scalar::Float(0.5))),
        (Sub, i.clone(), integer(i64::MAX), Some(Scalar::Integer(i64::MAX - 5))),
        (Mul, u.clone(), u.clone(), Some(Scalar::Unsigned(4))),
        (Div, i.clone(), integer(2), Some(Scalar::Float(-3.5))),
        (Div, f.clone(), integer(0), Some(Scalar::Float(0.0))),
        (DivTruncating, i.clone(), integer(2), Some(Scalar::Integer(-3))),
        (DivTruncating, i.clone(), integer(0), Some(Scalar::Integer(0))),
        (Mod, i.clone(), integer(4), Some(Scalar::Integer(-3))),
        (Mod, i.clone(), integer(0), Some(Scalar::Integer(0))),
        (Mod, f.clone(), float(2.0), Some(Scalar::Float(1.5))),
        (BitXor, i.clone(), integer(-1), Some(Scalar::Integer(6))),
        (BitAnd, b.clone(), Expr::Literal(Scalar::Boolean(false)), Some(Scalar::Boolean(false))),
        (Less, i.clone(), u.clone(), Some(Scalar::Boolean(true))),
        (Equal, b.clone(), i.clone(), Some(Scalar::Boolean(false))),
        (NotEqual, f.clone(), Expr::Literal(Scalar::String("7.5".to_owned())), Some(Scalar::Boolean(false))),
    ] {
        let map = Map {
            input: Node::Scan(Box::new(scan(&["f", "i", "u", "b"], &[]))),
            columns: vec![("x".to_owned(), binary(op, left.clone(), right.clone()))],
            drop_empty: false,
        };
        let answers = world.run(&Node::Map(Box::new(map))).0;
        assert_eq!(answers[0].rows, [(1, vec![expected])], "{left:?} {op:?} {right:?}");
    }
    let columns = vec![("x".to_owned(), binary(Mod, f, float(0.0)))];
    let scan = Node::Scan(Box::new(scan(&["f", "i", "u", "b"], &[])));
    let answers = world.run(&Node::Map(Box::new(Map { input: scan, columns, drop_empty: false }))).0;
    // No number, and yet a value.
    assert!(matches!(answers[0].rows[0].1[0], Some(Scalar::Float(value)) if value.is_nan()));
}

#[test]
fn a_graph_gets_fewer_points() {
    let world = World::new(&series(), &[(Place::File, regular(0, 900))]);
    for (method, points, expected) in [
        (SampleMethod::Average, 9, 9),
        (SampleMethod::MinMax, 10, 10),
        (SampleMethod::M4, 8, 4),
        (SampleMethod::Lttb, 50, 50),
        (SampleMethod::Lttb, 1_000, 900),
    ] {
        for descending in [false, true] {
            let input = Node::Scan(Box::new(Scan { descending, ..scan(&["f"], &[]) }));
            let sampled = rows(&world.run(&Node::Sample(Box::new(Sample { input, method, points }))).0);
            assert_eq!(sampled.len(), expected, "{method:?}");
            assert!(sampled.is_sorted_by_key(|row| if descending { -row.0 } else { row.0 }));
        }
    }
}

#[test]
fn a_fill_has_the_type_of_its_column() {
    let world = World::new(&series(), &[(Place::Chunk, regular(0, 1))]);
    let bucket = Bucket::Every { width: 10, origin: 0 };
    let filled = Fill {
        input: over(scan(&["f"], &[]), bucket.clone(), &[Function::Count, Function::Mean]),
        first: None,
        last: Some(19),
        bucket,
        columns: vec![FillWith::Value(Scalar::Float(-1.5)); 2],
        make_rows: true,
        empty_groups: false,
    };
    let made = rows(&world.run(&Node::Fill(Box::new(filled))).0)[1].clone();
    assert_eq!(made, (10, vec![Some(Scalar::Integer(-1)), Some(Scalar::Float(-1.5))]));
}

#[test]
fn damage_names_its_file() {
    let mut world = World::new(&series(), &[(Place::File, regular(0, 2_000))]);
    let (name, bytes) = world.files.pop_last().unwrap();
    // The first byte after the magic is in the first block.
    let mut broken = bytes.to_vec();
    broken[10] ^= 1;
    world.files.insert(name.clone(), broken.into());
    let refused = world.try_run(&Node::Scan(Box::new(scan(&["f"], &[]))), &Limits::default(), Budget::SLICE);
    let Err(QueryError::Damaged { file, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(file, name.to_string());
}

#[test]
fn neighbouring_columns_are_read_as_one() {
    let write = |series: usize, time: i64| {
        let fields = ["f", "i", "u"].map(|name| (name, Scalar::Float(time as f64)));
        Write { series, time, fields: fields.to_vec() }
    };
    let writes: Vec<_> = (0..3).flat_map(|series| (0..900).map(move |time| write(series, time))).collect();
    let world = World::new(&series(), &[(Place::File, writes)]);
    let fields =
        ["f", "i", "u"].map(|name| ScanField { name: name.to_owned(), field_type: FieldType::Float, drives: true });
    let plan = Node::Scan(Box::new(Scan { fields: fields.to_vec(), ..scan(&[], &[]) }));
    let mut task = QueryTask::new(plan, world.snapshot.clone(), &Limits::default()).unwrap();
    let Step::Need(first) = task.step(Budget::SLICE).unwrap() else { panic!() };
    assert_eq!(first.len(), 1, "columns of one block, and of the series after it, lie together: {first:?}");
}

#[test]
fn a_task_may_move_to_another_thread() {
    const fn moves<T: Send>() {}
    moves::<QueryTask>();
}
