//! Random requests whose answers of two engines are held against each other: data, statements of every kind, and
//! statements with a mistake in them. All of it follows from a seed.

mod change;
mod known;
mod mistake;
mod select;
mod show;

use crate::answer::Answer;
use crate::case::Request;
use crate::compare::Rules;
use crate::engines::Engine;
pub use known::known;

/// Numbers that are the same on every run.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }

    fn chance(&mut self, in_a_hundred: u64) -> bool {
        self.below(100) < in_a_hundred
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The first second of the data.
const START: u64 = 1_677_628_800;

/// Databases and points. `m` and `n` have no two points at one time, `k` has those of its four series at the same times.
pub fn data(random: &mut Seeded) -> Vec<Request> {
    let mut requests = vec![Request::statement("CREATE DATABASE fuzz"), Request::statement("CREATE DATABASE scratch")];
    let mut lines = String::new();
    for at in 0..150 {
        let measurement = random.pick(&["m", "m", "n"]);
        let tags = random.pick(&[",h=a", ",h=b", ",h=c,z=1", ""]);
        let time = START + at * 17 + random.below(16);
        lines.push_str(&format!("{measurement}{tags} {} {time}000000000\n", fields(random)));
    }
    for at in 0..40 {
        let time = START + at * 60;
        for tags in ["h=a", "h=b", "h=b,z=1", "h=c,z=2"].iter().filter(|_| random.below(5) > 0).collect::<Vec<_>>() {
            lines.push_str(&format!("k,{tags} {} {time}000000000\n", fields(random)));
        }
    }
    requests.push(Request::post("/write", &[("db", "fuzz")], lines));
    requests
}

fn fields(random: &mut Seeded) -> String {
    let mut fields = vec![format!("v={}", random.below(200) as f64 / 4.0 - 20.0)];
    if random.below(3) > 0 {
        fields.push(format!("i={}i", random.below(30) as i64 - 10));
    }
    if random.below(3) == 0 {
        fields.push(format!("s=\"{}\"", random.pick(&["x", "yy", "", "z"])));
    }
    if random.below(3) == 0 {
        fields.push(format!("b={}", random.below(2) == 0));
    }
    fields.join(",")
}

/// A request, and the statement in it or what else says what it is about.
pub type Ask = (String, Request);

/// What is asked in one go, by kind, and how many of a hundred each kind is.
const KINDS: &[(u64, fn(&mut Seeded) -> Vec<Ask>)] = &[
    (52, |random| {
        let text = select::select(random, 0);
        vec![asked(random, text)]
    }),
    (16, |random| {
        let text = select::select(random, 1);
        vec![asked(random, text)]
    }),
    (12, |random| {
        let text = show::show(random);
        vec![asked(random, text)]
    }),
    (14, |random| {
        let text = mistake::mistaken(random);
        vec![asked(random, text)]
    }),
    (6, change::change),
];

/// The next thing to ask: one request, or several that belong together.
pub fn next(random: &mut Seeded) -> Vec<Ask> {
    let mut at = random.below(100);
    for (share, make) in KINDS {
        if at < *share {
            return make(random);
        }
        at -= share;
    }
    Vec::new()
}

/// A statement as a request, in one of the forms that answers have.
fn asked(random: &mut Seeded, text: String) -> Ask {
    let mut query = vec![("db", "fuzz"), ("q", text.as_str())];
    match random.below(10) {
        0 => {}
        1 => query.push(("epoch", random.pick(&["ns", "u", "ms", "m", "h", "x"]))),
        2 => query.extend([("chunked", "true"), ("chunk_size", random.pick(&["1", "3", "100"]))]),
        _ => query.push(("epoch", "s")),
    }
    let request = Request::get("/query", &query);
    let request = match random.below(12) {
        0 => request.with("Accept", "text/csv"),
        1 => request.with("Accept", "application/x-msgpack"),
        _ => request,
    };
    (text, request)
}

/// What two engines answered differently.
#[derive(Debug)]
pub struct Difference {
    pub text: String,
    pub asked: Request,
    /// In words.
    pub why: String,
    pub theirs: Answer,
    pub ours: Answer,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n  {}\n  {}", self.text, self.asked.brief(), self.why)?;
        for (name, answer) in [("theirs", &self.theirs), ("ours", &self.ours)] {
            writeln!(f, "  {name} {} {}", answer.status, answer.text().trim())?;
        }
        Ok(())
    }
}

/// Asks both; `None` when the answers are the same.
pub fn compare(ask: &Ask, theirs: &mut dyn Engine, ours: &mut dyn Engine) -> Result<Option<Difference>, String> {
    let (text, request) = ask;
    let mut rules = Rules::default();
    rules.ignore(&["X-Influxdb-Build".to_owned(), "X-Influxdb-Version".to_owned()]);
    let want = theirs.answer(request, None)?;
    let (got, why) = match ours.answer(request, None) {
        Ok(got) => {
            let why = rules.same(&want, &got).err();
            (got, why)
        }
        Err(why) => (Answer::default(), Some(why)),
    };
    Ok(why.map(|why| Difference { text: text.clone(), asked: request.clone(), why, theirs: want, ours: got }))
}

/// How a search went.
#[derive(Debug, Default)]
pub struct Found {
    pub asked: u64,
    /// Left out, being [`known`].
    pub known: u64,
    pub differences: Vec<Difference>,
}

/// Asks both engines `count` things; `told` hears of every difference at once.
pub fn search(
    seed: u64,
    count: u64,
    theirs: &mut dyn Engine,
    ours: &mut dyn Engine,
    told: &mut dyn FnMut(&Difference),
) -> Result<Found, String> {
    let mut random = Seeded::new(seed);
    for request in data(&mut random) {
        theirs.answer(&request, None)?;
        ours.answer(&request, None)?;
    }
    let mut found = Found::default();
    for _ in 0..count {
        let mut before = String::new();
        for mut ask in next(&mut random) {
            found.asked += 1;
            if known(&ask.0).is_some() {
                found.known += 1;
                continue;
            }
            let text = format!("{before}{}", ask.0);
            before = format!("{text}\n");
            ask.0 = text;
            if let Some(difference) = compare(&ask, theirs, ours)? {
                // An answer that neither can print; the texts say so in each version's own way.
                if difference.theirs.text().starts_with("json: error") && difference.ours.text().contains("unsupported")
                {
                    found.known += 1;
                    continue;
                }
                told(&difference);
                found.differences.push(difference);
            }
        }
    }
    Ok(found)
}
