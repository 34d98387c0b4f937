//! `isopoint config init`: the configuration file with every setting, what it is for and what it is without.
//!
//! It is made of the command line's own descriptions, so that neither is ahead of the other.

use crate::config::{Config, Settings};
use clap::Args as _;
use std::path::Path;

/// The file. Every setting is a comment: as it stands it changes nothing.
pub(crate) fn text() -> String {
    let command = Settings::augment_args(clap::Command::new("isopoint"));
    let defaults =
        Config::resolve(Settings::default(), None).map_or_else(|_| String::new(), |config| config.to_string());
    let mut out = String::from(
        "# Settings of `isopoint serve --config FILE`. A flag wins over the environment (ISOPOINT_…), and that over this\n\
         # file. `isopoint config --config FILE` prints what is in force. `systemctl reload` (SIGHUP) takes on checks,\n\
         # cors-origin, log-level, public-host, slow-query and the certificate; the others need a restart.\n",
    );
    let mut headings: Vec<Option<&str>> = Vec::new();
    for argument in command.get_arguments() {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    for heading in headings {
        out += &format!("\n## {}\n", heading.unwrap_or("General"));
        for argument in command.get_arguments().filter(|argument| argument.get_help_heading() == heading) {
            let Some(name) = argument.get_long() else { continue };
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            out += &format!("\n{}", comment(&help));
            let prefix = format!("{name} = ");
            let line = defaults.lines().find(|line| line.starts_with(&prefix)).map(str::to_owned);
            out += &format!("# {}\n", line.unwrap_or_else(|| format!("{name} = {}", sample(argument))));
        }
    }
    out
}

/// A value of the right kind, for a setting that has none by itself.
fn sample(argument: &clap::Arg) -> &'static str {
    let list = matches!(argument.get_action(), clap::ArgAction::Append) || argument.get_value_delimiter().is_some();
    if list { "[]" } else { "\"\"" }
}

/// Lines of at most 118 characters that begin with `#`.
fn comment(text: &str) -> String {
    let (mut out, mut line) = (String::new(), String::from("#"));
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > 118 {
            out += &line;
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line += word;
    }
    out + &line + "\n"
}

/// Writes the file where there is none yet; the error is a sentence.
pub(crate) fn write(path: &Path, force: bool) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!force);
    // It is the place for secrets.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| std::io::Write::write_all(&mut file, text().as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!("{} is there already; --force writes over it", path.display()),
        _ => format!("{}: {error}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_changes_nothing_and_names_every_setting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("isopoint.toml");
        write(&path, false).unwrap();
        assert!(write(&path, false).unwrap_err().contains("--force"));
        let plain = Config::resolve(Settings::default(), None).unwrap().to_string();
        assert_eq!(Config::resolve(Settings::default(), Some(&path)).unwrap().to_string(), plain);
        let text = std::fs::read_to_string(&path).unwrap();
        for argument in Settings::augment_args(clap::Command::new("x")).get_arguments() {
            let name = argument.get_long().unwrap();
            assert!(text.contains(&format!("\n# {name} = ")), "{name}");
        }
        // Without the comment signs: the same settings, as far as they have a value by themselves.
        let bare: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.split_once(" = ").is_some_and(|(name, value)| !name.contains(' ') && value != "\"\""))
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(&path, bare).unwrap();
        assert_eq!(Config::resolve(Settings::default(), Some(&path)).unwrap().to_string(), plain);
    }
}
