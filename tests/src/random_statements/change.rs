//! Writes, deletions and what is left after them, in a database of their own.

use super::{Ask, START, Seeded};
use crate::case::{FORM, Request, form};

pub(super) fn change(random: &mut Seeded) -> Vec<Ask> {
    // Anew each time: InfluxDB remembers the fields of a measurement that is gone.
    let mut asks: Vec<Ask> = ["DROP DATABASE scratch", "CREATE DATABASE scratch"]
        .map(|text| (text.to_owned(), Request::statement(text)))
        .into();
    for _ in 0..=random.below(2) {
        asks.push(write(random));
    }
    let deleted = random.chance(60);
    if deleted {
        asks.push(deletion(random));
    }
    let look = [
        "SHOW SERIES",
        "SHOW MEASUREMENTS",
        "SHOW TAG VALUES WITH KEY = h",
        "SHOW TAG KEYS",
        "SELECT v, i FROM c",
        "SELECT v, h FROM c, d",
        "SELECT count(v) FROM /c|d/",
        "SELECT * FROM c",
        "SELECT * FROM d",
        "SELECT count(*) FROM /c|d/",
    ];
    // InfluxDB 1.6 lists fields whose last points are gone.
    let looks = if deleted { &look[..7] } else { &look[..] };
    for _ in 0..3 {
        let text = random.pick(looks);
        asks.push((text.to_owned(), Request::get("/query", &[("db", "scratch"), ("epoch", "s"), ("q", text)])));
    }
    asks
}

/// A body, with a line that is wrong now and then.
fn write(random: &mut Seeded) -> Ask {
    let precision = random.pick(&["", "", "ns", "s", "ms", "u", "m", "h", "n"]);
    let unit: u64 = match precision {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "u" => 1000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => 1,
    };
    let mut lines = Vec::new();
    for _ in 0..random.below(4) + 1 {
        let measurement = random.pick(&["c", "d", "c\\ 2", "e\\,f"]);
        let tags = random.pick(&["", ",h=a", ",h=b", ",h=a,z=1", ",z=2,h=b", ",h=x\\ y", ",k\\=1=v"]);
        let field = random.pick(&[
            "v=1",
            "v=2.5",
            "v=-3e2",
            "i=5i",
            "i=-7i",
            "s=\"text\"",
            "s=\"a \\\"b\\\"\"",
            "b=true",
            "b=f",
            "v=1,i=2i",
            "w=1",
            "v=1,v=2",
            "x=9223372036854775807i",
            "y=1e300",
            "t=T",
        ]);
        let time = (START + random.below(50) * 3600) * 1_000_000_000 / unit;
        lines.push(format!("{measurement}{tags} {field} {time}"));
    }
    if random.chance(30) {
        let wrong = random.pick(&[
            "c",
            "c ",
            "c v",
            "c v=",
            "c v=1 x",
            "c,h v=1 1",
            "c,h= v=1 1",
            "c,=a v=1 1",
            ",h=a v=1 1",
            "c v=\"open 1",
            "c v=1i2 1",
            "c v=99999999999999999999i 1",
            "c v=nan 1",
            "c v=tru 1",
            "# comment",
            "",
            "c v=1u 1",
            "c,h=a,h=b v=1 1",
            "c v=1 99999999999999999999",
            "c v=1, 1",
            "c =1 1",
            "c v=1 1 1",
            "c\\ v=1 1",
            "c v=--1 1",
        ]);
        let at = random.below(lines.len() as u64 + 1) as usize;
        lines.insert(at, wrong.to_owned());
    }
    let body = lines.join("\n");
    let mut query = vec![("db", "scratch")];
    if !precision.is_empty() {
        query.push(("precision", precision));
    }
    (format!("write {precision} {body}"), Request::post("/write", &query, body))
}

fn deletion(random: &mut Seeded) -> Ask {
    let text = random
        .pick(&[
            "DELETE FROM c WHERE h = 'a'",
            "DELETE WHERE h = 'b' AND time > 1677700000s",
            "DELETE FROM d",
            "DELETE FROM c WHERE time < 1677700000s",
            "DELETE FROM c, d WHERE h = 'a' AND time >= 1677650000s AND time < 1677720000s",
            "DELETE FROM /./ WHERE h != 'a' OR z = '1'",
            "DELETE FROM /c.*/ WHERE z != ''",
            "DROP SERIES FROM c WHERE h = 'a'",
            "DROP SERIES WHERE z = '2'",
            "DROP MEASUREMENT c",
            "DROP MEASUREMENT d",
            "DROP SERIES FROM c WHERE time > 5",
        ])
        .to_owned();
    let request = Request::post("/query", &[("db", "scratch")], form(&[("q", text.as_str())]));
    (text, request.with("Content-Type", FORM))
}
