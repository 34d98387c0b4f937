use proptest::prelude::*;
use proptest::sample::select;

use super::super::ast::{BinaryOp, Expr, Source, Statement};
use super::super::params::Params;
use super::{ParseError, parse_duration, parse_query};
use crate::limits::Limits;

fn parse(text: &str) -> Result<Vec<Statement>, ParseError> {
    parse_query(text, &Params::default(), &Limits::default())
}

fn parse_one(text: &str) -> Statement {
    let mut statements = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

fn error(text: &str) -> String {
    match parse(text) {
        Ok(statements) => panic!("{text} parses: {statements:?}"),
        Err(why) => why.to_string(),
    }
}

/// The answer of [`parse`] as the table writes it.
fn answer(text: &str) -> String {
    match parse(text) {
        Ok(statements) => match statements.first() {
            Some(first) => format!("= {first}"),
            None => "=".to_owned(),
        },
        Err(why) => format!("! {why}"),
    }
}

#[test]
fn statements_that_influxdb_does_not_have_read_back() {
    for text in [
        "RENAME MEASUREMENT m TO \"b c\"",
        "RENAME TAG host TO node FROM m",
        "RENAME FIELD f TO g FROM \"a b\"",
        "DELETE FIELD f, \"g h\" FROM m WHERE time > 5",
        "DROP FIELD f FROM m WHERE host = 'a'",
    ] {
        assert_eq!(parse_one(text).to_string(), text);
    }
    let words = "SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL";
    assert_eq!(error("RENAME"), format!("found RENAME, expected {words} at line 1, char 1"));
    assert_eq!(error("RENAME TAG a TO b"), "found EOF, expected FROM at line 1, char 19");
    assert_eq!(error("DROP FIELD"), "found EOF, expected identifier at line 1, char 12");
}

#[test]
fn answers_are_those_of_influxdb() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    let mut query = String::new();
    for line in include_str!("cases.txt").lines() {
        if let Some(first) = line.strip_prefix("> ") {
            query = first.to_owned();
        } else if line.starts_with(['=', '!']) {
            cases += 1;
            let answer = answer(&query);
            if answer != line {
                wrong.push(format!("{query}\n  InfluxDB {line}\n  here     {answer}"));
            }
        } else if !query.is_empty() {
            query.push('\n');
            query.push_str(line);
        }
    }
    assert!(cases > 250, "{cases}");
    assert!(wrong.is_empty(), "{} of {cases}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_parses_reads_back_from_its_source() {
    for line in include_str!("cases.txt").lines() {
        let Some(query) = line.strip_prefix("> ") else { continue };
        for statement in parse(query).unwrap_or_default() {
            if statement.secret().is_none() {
                let source = statement.to_source();
                assert_eq!(parse_one(&source).to_source(), source, "{query}");
            }
        }
    }
}

#[test]
fn source_keeps_what_the_normalised_text_loses() {
    let statement = parse_one(r#"SELECT DISTINCT "a b" FROM m WHERE v = 0.1234567 AND a / -b > 5. fill(1000000.5)"#);
    assert_eq!(
        statement.to_string(),
        "SELECT DISTINCT a b FROM m WHERE v = 0.123 AND a / -1 * b > 5.000 fill(1.0000005e+06)"
    );
    assert_eq!(
        statement.to_source(),
        r#"SELECT DISTINCT "a b" FROM m WHERE v = 0.1234567 AND a / (-1 * b) > 5.0 fill(1000000.5)"#
    );
    let statement = parse_one("CREATE DATABASE d WITH DURATION 36h SHARD DURATION 90m");
    assert_eq!(statement.to_string(), "CREATE DATABASE d WITH DURATION 36h0m0s SHARD DURATION 1h30m0s");
    assert_eq!(parse_one(&statement.to_source()), statement);
}

#[test]
fn carriage_returns_are_line_breaks() {
    assert_eq!(error("SELECT\r\n a\rFROM b b"), "found b, expected ; at line 3, char 8");
    // An odd place where blanks are shown.
    assert_eq!(error("SELECT a FROM b\r\n/c/"), "found \n, expected regex at line 1, char 16");
}

#[test]
fn a_nul_is_no_end() {
    assert_eq!(error("SELECT a FROM b\0 nonsense"), "found \0, expected ; at line 1, char 16");
    assert_eq!(parse_one("SELECT 'a\0\\n' FROM b").to_string(), "SELECT 'a\0\\n' FROM b");
}

#[test]
fn operators_bind_by_precedence_and_to_the_left() {
    fn shape(expr: &Expr) -> String {
        match expr {
            Expr::Chain(chain) => {
                let first = shape(&chain.first);
                chain.rest.iter().fold(first, |left, (op, right)| format!("({left}{}{})", op.symbol(), shape(right)))
            }
            Expr::Paren(inner) => format!("[{}]", shape(inner)),
            other => other.to_string(),
        }
    }
    let cases = [
        ("a - b - c", "((a-b)-c)"),
        ("a OR b AND c = d + e * f", "(aOR(bAND(c=(d+(e*f)))))"),
        ("a * b + c = d AND e OR f", "(((((a*b)+c)=d)ANDe)ORf)"),
        ("a = b OR c = d AND e = f OR g = h", "(((a=b)OR((c=d)AND(e=f)))OR(g=h))"),
        ("a + b * c - d / e & f | g ^ h % i", "((((a+(b*c))-((d/e)&f))|g)^(h%i))"),
        ("a < b > c", "((a<b)>c)"),
        ("(a + b) * -c", "([(a+b)]*(-1*c))"),
        ("-a * b", "((-1*a)*b)"),
        ("a / -b * c", "((a/(-1*b))*c)"),
        ("a - -1", "(a--1)"),
    ];
    for (text, expected) in cases {
        let Statement::Select(select) = parse_one(&format!("SELECT x FROM m WHERE {text}")) else { unreachable!() };
        assert_eq!(select.condition.as_ref().map(shape).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn nesting_is_bounded_wherever_it_can_grow() {
    let nests: [(&str, &str); 5] = [
        ("SELECT a FROM m WHERE ", "("),
        ("SELECT ", "f("),
        ("SELECT ", "-("),
        ("SELECT a FROM ", "(SELECT a FROM "),
        ("SELECT a FROM m WHERE ", "1 + (a = "),
    ];
    for (start, open) in nests {
        let text = [start, &open.repeat(100_000)].concat();
        assert!(error(&text).starts_with("query-depth limit exceeded: (101/100)"), "{open}");
    }
    let (open, close) = ("(".repeat(99), ")".repeat(99));
    let deepest = format!("SELECT a FROM m WHERE {open}a{close}");
    assert!(parse(&deepest).is_err());
    let (open, close) = ("(".repeat(98), ")".repeat(98));
    let deepest = parse_one(&format!("SELECT a FROM m WHERE {open}a{close}"));
    assert_eq!(parse_one(&deepest.to_source()), deepest);
}

#[test]
fn a_long_condition_is_flat() {
    let text = format!("SELECT a FROM m WHERE {}x = 1", "a = 'b' OR ".repeat(999));
    let statement = parse_one(&text);
    let Statement::Select(select) = &statement else { unreachable!() };
    let Some(Expr::Chain(chain)) = &select.condition else { unreachable!() };
    assert_eq!(chain.rest.len(), 999);
    assert!(chain.rest.iter().all(|(op, _)| *op == BinaryOp::Or));
    assert_eq!(statement.to_string(), text);
}

/// What is compiled recursively later would end the program's stack.
#[test]
fn too_many_operators_are_refused() {
    let text = format!("SELECT a FROM m WHERE {}x = 1", "a = 'b' OR ".repeat(50_000));
    let why = parse_query(&text, &Params::default(), &Limits::default()).map_err(|why| why.to_string());
    assert_eq!(why, Err("query-operators limit exceeded: (2001/2000)".to_owned()));
}

#[test]
fn too_long_a_text_is_refused_unread() {
    let limits = Limits { query_text: 10, ..Limits::default() };
    let why = parse_query("SELECT a FROM m", &Params::default(), &limits).map_err(|why| why.to_string());
    assert_eq!(why, Err("query-text limit exceeded: (15/10)".to_owned()));
}

#[test]
fn passwords_are_located_and_never_shown() {
    let text = "CREATE USER \"u\" WITH PASSWORD 'it\\'s secret' WITH ALL PRIVILEGES";
    let statement = parse_one(text);
    let secret = statement.secret().expect("a password");
    assert_eq!(secret.text, "it's secret");
    assert_eq!(&text[secret.span.clone()], "'it\\'s secret'");
    assert!(!format!("{statement:?} {statement} {}", statement.to_source()).contains("secret'"));
    let text = "SHOW DATABASES;  SET PASSWORD FOR x = '1'";
    let statements = parse(text).expect("valid");
    assert_eq!(statements[1].secret().map(|secret| &text[secret.span.clone()]), Some("'1'"));
}

#[test]
fn zones_exist() {
    let statement = parse_one("SELECT a FROM (SELECT b FROM m tz('Asia/Tokyo')), n TZ('Europe/Berlin')");
    assert!(matches!(statement, Statement::Select(select) if select.zone.as_deref() == Some("Europe/Berlin")));
    let refused = parse("SELECT a FROM (SELECT b FROM m tz('Mars/Base'))").unwrap_err();
    assert_eq!(refused.to_string(), "unable to find time zone Mars/Base");
}

#[test]
fn missing_names_can_be_filled_in() {
    let Statement::Select(mut select) = parse_one("SELECT a INTO t FROM m, db..n, (SELECT b FROM rp.o), d.r.p") else {
        unreachable!()
    };
    let outcome: Result<(), ()> = select.qualify(&mut |database, rp| {
        database.get_or_insert_with(|| "D".to_owned());
        rp.get_or_insert_with(|| "R".to_owned());
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    let expected = "SELECT a INTO D.R.t FROM D.R.m, db.R.n, (SELECT b FROM D.rp.o), d.r.p";
    assert_eq!(select.to_string(), expected);
}

#[test]
fn positions_are_kept_for_whoever_marks_them() {
    let at = parse("SELECT a\nFROM").map_err(|why| why.position().map(|at| (at.line, at.char)));
    assert_eq!(at, Err(Some((1, 5))));
    assert_eq!(parse("SELECT a FROM b tz").map_err(|why| why.position()), Err(None));
}

#[test]
fn durations() {
    let cases = [
        ("1h30m", Ok(5_400_000_000_000)),
        ("1ms1m", Ok(60_001_000_000)),
        ("7µ7u7ns", Ok(14_007)),
        ("1w", Ok(604_800_000_000_000)),
        ("-5m", Ok(-300_000_000_000)),
        ("", Err("invalid duration")),
        ("5", Err("invalid duration")),
        ("m", Err("invalid duration")),
        ("5n", Err("invalid duration")),
        ("5y", Err("invalid duration")),
        ("5m5", Err("invalid duration")),
        ("99999999999999999999s", Err("invalid duration")),
        ("16000w", Err("overflowed duration 16000w: choose a smaller duration or INF")),
        ("1s15251w", Err("overflowed duration 15251w: choose a smaller duration or INF")),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_duration(text), expected.map_err(str::to_owned), "{text}");
    }
}

#[test]
fn a_regex_is_read_where_one_is_allowed() {
    let Statement::Select(select) = parse_one(r"SELECT /a\/b\.c/ FROM /d/ GROUP BY /e\\/f/") else { unreachable!() };
    assert_eq!(select.to_string(), r"SELECT /a\/b\.c/ FROM /d/ GROUP BY /e\\/f/");
}

/// Words and signs to throw together.
const SOUP: &[&str] = &[
    "SELECT ",
    "a",
    "b",
    "\"c d\"",
    "'e'",
    "1",
    "2.5",
    ".5",
    "5.",
    "10m",
    "1x",
    "18446744073709551615",
    "*",
    "/",
    "/re/",
    "(",
    ")",
    ",",
    ";",
    ".",
    "::",
    ":",
    "=",
    "=~",
    "!~",
    "!=",
    "<>",
    "<",
    ">=",
    "+",
    "-",
    "%",
    "&",
    "|",
    "^",
    " ",
    "\n",
    "--",
    "/*",
    "*/",
    "$",
    "$p",
    "'",
    "\"",
    "\\",
    "é",
    "\0",
    "\r",
    " FROM ",
    " WHERE ",
    " GROUP BY ",
    " AND ",
    " OR ",
    "time(1m)",
    "fill(",
    "tz('x')",
    " ORDER BY ",
    " DESC",
    " LIMIT ",
    " INTO ",
    " AS ",
    "DISTINCT ",
    " true",
    " INF",
    "SHOW ",
    "TAG ",
    "KEYS ",
    "VALUES ",
    "WITH ",
    "KEY ",
    "IN ",
    "ON ",
    "CREATE ",
    "DATABASE ",
    "RETENTION POLICY ",
    "DURATION ",
    "REPLICATION ",
    "SHARD ",
    "DEFAULT ",
    "CONTINUOUS QUERY ",
    "RESAMPLE EVERY ",
    "FOR ",
    "BEGIN ",
    "END",
    "DROP ",
    "SERIES ",
    "GRANT ALL ",
    "TO ",
    "USER ",
    "PASSWORD ",
    "SET ",
    "KILL ",
    "EXPLAIN ",
    "MEASUREMENT",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_soup_upsets_the_parser(soup in prop::collection::vec(select(SOUP), 0..40)) {
        let _ = parse(&soup.concat());
    }

    #[test]
    fn no_text_upsets_the_parser(text in any::<String>()) {
        let _ = parse(&text);
        let _ = parse(&["SELECT ", &text].concat());
        let _ = Params::from_json(&text);
    }

    /// Valid queries, built by chance, read back from both of their printed forms.
    #[test]
    fn built_queries_read_back(
        fields in prop::collection::vec(expr(), 1..4),
        condition in prop::option::of(expr()),
        source in select(&["m", "\"m n\"", "db.rp.m", "db..m", "/r\\/e/", "(SELECT x FROM y)"][..]),
        tail in select(&["", " GROUP BY time(1m), *", " fill(0.5)", " ORDER BY DESC LIMIT 3", " TZ('Zulu')"][..]),
    ) {
        let condition = condition.map(|expr| format!(" WHERE {expr}")).unwrap_or_default();
        let text = format!("SELECT {} FROM {source}{condition}{tail}", fields.join(", "));
        let statement = parse_one(&text);
        let source = statement.to_source();
        prop_assert_eq!(parse_one(&source).to_source(), source);
        prop_assert!(parse(&statement.to_string()).is_ok());
        let Statement::Select(select) = statement else { unreachable!() };
        prop_assert_eq!(select.fields.len(), fields.len());
        prop_assert!(matches!(select.sources[0], Source::Measurement(_) | Source::Subquery(_)));
    }
}

const LEAVES: &[&str] =
    &["a", "\"b c\"", "x.y", "z::tag", "1", "2.5", "-3", "'s'", "5m", "true", "*", "now()", "f(/r/, 1)"];

fn expr() -> impl Strategy<Value = String> {
    let leaf = select(LEAVES).prop_map(str::to_owned).boxed();
    leaf.prop_recursive(4, 24, 3, |inner| {
        let op = select(&["+", "-", "*", "/", "%", "&", "|", "^"][..]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-({inner})")),
            prop::collection::vec(inner, 0..3).prop_map(|args| format!("mean({})", args.join(", "))),
        ]
    })
}
