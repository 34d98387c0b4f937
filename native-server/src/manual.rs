//! What is made of the command line itself: shell completions, man pages, the list of paths.

use crate::cli::Exit;
use crate::own;
use isopoint_core::dialect::route::{Privilege, SURFACES};
use serde_json::json;
use std::path::Path;

/// Completions of a shell, to standard output.
pub(crate) fn completions(mut command: clap::Command, shell: clap_complete::Shell) -> Exit {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command, "isopoint", &mut out);
    print(&out)
}

/// `isopoint.1` and a page for every command, into a folder.
pub(crate) fn man(command: clap::Command, folder: &Path) -> Exit {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    match written {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("isopoint: {}: {error}", folder.display());
            Exit::Failed
        }
    }
}

/// Every path of the HTTP API, its methods and who may call it.
pub(crate) fn routes(as_json: bool) -> Exit {
    let dialects = SURFACES.iter().flat_map(|surface| surface.routes.iter().map(|route| (surface.name, route)));
    let mut all: Vec<(&str, &str, &[&str], Privilege, &str)> =
        dialects.map(|(api, route)| (api, route.path, route.methods, route.privilege, route.name)).collect();
    all.extend(own::ROUTES.iter().map(|route| ("isopoint", route.path, route.methods, route.privilege, route.about)));
    let mut out = String::new();
    if as_json {
        let list = all.iter().map(|(api, path, methods, privilege, about)| {
            json!({ "api": api, "path": path, "methods": methods, "needs": needs(*privilege), "about": about })
        });
        out = json!(list.collect::<Vec<_>>()).to_string() + "\n";
    } else {
        for (api, path, methods, privilege, _) in all {
            out += &format!("{api:<9} {:<10} {path:<48} {}\n", needs(privilege), methods.join(" "));
        }
    }
    print(out.as_bytes())
}

const fn needs(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Open => "nothing",
        Privilege::ByContent => "login",
        Privilege::Write => "write",
        Privilege::Admin => "admin",
    }
}

/// The reader of a pipe may have seen enough.
fn print(bytes: &[u8]) -> Exit {
    match std::io::Write::write_all(&mut std::io::stdout(), bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("isopoint: {error}");
            Exit::Failed
        }
        _ => Exit::Done,
    }
}
