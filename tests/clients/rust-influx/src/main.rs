//! The crate `influxdb` as its users have it, against the server whose address is the only argument. Prints `ok`.

use chrono::{DateTime, Utc};
use influxdb::{Client, Error, InfluxDbWriteable, ReadQuery, Timestamp, Type, WriteQuery};
use serde::Deserialize;

#[derive(InfluxDbWriteable)]
struct Reading {
    time: DateTime<Utc>,
    #[influxdb(tag)]
    room: String,
    celsius: f64,
    steps: i64,
    open: bool,
    note: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    time: DateTime<Utc>,
    room: String,
    celsius: f64,
    steps: i64,
    open: bool,
    note: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Mean {
    mean: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Room {
    room: String,
}

#[derive(Debug, Deserialize)]
struct Tag {
    key: String,
    value: String,
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + seconds, 0).expect("a second of this century")
}

fn reading(seconds: i64, room: &str, celsius: f64, note: Option<&str>) -> Reading {
    let (steps, open) = (seconds + 1, seconds == 0);
    Reading { time: at(seconds), room: room.into(), celsius, steps, open, note: note.map(str::to_owned) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("the server's address");
    let client = Client::new(&url, "rust db");

    let (kind, version) = client.ping().await.expect("a ping");
    assert!(!kind.is_empty() && version.starts_with("1."), "{kind} {version}");

    client.query(ReadQuery::new("CREATE DATABASE \"rust db\"")).await.expect("a database");
    points(&client).await;
    queries(&client).await;
    errors(&client, &url).await;
    client.query(ReadQuery::new("DROP DATABASE \"rust db\"")).await.expect("it goes");
    println!("ok");
}

/// One point, many in one request, and a point put together by hand with every type and text to be escaped.
async fn points(client: &Client) {
    client.query(reading(0, "cellar, left", 7.5, None).into_query("climate")).await.expect("one point");
    let many = [reading(1, "attic", 21.25, Some("a \"warm\" day")), reading(2, "attic", 22.75, Some("äöü"))];
    let many: Vec<WriteQuery> = many.into_iter().map(|reading| reading.into_query("climate")).collect();
    client.query(many).await.expect("points of one request");
    let by_hand = Timestamp::Milliseconds(1_767_225_600_000)
        .into_query("odd name")
        .add_tag("a tag", "x=1, y")
        .add_field("n", Type::SignedInteger(-3))
        .add_field("f", 0.5)
        .add_field("s", "back\\slash")
        .add_field("b", true);
    client.query(by_hand).await.expect("a point by hand");
}

async fn queries(client: &Client) {
    let rows = "SELECT room, celsius, steps, open, note FROM climate WHERE room = 'attic'";
    let mut result = client.json_query(ReadQuery::new(rows)).await.expect("rows");
    let rows = result.deserialize_next::<Row>().expect("of that shape").series;
    let row = |seconds: i64, celsius, note: &str| Row {
        time: at(seconds),
        room: "attic".into(),
        celsius,
        steps: seconds + 1,
        open: false,
        note: Some(note.into()),
    };
    assert_eq!(rows[0].values, [row(1, 21.25, "a \"warm\" day"), row(2, 22.75, "äöü")]);

    // Several statements of one request.
    let both =
        ReadQuery::new("SELECT mean(celsius) FROM climate").add_query("SHOW TAG VALUES FROM climate WITH KEY = room");
    let mut result = client.json_query(both).await.expect("two results");
    let means = result.deserialize_next::<Mean>().expect("a mean").series;
    assert_eq!(means[0].values, [Mean { mean: (7.5 + 21.25 + 22.75) / 3.0 }]);
    let tags = result.deserialize_next::<Tag>().expect("tag values").series;
    assert_eq!(tags[0].values.iter().map(|tag| tag.value.as_str()).collect::<Vec<_>>(), ["attic", "cellar, left"]);
    assert!(tags[0].values.iter().all(|tag| tag.key == "room") && result.results.is_empty());

    // Groups, whose tags come beside the rows.
    let groups = ReadQuery::new("SELECT mean(celsius) FROM climate GROUP BY room");
    let mut result = client.json_query(groups).await.expect("groups");
    let groups = result.deserialize_next_tagged::<Room, Mean>().expect("with tags").series;
    let groups: Vec<_> = groups.into_iter().map(|series| (series.tags.room, series.values[0].mean)).collect();
    assert_eq!(groups, [("attic".to_owned(), 22.0), ("cellar, left".to_owned(), 7.5)]);

    let odd = client.query(ReadQuery::new("SELECT * FROM \"odd name\"")).await.expect("the point by hand");
    for part in ["x=1, y", "-3", "0.5", "back\\\\slash", "true", "2026-01-01T00:00:00Z"] {
        assert!(odd.contains(part), "{part} is not in {odd}");
    }
}

/// What the crate makes of refusals: words of the server, and of one statement of several.
async fn errors(client: &Client, url: &str) {
    let nowhere = Client::new(url, "nowhere");
    let refused = nowhere.query(reading(0, "attic", 1.0, None).into_query("climate")).await;
    assert!(format!("{refused:?}").contains("database not found"), "{refused:?}");
    let refused = client.query(ReadQuery::new("SELECT FROM climate")).await;
    assert!(
        matches!(&refused, Err(Error::DatabaseError { error }) if error.contains("error parsing query")),
        "{refused:?}"
    );
    let time = at(0);
    let conflict = Timestamp::Seconds(time.timestamp() as u128).into_query("climate").add_field("celsius", "warm");
    let refused = client.query(conflict).await;
    assert!(format!("{refused:?}").contains("field type conflict"), "{refused:?}");
    let nobody = Client::new("http://127.0.0.1:9", "rust db").ping().await;
    assert!(matches!(nobody, Err(Error::ProtocolError { .. })), "{nobody:?}");
}
