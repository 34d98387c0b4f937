//! `isopoint user` and `isopoint token`: who may do what, of a running server.

use crate::cli::Exit;
use crate::host::clock;
use crate::remote::{Client, RemoteArgs, quoted, quoted_text};
use clap::Subcommand;
use isopoint_core::auth::tokens::new_text;
use serde_json::{Value, json};
use std::io::Read as _;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    act: UserAct,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum UserAct {
    /// List users and what they may
    List,
    /// Make a user; without --password-stdin his password is made up and printed once
    Create {
        name: String,
        /// May do everything
        #[arg(long)]
        admin: bool,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a user another password
    Password {
        name: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Let a user read, write, or both, in a database
    Grant { name: String, right: Right, database: String },
    /// Take all rights on a database from a user
    Revoke { name: String, database: String },
    /// Remove a user
    Delete { name: String },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Right {
    Read,
    Write,
    All,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    act: TokenAct,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum TokenAct {
    /// Make a token and print it; it is not shown again
    ///
    /// A client sends it as `Authorization: Bearer TOKEN` or `Token TOKEN`, as a password with any user name, or as a
    /// Datadog API key.
    Create {
        /// What it is for
        name: String,
        /// Database that it may read; may be given several times
        #[arg(long, value_name = "DATABASE")]
        read: Vec<String>,
        /// Database that it may write to; may be given several times
        #[arg(long, value_name = "DATABASE")]
        write: Vec<String>,
        /// May read every database, also those made later
        #[arg(long)]
        read_all: bool,
        /// May write to every database, also those made later
        #[arg(long)]
        write_all: bool,
        /// May do everything
        #[arg(long)]
        admin: bool,
        /// How long it is accepted, such as 12h or 90d; for ever without
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
    },
    /// List tokens and what they may
    List,
    /// Revoke a token by its id
    Revoke { id: String },
}

pub(crate) fn user(args: &UserArgs) -> Exit {
    end(Client::new(&args.remote).and_then(|client| user_act(&client, &args.act)))
}

pub(crate) fn token(args: &TokenArgs) -> Exit {
    end(Client::new(&args.remote).and_then(|client| token_act(&client, &args.act)))
}

fn end(outcome: Result<(), String>) -> Exit {
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("isopoint: {error}");
            Exit::Failed
        }
    }
}

fn user_act(client: &Client, act: &UserAct) -> Result<(), String> {
    let run = |statement: String| client.run(&statement, None).map(drop);
    match act {
        UserAct::List => {
            let users = client.run("SHOW USERS", None)?;
            for row in rows(&users) {
                let name = row.first().and_then(Value::as_str).unwrap_or_default();
                let admin = row.get(1).and_then(Value::as_bool).unwrap_or_default();
                let grants = client.run(&format!("SHOW GRANTS FOR {}", quoted(name)), None)?;
                let grants: Vec<String> = rows(&grants)
                    .filter_map(|grant| Some(format!("{} on {}", grant.get(1)?.as_str()?, grant.first()?.as_str()?)))
                    .collect();
                println!("{name}\t{}", if admin { "administrator".to_owned() } else { grants.join(", ") });
            }
            Ok(())
        }
        UserAct::Create { name, admin, password_stdin } => {
            let (password, made_up) = password(*password_stdin)?;
            let all = if *admin { " WITH ALL PRIVILEGES" } else { "" };
            run(format!("CREATE USER {} WITH PASSWORD {}{all}", quoted(name), quoted_text(&password)))?;
            if made_up {
                println!("{password}");
            }
            Ok(())
        }
        UserAct::Password { name, password_stdin } => {
            let (password, made_up) = password(*password_stdin)?;
            run(format!("SET PASSWORD FOR {} = {}", quoted(name), quoted_text(&password)))?;
            if made_up {
                println!("{password}");
            }
            Ok(())
        }
        UserAct::Grant { name, right, database } => {
            let right = match right {
                Right::Read => "READ",
                Right::Write => "WRITE",
                Right::All => "ALL",
            };
            run(format!("GRANT {right} ON {} TO {}", quoted(database), quoted(name)))
        }
        UserAct::Revoke { name, database } => run(format!("REVOKE ALL ON {} FROM {}", quoted(database), quoted(name))),
        UserAct::Delete { name } => run(format!("DROP USER {}", quoted(name))),
    }
}

/// The rows of the first series of an answer.
fn rows(answer: &Value) -> impl Iterator<Item = &Vec<Value>> {
    let rows = answer.pointer("/results/0/series/0/values").and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(Value::as_array)
}

/// A password, and whether it was made up here.
fn password(from_stdin: bool) -> Result<(String, bool), String> {
    if !from_stdin {
        let (_, text) = new_text(clock::entropy());
        return Ok((text.rsplit('_').next().unwrap_or_default().to_owned(), true));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok((line.to_owned(), false)),
        None => Err("standard input has no password".to_owned()),
    }
}

fn token_act(client: &Client, act: &TokenAct) -> Result<(), String> {
    match act {
        TokenAct::Create { name, read, write, read_all, write_all, admin, expires } => {
            let mut wanted = json!({
                "name": name, "read": read, "write": write, "read_all": read_all, "write_all": write_all, "admin": admin,
            });
            if let Some(text) = expires {
                let duration = crate::checks::rules::duration(text);
                let duration =
                    duration.ok_or_else(|| format!("--expires: {text:?} is no duration such as 12h or 90d"))?;
                wanted["expires_secs"] = duration.as_secs().into();
            }
            let made = client.json("POST", "/isopoint/tokens", Some(&wanted))?;
            println!("{}", made.get("token").and_then(Value::as_str).unwrap_or_default());
            Ok(())
        }
        TokenAct::List => {
            let answer = client.json("GET", "/isopoint/tokens", None)?;
            for token in answer.get("tokens").and_then(Value::as_array).into_iter().flatten() {
                let text = |key: &str| token.get(key).and_then(Value::as_str).unwrap_or_default();
                let is = |key: &str| token.get(key).and_then(Value::as_bool).unwrap_or_default();
                let list = |key: &str| {
                    let names = token.get(key).and_then(Value::as_array).into_iter().flatten();
                    names.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
                };
                let mut may = Vec::new();
                for (right, all) in [("read", "read_all"), ("write", "write_all")] {
                    let names = if is(all) { vec!["all databases".to_owned()] } else { list(right) };
                    may.extend((!names.is_empty()).then(|| format!("{right} {}", names.join(", "))));
                }
                if is("admin") {
                    may = vec!["administrator".to_owned()];
                }
                let ends = match text("ends") {
                    "" => "never ends".to_owned(),
                    ends if is("expired") => format!("ended {ends}"),
                    ends => format!("ends {ends}"),
                };
                println!(
                    "{}\t{}\t{}\tmade {} by {}\t{ends}",
                    text("id"),
                    text("name"),
                    may.join("; "),
                    text("made"),
                    text("made_by")
                );
            }
            Ok(())
        }
        TokenAct::Revoke { id } => client.json("DELETE", &format!("/isopoint/tokens/{id}"), None).map(drop),
    }
}
