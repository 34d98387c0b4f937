//! What strangers install: an archive, a Debian package, checksums, and a try of each on a fresh folder.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::repo::{Outcome, Repo, Tally, output, run, say, succeeds};

const SHELLS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/isopoint"),
    ("zsh", "usr/share/zsh/vendor-completions/_isopoint"),
    ("fish", "usr/share/fish/vendor_completions.d/isopoint.fish"),
];
const MUSL: &str = "x86_64-unknown-linux-musl";

/// Builds all into `release` of the target folder. The dashboard is what `cargo xtask www` left in `www/dist`.
pub(crate) fn release(repo: &Repo) -> Outcome {
    let place = repo.target.join("release-artefacts");
    let _ = fs::remove_dir_all(&place);
    make(&place)?;
    run(repo.command("cargo").args(["build", "--release", "--package", "isopoint-server"]))?;
    let program = repo.target.join("release/isopoint");
    let version = output(Command::new(&program).arg("--version"))?.replace("isopoint ", "");
    let mut made = vec![archive(repo, &program, &place, &format!("isopoint-{version}-linux"))?];
    let installed = output(repo.command("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
    if installed.lines().any(|line| line == MUSL) {
        run(repo.command("cargo").args(["build", "--release", "--package", "isopoint-server", "--target", MUSL]))?;
        let program = repo.target.join(MUSL).join("release/isopoint");
        made.push(archive(repo, &program, &place, &format!("isopoint-{version}-linux-static"))?);
    } else {
        say(&format!(
            "no static program: `rustup target add {MUSL}` and a C compiler for it (musl-tools) make one possible"
        ));
    }
    made.push(debian(repo, &program, &place, &version)?);
    let npm = repo.root.join("wasm/npm");
    if npm.join("dist").exists() {
        run(repo.command("npm").args(["pack", "--pack-destination"]).arg(&place).current_dir(&npm))?;
    } else {
        say("no npm package: `cargo xtask wasm` builds what is in it");
    }
    checksums(&place)?;
    let mut tried = 0;
    for artefact in &made {
        try_it(artefact, &place.join("try"))?;
        tried += 1;
    }
    let _ = fs::remove_dir_all(place.join("try"));
    say(&format!("artefacts are in {}; each was installed and answered", place.display()));
    Ok(Tally { passed: tried, failed: 0 })
}

fn make(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Outcome<()> {
    make(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map(drop).map_err(|why| format!("{} to {}: {why}", from.display(), to.display()))
}

/// What every artefact holds, below a root as a system has it.
fn tree(repo: &Repo, program: &Path, root: &Path) -> Outcome<()> {
    copy(program, &root.join("usr/bin/isopoint"))?;
    run(Command::new(program).arg("man").arg(root.join("usr/share/man/man1")))?;
    for (shell, path) in SHELLS {
        let text = output(Command::new(program).args(["completions", shell]))?;
        let path = root.join(path);
        make(path.parent().unwrap_or(root))?;
        fs::write(&path, text + "\n").map_err(|why| format!("{}: {why}", path.display()))?;
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md", "COMPAT.md"] {
        copy(&repo.root.join(name), &root.join("usr/share/doc/isopoint").join(name))?;
    }
    for name in ["grafana-dashboard.json", "alert-rules.yml"] {
        copy(&repo.root.join("docs").join(name), &root.join("usr/share/doc/isopoint").join(name))?;
    }
    Ok(())
}

fn archive(repo: &Repo, program: &Path, place: &Path, name: &str) -> Outcome<PathBuf> {
    let root = place.join("tree").join(name);
    tree(repo, program, &root)?;
    let file = place.join(format!("{name}.tar.gz"));
    run(Command::new("tar").arg("-C").arg(place.join("tree")).arg("-czf").arg(&file).arg(name))?;
    fs::remove_dir_all(place.join("tree")).map_err(|why| why.to_string())?;
    Ok(file)
}

fn debian(repo: &Repo, program: &Path, place: &Path, version: &str) -> Outcome<PathBuf> {
    let root = place.join("deb");
    tree(repo, program, &root)?;
    let pages = root.join("usr/share/man/man1");
    let entries = fs::read_dir(&pages).map_err(|why| format!("{}: {why}", pages.display()))?;
    run(Command::new("gzip").args(["-9n"]).args(entries.flatten().map(|entry| entry.path())))?;
    let packaging = repo.root.join("packaging");
    copy(&packaging.join("isopoint.service"), &root.join("usr/lib/systemd/system/isopoint.service"))?;
    copy(&packaging.join("isopoint.toml"), &root.join("etc/isopoint/isopoint.toml"))?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let control = format!(
        "Package: isopoint\nVersion: {version}\nArchitecture: {architecture}\nSection: database\nPriority: optional\n\
         Depends: libc6, passwd\nMaintainer: The Isopoint authors <isopoint@localhost>\n\
         Description: time-series server with the APIs of InfluxDB, Datadog, Grafana and Facette\n \
         One binary, four HTTP APIs on one port, and a dashboard whose engine runs in the page.\n"
    );
    make(&root.join("DEBIAN"))?;
    let write = |name: &str, text: String| {
        fs::write(root.join("DEBIAN").join(name), text).map_err(|why| format!("{name}: {why}"))
    };
    write("control", control)?;
    write("conffiles", "/etc/isopoint/isopoint.toml\n".to_owned())?;
    for script in ["postinst", "prerm"] {
        copy(&packaging.join(script), &root.join("DEBIAN").join(script))?;
        run(Command::new("chmod").arg("755").arg(root.join("DEBIAN").join(script)))?;
    }
    let file = place.join(format!("isopoint_{version}_{architecture}.deb"));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&root).arg(&file))?;
    fs::remove_dir_all(&root).map_err(|why| why.to_string())?;
    Ok(file)
}

/// `SHA256SUMS`, signed when `ISOPOINT_SIGN_KEY` names a key of GnuPG.
fn checksums(place: &Path) -> Outcome<()> {
    let entries = fs::read_dir(place).map_err(|why| format!("{}: {why}", place.display()))?;
    let mut names: Vec<_> =
        entries.flatten().filter(|entry| entry.path().is_file()).map(|entry| entry.file_name()).collect();
    names.sort();
    let sums = output(Command::new("sha256sum").args(&names).current_dir(place))?;
    let file = place.join("SHA256SUMS");
    fs::write(&file, sums + "\n").map_err(|why| format!("{}: {why}", file.display()))?;
    match std::env::var("ISOPOINT_SIGN_KEY") {
        Ok(key) => {
            run(Command::new("gpg").args(["--batch", "--armor", "--detach-sign", "--local-user", &key]).arg(&file))
                .map(drop)
        }
        Err(_) => {
            say("SHA256SUMS is not signed: ISOPOINT_SIGN_KEY names no key");
            Ok(())
        }
    }
}

/// Unpacks an artefact into an empty folder and does with it what the README does first.
fn try_it(artefact: &Path, place: &Path) -> Outcome<()> {
    let _ = fs::remove_dir_all(place);
    make(place)?;
    let name = artefact.to_string_lossy();
    if name.ends_with(".deb") {
        run(Command::new("dpkg-deb").arg("-x").arg(artefact).arg(place))?;
    } else {
        run(Command::new("tar").args(["--strip-components", "1", "-C"]).arg(place).arg("-xzf").arg(artefact))?;
    }
    let program = place.join("usr/bin/isopoint");
    let mut serve = Command::new(&program);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--no-self-metrics", "--data-dir"]).arg(place.join("data"));
    let mut server =
        serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|why| format!("{name}: {why}"))?;
    let lines = server.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok);
    let host = lines.into_iter().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let tried = host.ok_or_else(|| format!("{name}: the server did not start")).and_then(|host| {
        let ask = |text: &str| output(Command::new(&program).args(["query", "--host", &host, "-e", text]));
        ask("CREATE DATABASE home")?;
        let points = place.join("points.lp");
        fs::write(&points, "temp,room=kitchen c=21.5\n").map_err(|why| why.to_string())?;
        run(Command::new(&program).arg("import").arg(&points).args(["--host", &host, "-d", "home"]))?;
        let answer = ask("SELECT mean(c) FROM home..temp GROUP BY room")?;
        if answer.contains("21.5") { Ok(()) } else { Err(format!("{name}: the answer is {answer}")) }
    });
    let _ = server.kill();
    let _ = server.wait();
    tried
}

/// The pages of the reference, and the book where mdBook is installed.
pub(crate) fn docs(repo: &Repo) -> Outcome {
    run(repo.command("cargo").args(["build", "--package", "isopoint-server"]))?;
    let program = repo.target.join("debug/isopoint");
    let page = |name: &str, title: &str, about: &str, text: String| {
        let path = repo.root.join("docs/src/reference").join(name);
        let text = format!("# {title}\n\n{about}\n\n```text\n{text}\n```\n");
        fs::write(&path, text).map_err(|why| format!("{}: {why}", path.display()))
    };
    let settings = output(Command::new(&program).args(["config", "init", "-"]))?;
    page("generated-settings.md", "Settings", "What `isopoint config init` writes.", settings)?;
    let paths = output(Command::new(&program).arg("routes"))?;
    page("generated-paths.md", "Paths of the HTTP API", "API, what a caller needs, path, methods.", paths)?;
    let counters = output(Command::new(&program).args(["routes", "--counters"]))?;
    page("generated-counters.md", "Counters", "What `/metrics` tells.", counters)?;
    if succeeds(repo.command("mdbook").arg("--version")) {
        run(repo.command("mdbook").arg("build").arg("docs").arg("--dest-dir").arg(repo.target.join("book")))?;
    } else {
        say("the book is not built: `cargo install mdbook` makes that possible; its pages are in docs/src");
    }
    Ok(Tally::ONE)
}

/// Licences, advisories, duplicates and sources of what the code depends on, by cargo-deny.
pub(crate) fn deny(repo: &Repo) -> Outcome {
    if !succeeds(repo.command("cargo").args(["deny", "--version"])) {
        run(repo.command("cargo").args(["install", "cargo-deny", "--locked"]))?;
    }
    run(repo.command("cargo").args(["deny", "check"]))
}

/// The decoders of outside bytes under Miri. The one unsafe line maps files, which Miri cannot: it is beside its reason.
pub(crate) fn miri(repo: &Repo) -> Outcome {
    let mut command = repo.command("cargo");
    command.args(["+nightly", "miri", "test", "--package", "isopoint-core", "--lib", "--"]);
    run(command
        .args(["codec::varint", "codec::checksum", "codec::bits", "auth::"])
        .env("MIRIFLAGS", "-Zmiri-disable-isolation"))
}

/// Ten minutes of everything at once with faults; `SOAK_SECS` says otherwise.
pub(crate) fn soak(repo: &Repo) -> Outcome {
    // Debug assertions carry the injected panic.
    run(repo.command("cargo").args(["build", "--package", "isopoint-server"]))?;
    let seconds = std::env::var("SOAK_SECS").unwrap_or_else(|_| "600".to_owned());
    let mut command = repo.command("cargo");
    command.args(["test", "--package", "isopoint-tests", "--test", "soak", "--", "--nocapture"]);
    run(command.env("SOAK_SECS", seconds))
}

/// The HTTP API held against its description by schemathesis: no crash, no status that the description does not have.
/// `OPENAPI_SECS` says how long, two minutes otherwise.
pub(crate) fn openapi(repo: &Repo) -> Outcome {
    run(repo.command("cargo").args(["build", "--package", "isopoint-server"]))?;
    let program = repo.target.join("debug/isopoint");
    let folder = repo.tools.join("schemathesis");
    let tool = folder.join("bin/schemathesis");
    if !tool.exists() {
        say(&format!("installing schemathesis into {}", folder.display()));
        run(repo.command("python3").args(["-m", "venv"]).arg(&folder))?;
        run(repo.command(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet", "schemathesis==4.32.5"]))?;
    }
    let place = repo.target.join("openapi");
    let _ = fs::remove_dir_all(&place);
    make(&place)?;
    let description = place.join("openapi.json");
    let text = output(Command::new(&program).args(["routes", "--openapi"]))?;
    fs::write(&description, text).map_err(|why| format!("{}: {why}", description.display()))?;
    let mut serve = Command::new(&program);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--no-self-metrics", "--data-dir"]).arg(place.join("data"));
    let mut server = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|why| why.to_string())?;
    let lines = server.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok);
    let host = lines.into_iter().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let seconds = std::env::var("OPENAPI_SECS").unwrap_or_else(|_| "120".to_owned());
    let tested = host.ok_or_else(|| "the server did not start".to_owned()).and_then(|host| {
        let mut command = repo.command(&tool);
        command.arg("run").arg(&description).args(["--url", &host, "--phases", "fuzzing", "--max-time", &seconds]);
        command.args(["--checks", "not_a_server_error,status_code_conformance", "--max-examples", "10"]);
        // These answer for as long as somebody listens.
        command.args(["--exclude-path", "/sync/tail", "--exclude-path", "/debug/requests", "--no-color"]);
        run(command.args(["--request-timeout", "10", "--warnings", "off"]))
    });
    let _ = server.kill();
    let _ = server.wait();
    tested
}
