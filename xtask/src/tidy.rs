//! The arrows inside core: who may name whom.
//!
//! ```text
//! dialect/<one> ──► plan ──► index ─► model ─► words
//!          └──────► exec ──► store::snapshot, store::block
//!                   store ─► catalog, index, codec, model
//! ```
//!
//! Paths that begin with `crate::` are read from the source text and held against [`LAYERS`]. Tests may name anything.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repo::{Outcome, Repo, Tally};

/// Modules below all others. They may name each other.
const WORDS: &[&str] = &["extent", "hash", "limits", "memo", "number", "order", "pattern", "sorted", "time", "value"];

/// A module of core, and the modules it may name besides itself and [`WORDS`].
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("auth", &["catalog", "codec"]),
    ("catalog", &["codec", "model"]),
    ("codec", &["model"]),
    ("index", &["model"]),
    // Sampling folds slices by the same loops as the executor.
    ("sample", &["exec::exact_sum", "exec::fold", "model"]),
    ("store", &["catalog", "codec", "index", "model"]),
    ("plan", &["catalog", "index", "model", "sample"]),
    // Of the store only what a snapshot shows: never its log, its manifest or its state.
    (
        "exec",
        &[
            "codec",
            "index",
            "model",
            "plan",
            "sample",
            "store::ByteRange",
            "store::Snapshot",
            "store::block",
            "store::memtable::Chunk",
            "store::snapshot",
            "store::tombstone",
        ],
    ),
    ("sync", &["catalog", "codec", "index", "model", "plan", "store"]),
    // What the dialects share: routes, exchanges, forms.
    ("dialect", &["auth", "catalog", "exec", "index", "model", "plan", "sample", "store"]),
];

/// What one dialect, a folder of `dialect`, may name besides the shared part of `dialect`. Never another dialect, so
/// that a fifth touches one folder.
///
/// A dialect runs its plans and reports writes, so it knows the executor's task and how a write ends.
const ONE_DIALECT: &[&str] = &[
    "auth",
    "catalog",
    // Documents of a dialect's own are laid out by it.
    "codec",
    "exec",
    "index",
    "model",
    "plan",
    "sample",
    "store::ByteRange",
    "store::Refusal",
    "store::Snapshot",
    "store::WriteError",
    "store::Written",
    "store::snapshot",
];

/// Reads every source file of core and reports each arrow against the grain.
pub(crate) fn layers(repo: &Repo) -> Outcome {
    let source = repo.root.join("core/src");
    let mut files = Vec::new();
    collect(&source, &mut files)?;
    let dialects = dialects(&files, &source);
    let mut complaints = Vec::new();
    for file in &files {
        let module = module(file.strip_prefix(&source).expect("collected below core/src"));
        if module == "lib" || module.split("::").any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
        for complaint in against_the_grain(&module, &dialects, &text) {
            let file = file.strip_prefix(&repo.root).unwrap_or(file);
            complaints.push(format!("{}:{complaint}", file.display()));
        }
    }
    if complaints.is_empty() {
        println!("{} files of core, {} dialects: every arrow points the right way", files.len(), dialects.len());
        return Ok(Tally::ONE);
    }
    println!("{}", complaints.join("\n"));
    Err(format!("{} arrows against the grain", complaints.len()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut paths: Vec<PathBuf> =
        entries.map_err(|why| format!("{}: {why}", folder.display()))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// `dialect/influx/parse.rs` is `dialect::influx::parse`.
fn module(file: &Path) -> String {
    let parts: Vec<_> = file.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("::").trim_end_matches(".rs").to_owned()
}

/// The folders of `dialect`.
fn dialects(files: &[PathBuf], source: &Path) -> Vec<String> {
    let folder = source.join("dialect");
    let inside = files.iter().filter_map(|file| file.strip_prefix(&folder).ok());
    let mut names: Vec<String> = inside
        .filter(|file| file.iter().count() > 1)
        .filter_map(|file| Some(file.iter().next()?.to_string_lossy().into_owned()))
        .collect();
    names.dedup();
    names
}

/// A `line: why` for each path in `text`, the source of `module`, that it may not name.
fn against_the_grain(module: &str, dialects: &[String], text: &str) -> Vec<String> {
    let code = without_comments_and_tests(text);
    let top = module.split("::").next().unwrap_or(module);
    let dialect = module.strip_prefix("dialect::").and_then(|rest| rest.split("::").next());
    let dialect = dialect.filter(|name| dialects.iter().any(|dialect| dialect == name));
    let may = match (dialect, LAYERS.iter().find(|(name, _)| *name == top)) {
        (Some(_), _) => ONE_DIALECT,
        (None, Some((_, may))) => may,
        (None, None) if WORDS.contains(&top) => &[],
        (None, None) => return vec![format!("1: module `{top}` has no place in xtask/src/tidy.rs")],
    };

    let others: Vec<&str> =
        dialects.iter().map(String::as_str).filter(|other| dialect.is_some_and(|d| d != *other)).collect();

    let mut complaints = Vec::new();
    for (offset, path) in paths_after("crate::", &code) {
        let below =
            |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        let other = path.strip_prefix("dialect::").and_then(|rest| rest.split("::").next());
        let foreign = other.is_some_and(|other| others.contains(&other));
        if foreign || !below(&top) && !WORDS.iter().any(below) && !may.iter().any(below) {
            complaints.push((offset, format!("`{module}` may not name `{path}`; it may name {}", may.join(", "))));
        }
    }
    for (offset, path) in paths_after("super::", &code) {
        let other = path.trim_start_matches("super::").split("::").next().unwrap_or("");
        if others.contains(&other) {
            complaints.push((offset, format!("`{module}` may not name another dialect, `{other}`")));
        }
    }
    complaints.sort();
    let line = |offset: usize| code[..offset].matches('\n').count() + 1;
    complaints.into_iter().map(|(offset, why)| format!("{}: {why}", line(offset))).collect()
}

/// The text up to its test module, line comments blanked; lines keep their numbers.
fn without_comments_and_tests(text: &str) -> String {
    let tests = text.match_indices("#[cfg(test)]").find(|(at, found)| {
        let module = text[at + found.len()..].trim_start().strip_prefix("mod ");
        module.is_some_and(|module| module.trim_start_matches(is_word).starts_with(" {"))
    });
    let code = tests.map_or(text, |(at, _)| &text[..at]);
    code.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect()
}

/// Every path after `root`, groups written out: `crate::{model::A, time}` is `model::A` and `time`.
fn paths_after(root: &str, code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for (offset, _) in code.match_indices(root) {
        if !code[..offset].ends_with(|c| is_word(c) || c == ':') {
            use_tree(&code[offset + root.len()..], "", offset, &mut paths);
        }
    }
    paths
}

/// Reads one path or group at the start of `text` and returns what follows it.
fn use_tree<'a>(text: &'a str, parent: &str, offset: usize, paths: &mut Vec<(usize, String)>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            match rest.strip_prefix('}') {
                Some(rest) => return rest,
                None if rest.starts_with(|c: char| is_word(c) || c == '{') => {
                    rest = use_tree(rest, parent, offset, paths);
                }
                None => return rest,
            }
        }
    }
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}::{name}") };
    match rest.strip_prefix("::") {
        Some(inner) if inner.starts_with(|c: char| is_word(c) || c == '{') => use_tree(inner, &path, offset, paths),
        _ => {
            paths.push((offset, path));
            let renamed = rest.trim_start().strip_prefix("as ").map(|rest| rest.trim_start_matches(is_word));
            renamed.unwrap_or_else(|| rest.strip_prefix("::*").unwrap_or(rest))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(module: &str, text: &str, lines: &[usize]) {
        let dialects = ["facette", "influx"].map(String::from);
        let complaints = against_the_grain(module, &dialects, text);
        let found: Vec<usize> =
            complaints.iter().map(|why| why.split(':').next().unwrap_or("").parse().unwrap()).collect();
        assert_eq!(found, lines, "{complaints:#?}");
    }

    #[test]
    fn arrows_down_are_fine() {
        check("exec::scan", "use crate::plan::Plan;\nuse crate::store::snapshot::Snapshot;\nuse crate::time;", &[]);
        check("dialect::influx::query", "use crate::exec::QueryTask;\nuse crate::store::WriteError;", &[]);
        check("dialect::influx::compile", "use crate::plan::Plan;\nuse crate::dialect::json::Writer;", &[]);
        check("dialect::route", "use crate::dialect::{facette, influx};\nuse crate::exec::task::QueryTask;", &[]);
        check("model::batch", "use crate::hash::Map;\nuse crate::model::column;\nuse super::series;", &[]);
    }

    #[test]
    fn arrows_up_are_found_wherever_they_stand() {
        check("codec::float", "use crate::model::Column;\n\nfn f() { crate::store::layout::name() }", &[3]);
        check("exec", "use crate::store::Store;", &[1]);
        check("plan", "use crate::{\n    model::{Frame, frame::Column as C},\n    exec::*,\n};", &[1]);
        check("time::civil", "use crate::{value, model};", &[1]);
        check("dialect::influx", "use crate::store::wal;", &[1]);
    }

    #[test]
    fn one_dialect_does_not_name_another() {
        check("dialect::influx::write", "use crate::dialect::facette::request;", &[1]);
        check("dialect::influx::write", "\nuse super::super::facette::request;", &[2]);
        check("dialect::influx::write", "use crate::dialect::{\n    json, facette::request,\n};", &[1]);
        check("dialect::influx::write", "use super::super::{json, facette};", &[1]);
        check("dialect::influx::write", "use crate::dialect::facette_like;\nuse crate::dialect::influx::ast;", &[]);
    }

    #[test]
    fn comments_and_tests_do_not_count() {
        check("codec", "/// See [`crate::exec`].\n#[cfg(test)]\nmod tests {\n    use crate::exec::x;\n}", &[]);
        check("codec", "#[cfg(test)]\nuse crate::exec::x;", &[2]);
        check("codec", "#[cfg(test)]\nmod tests;\nuse crate::exec::x;", &[3]);
    }

    #[test]
    fn an_unknown_module_asks_for_a_place() {
        check("cache", "", &[1]);
        check("model", "use crate::cache::Cache;", &[1]);
    }
}
