//! `isopoint query`: InfluxQL at a prompt, or from `-e` and standard input for scripts.
//!
//! The prompt is rustyline's: it edits, completes and searches history, is small and synchronous, and needs no terminal
//! protocol of its own. What is printed and what it exits with is the same at the prompt and in scripts.

mod complete;
mod print;

use crate::cli::Exit;
use crate::remote::{Client, RemoteArgs};
use complete::{Names, Prompt};
use print::Format;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Instant;

const HELP: &str = "\
Statements of InfluxQL end with the line. Besides them:
  use DATABASE              statements without a database are about this one
  insert LINE               write a line of line protocol
  format table|json|csv     how answers are shown
  precision rfc3339|ns|u|ms|s|m|h   how times are shown
  timing on|off             how long each answer took
  help, exit";

/// What `isopoint query` is asked.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Database that names without one are in
    #[arg(long, short = 'd', value_name = "NAME")]
    database: Option<String>,
    /// Statement to run instead of asking for some; may be repeated
    #[arg(long, short = 'e', value_name = "STATEMENT")]
    execute: Vec<String>,
    /// How answers are shown
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// How times are shown: rfc3339, ns, u, ms, s, m or h
    #[arg(long, default_value = "rfc3339", value_name = "UNIT")]
    precision: String,
    /// Say how long each answer took
    #[arg(long)]
    timing: bool,
}

/// Runs what `-e` says, else what standard input says, else what is typed.
pub(crate) fn run(args: QueryArgs) -> Exit {
    let client = match Client::new(&args.remote) {
        Ok(client) => client,
        Err(error) => return fail(&error),
    };
    let mut session = Session {
        client,
        database: args.database,
        format: args.format,
        precision: args.precision,
        timing: args.timing,
    };
    if !args.execute.is_empty() {
        return session.run_all(args.execute.iter().map(String::as_str));
    }
    if !std::io::stdin().is_terminal() {
        let mut script = String::new();
        return match std::io::stdin().read_to_string(&mut script) {
            Ok(_) => session.run_all(script.lines()),
            Err(error) => fail(&error.to_string()),
        };
    }
    session.prompt()
}

fn fail(error: &str) -> Exit {
    eprintln!("isopoint: {error}");
    Exit::Failed
}

/// What is in force between statements.
struct Session {
    client: Client,
    database: Option<String>,
    format: Format,
    precision: String,
    timing: bool,
}

impl Session {
    /// Stops at the first that fails.
    fn run_all<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Exit {
        for line in lines {
            match self.run_line(line) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return fail(&error),
            }
        }
        Exit::Done
    }

    fn prompt(&mut self) -> Exit {
        let version = match self.client.version() {
            Ok(version) => version,
            Err(error) => return fail(&error),
        };
        println!("{} (InfluxDB {version}). `help` says what there is.", self.client.host());
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false).build();
        let mut editor: Editor<Prompt, FileHistory> = match Editor::with_config(config) {
            Ok(editor) => editor,
            Err(error) => return fail(&error.to_string()),
        };
        let history = history_file();
        if let Some(file) = &history {
            let _ = editor.load_history(file);
        }
        editor.set_helper(Some(Prompt::new(self.names())));
        loop {
            let prompt = format!("{}> ", self.database.as_deref().unwrap_or("isopoint"));
            match editor.readline(&prompt) {
                Ok(line) => {
                    // What holds a password is not kept.
                    if !line.trim().is_empty() && !line.to_lowercase().contains("password") {
                        let _ = editor.add_history_entry(&line);
                    }
                    match self.run_line(&line) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) => eprintln!("ERR: {error}"),
                    }
                    if let Some(helper) = editor.helper_mut() {
                        helper.names = self.names();
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return fail(&error.to_string()),
            }
        }
        if let Some(file) = &history {
            if let Some(folder) = file.parent() {
                let _ = std::fs::create_dir_all(folder);
            }
            let _ = editor.save_history(file);
        }
        Exit::Done
    }

    /// `Ok(false)`: that was the end.
    fn run_line(&mut self, line: &str) -> Result<bool, String> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim().trim_end_matches(';');
        match word.to_lowercase().as_str() {
            "" => {}
            "exit" | "quit" => return Ok(false),
            "help" => println!("{HELP}"),
            "use" => self.database = Some(rest.trim_matches('"').to_owned()),
            "format" => self.format = rest.parse()?,
            "precision" => self.precision = rest.to_owned(),
            "timing" => self.timing = rest != "off",
            "insert" => {
                let database = self.database.as_deref().ok_or("`use` a database first")?;
                self.client.write(database, rest.to_owned())?;
            }
            _ => self.statement(line)?,
        }
        Ok(true)
    }

    fn statement(&self, text: &str) -> Result<(), String> {
        let began = Instant::now();
        let epoch = Some(self.precision.as_str()).filter(|unit| *unit != "rfc3339");
        let answer = self.client.query(text, self.database.as_deref(), epoch)?;
        let took = began.elapsed();
        let mut out = std::io::stdout().lock();
        let printed = print::answer(&answer, self.format, &mut out);
        if let Err(error) = printed.and_then(|()| out.flush()) {
            // The reader of a pipe has seen enough.
            return if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error.to_string()) };
        }
        if self.timing {
            eprintln!("{:.3} ms", took.as_secs_f64() * 1000.0);
        }
        print::error(&answer).map_or(Ok(()), Err)
    }

    /// What can be completed in the current database. Nothing when the server does not say.
    fn names(&self) -> Names {
        let column = |statement: &str, at: usize| {
            let answer = self.client.query(statement, self.database.as_deref(), None);
            answer.map(|answer| print::column(&answer, at)).unwrap_or_default()
        };
        let mut names = Names { databases: column("SHOW DATABASES", 0), ..Names::default() };
        if self.database.is_some() {
            names.measurements = column("SHOW MEASUREMENTS LIMIT 10000", 0);
            names.keys = column("SHOW FIELD KEYS", 0);
            names.keys.extend(column("SHOW TAG KEYS", 0));
            names.keys.sort_unstable();
            names.keys.dedup();
        }
        names
    }
}

/// `$XDG_STATE_HOME/isopoint/history`, or below the home folder.
fn history_file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("isopoint/history"))
}
