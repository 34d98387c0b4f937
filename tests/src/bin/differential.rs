//! Holds the engine against a real InfluxDB (`ISOPOINT_INFLUXD`, else `influxd` on the path).
//!
//! ```text
//! differential [COUNT [SEED]]   asks COUNT random things (300 from seed 7) and prints what is answered differently
//! differential ask [SEED]       asks each line of the input, over the data of that seed
//! ```

use isopoint_tests::case::{Profile, Request};
use isopoint_tests::engines::{Core, Engine as _, Influxd, influxd_program};
use isopoint_tests::random_statements::{self, Difference, Seeded};
use std::io::BufRead as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("differential: {why}");
            ExitCode::from(2)
        }
    }
}

/// How many answers differ.
fn run(args: &[String]) -> Result<usize, String> {
    let program = influxd_program().ok_or("there is no influxd")?;
    let mut theirs = Influxd::start(&program, Profile::Default)?;
    let mut ours = Core::new(Profile::Default);
    let number = |at: usize, otherwise: u64| match args.get(at) {
        Some(text) => text.parse().map_err(|_| format!("no number: {text}")),
        None => Ok(otherwise),
    };
    if args.first().is_some_and(|arg| arg == "ask") {
        for request in random_statements::data(&mut Seeded::new(number(1, 7)?)) {
            theirs.answer(&request, None)?;
            ours.answer(&request, None)?;
        }
        let mut differing = 0;
        for line in std::io::stdin().lock().lines() {
            let text = line.map_err(|why| why.to_string())?;
            let request = match text.strip_prefix("> ") {
                Some(points) => Request::post("/write", &[("db", "fuzz")], points),
                None => Request::get("/query", &[("db", "fuzz"), ("epoch", "s"), ("q", &text)]),
            };
            match random_statements::compare(&(text.clone(), request.clone()), &mut theirs, &mut ours)? {
                Some(difference) => {
                    differing += 1;
                    tell(&difference);
                }
                None => println!("same: {text}\n  {}", theirs.answer(&request, None)?.text().trim()),
            }
        }
        return Ok(differing);
    }
    let found = random_statements::search(number(1, 7)?, number(0, 300)?, &mut theirs, &mut ours, &mut tell)?;
    println!("{} asked, {} known, {} differ", found.asked, found.known, found.differences.len());
    Ok(found.differences.len())
}

fn tell(difference: &Difference) {
    print!("{difference}");
}
