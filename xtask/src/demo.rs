//! Everything built and running, for a person to look at.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use crate::repo::{Outcome, Repo, Tally, run, say};
use crate::{wasm, www};

/// Where `isopoint serve` listens when nothing else is said.
const ADDRESS: &str = "127.0.0.1:8086";
/// How long the server may take to come up before its data is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// NOAA's weather records, in the public domain, as the npm package vega-datasets ships them: file, measurement, tags.
const WEATHER: [(&str, &str, &str); 2] =
    [("seattle-weather-hourly-normals.csv", "seattle_hourly", ""), ("weather.csv", "daily", "location")];

/// Builds in release and becomes `isopoint serve`, so that Ctrl-C and signals reach the server itself. A second process
/// imports the weather as soon as the server answers, and ends.
///
/// Points stay in demo-data of the target folder from one demo to the next. `flags` come last and so win.
pub(crate) fn serve(repo: &Repo, flags: &[String]) -> Outcome {
    wasm::build(repo)?;
    www::build(repo)?;
    run(repo.command("cargo").args(["build", "--release", "--package", "isopoint-server"]))?;

    let address = flags.iter().skip_while(|flag| *flag != "--listen").nth(1).map_or(ADDRESS, String::as_str);
    let own = std::env::current_exe().map_err(|why| format!("cannot find xtask itself: {why}"))?;
    let importer = repo.command(own).args(["weather", address]).spawn();
    importer.map_err(|why| format!("cannot start the import: {why}"))?;

    let data = repo.target.join("demo-data");
    say(&format!("points are kept in {}; Ctrl-C stops the server", data.display()));
    say(&format!("when it listens, open http://{address} in a browser"));
    let mut server = repo.command(repo.target.join("release/isopoint"));
    let why = server.arg("serve").arg("--data-dir").arg(data).args(flags).exec();
    Err(format!("cannot start {}: {why}", server.get_program().display()))
}

/// Imports the weather into the server at `address` once that answers. Doing so again changes nothing.
pub(crate) fn weather(repo: &Repo, address: &str) -> Outcome {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if start.elapsed() > PATIENCE {
            return Err(format!("nothing answers at {address}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    for (file, measurement, tags) in WEATHER {
        let mut import = repo.command(repo.target.join("release/isopoint"));
        import.args(["import", "--host", &format!("http://{address}"), "--database", "weather"]);
        import.args(["--shard-duration", "520w", "--measurement", measurement]);
        if !tags.is_empty() {
            import.args(["--tags", tags]);
        }
        run(import.arg(repo.root.join("node_modules/vega-datasets/data").join(file)))?;
    }
    Ok(Tally::ONE)
}
