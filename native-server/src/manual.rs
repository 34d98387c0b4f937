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

/// Every counter of `/metrics`.
pub(crate) fn counters() -> Exit {
    print(crate::metrics::Metrics::new().described().as_bytes())
}

/// The HTTP API as an OpenAPI document: paths, methods, parameters in paths, what a caller needs, and the statuses that an
/// answer may have.
pub(crate) fn openapi() -> Exit {
    let dialects = SURFACES.iter().flat_map(|surface| surface.routes.iter().map(|route| (surface.name, route)));
    let mut all: Vec<(&str, &str, &[&str], Privilege)> =
        dialects.map(|(api, route)| (api, route.path, route.methods, route.privilege)).collect();
    all.extend(own::ROUTES.iter().map(|route| ("isopoint", route.path, route.methods, route.privilege)));
    let mut paths = serde_json::Map::new();
    for (api, path, methods, privilege) in all {
        let path = path.replace("{*", "{");
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<_> = names
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }))
            .collect();
        let item = paths.entry(path).or_insert_with(|| json!({ "parameters": parameters }));
        for method in methods {
            let mut responses = serde_json::Map::new();
            for (status, about) in STATUSES {
                responses.insert((*status).to_owned(), json!({ "description": about }));
            }
            let mut operation = json!({ "tags": [api], "responses": responses });
            if privilege == Privilege::Open {
                operation["security"] = json!([]);
            }
            if ["POST", "PUT", "PATCH"].contains(method) {
                let any = json!({ "schema": {} });
                operation["requestBody"] = json!({ "content": { "application/json": any, "text/plain": any } });
            }
            item[method.to_lowercase()] = operation;
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Isopoint", "version": env!("CARGO_PKG_VERSION") },
        "security": [{ "basic": [] }, { "bearer": [] }],
        "paths": paths,
        "components": { "securitySchemes": {
            "basic": { "type": "http", "scheme": "basic" },
            "bearer": { "type": "http", "scheme": "bearer" },
        } },
    });
    print((document.to_string() + "\n").as_bytes())
}

/// What an answer's status may be, for every path alike.
const STATUSES: &[(&str, &str)] = &[
    ("200", "the answer"),
    ("201", "made"),
    ("202", "taken"),
    ("204", "done, nothing to say"),
    ("206", "part of a file"),
    ("301", "the path is without a slash at its end"),
    ("400", "the request is wrong; the text says how"),
    ("401", "credentials are missing or wrong"),
    ("403", "not allowed"),
    ("404", "there is no such thing"),
    ("405", "another method"),
    ("406", "another form"),
    ("408", "the body did not arrive in time"),
    ("409", "it is there already, or has changed"),
    ("412", "it has changed"),
    ("413", "the body is too large"),
    ("415", "another content type"),
    ("416", "the file has no such range"),
    ("421", "another name of this server"),
    ("422", "what is asked cannot be done"),
    ("429", "too many requests"),
    ("502", "the data source does not answer"),
    ("503", "busy; try again"),
    ("504", "the data source is too slow"),
];

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
