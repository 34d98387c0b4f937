//! Who may run which statement, and how InfluxDB says that somebody may not.

use super::ast::{Privilege, Select, ShowSchema, Source, Statement};
use super::error::RequestError;
use crate::auth::{Credentials, LoginError, Principal, Rights};
use crate::dialect::form;
use crate::dialect::route::{self, Call};
use crate::store::Snapshot;

/// Credentials by `u` and `p` of the query string, which win, or by header. While there is no administrator nobody is
/// anybody: such a caller may do one thing, see [`statements`].
pub(super) fn identify(call: &Call) -> Result<Principal, LoginError> {
    if !call.users().has_admin() {
        return Ok(Principal::Nobody);
    }
    let (mut user, mut password) = (None, None);
    for (name, value) in form::pairs(call.request.query.as_bytes()) {
        match &*name {
            "u" => user.get_or_insert(value),
            "p" => password.get_or_insert(value),
            _ => continue,
        };
    }
    match (user, password) {
        (Some(user), Some(password)) if !user.is_empty() && !password.is_empty() => {
            let credentials = Credentials::Password { user: user.into_owned(), password: password.into_owned() };
            route::login(call, &credentials)
        }
        _ => route::by_header(call),
    }
}

/// Whether all statements of a request may run; checked before any does. `database` is the request's.
pub(super) fn statements(
    statements: &[Statement],
    principal: &Principal,
    database: Option<&str>,
    snapshot: &Snapshot,
) -> Result<(), RequestError> {
    if principal.is_admin() {
        return Ok(());
    }
    let Some(user) = principal.name() else {
        let first_admin = matches!(statements.first(), Some(Statement::CreateUser { admin: true, .. }));
        return if first_admin { Ok(()) } else { Err(RequestError::NoAdministrator) };
    };
    for statement in statements {
        let refused =
            |needs: String| RequestError::Forbidden { user: user.to_owned(), statement: statement.to_string(), needs };
        let Some(needs) = needs(statement) else { return Err(refused("admin privilege".to_owned())) };
        for (named, wanted) in needs {
            let name = named.or(database).unwrap_or_default();
            let may = snapshot.database(name).is_some_and(|database| principal.may(rights(wanted), database.id));
            if !may {
                return Err(refused(format!("{} on {name}", privilege_name(wanted))));
            }
        }
    }
    Ok(())
}

/// What is needed on which database, `None` being the request's; nothing at all when only an administrator may.
fn needs(statement: &Statement) -> Option<Vec<(Option<&str>, Privilege)>> {
    let mut needs = Vec::new();
    match statement {
        Statement::ShowDatabases => {}
        Statement::Select(select) | Statement::Explain { select, .. } => of_select(select, &mut needs),
        Statement::ShowSchema(show) => of_show(show, &mut needs),
        Statement::ShowRetentionPolicies { database } => needs.push((database.as_deref(), Privilege::Read)),
        Statement::ShowQueries | Statement::ShowContinuousQueries => needs.push((None, Privilege::Read)),
        Statement::Delete { .. } | Statement::DeleteFields { .. } | Statement::DropSeries { .. } => {
            needs.push((None, Privilege::Write))
        }
        Statement::DropRetentionPolicy { database, .. } | Statement::DropContinuousQuery { database, .. } => {
            needs.push((Some(database), Privilege::Write));
        }
        Statement::CreateContinuousQuery(query) => {
            let own = Some(query.database.as_str());
            of_sources(&query.select.sources, &mut needs);
            let target = query.select.target.as_ref().and_then(|target| target.database.as_deref());
            needs.push((target, Privilege::Write));
            // Names without a database are in the query's own.
            needs.iter_mut().for_each(|(database, _)| *database = database.or(own));
            needs.insert(0, (own, Privilege::Read));
        }
        _ => return None,
    }
    Some(needs)
}

fn of_select<'a>(select: &'a Select, needs: &mut Vec<(Option<&'a str>, Privilege)>) {
    of_sources(&select.sources, needs);
    if let Some(target) = &select.target {
        needs.push((target.database.as_deref(), Privilege::Write));
    }
}

fn of_sources<'a>(sources: &'a [Source], needs: &mut Vec<(Option<&'a str>, Privilege)>) {
    for source in sources {
        match source {
            Source::Measurement(measurement) => needs.push((measurement.database.as_deref(), Privilege::Read)),
            Source::Subquery(select) => of_select(select, needs),
        }
    }
}

fn of_show<'a>(show: &'a ShowSchema, needs: &mut Vec<(Option<&'a str>, Privilege)>) {
    needs.push((show.database.as_deref(), Privilege::Read));
    for source in &show.sources {
        if let Source::Measurement(measurement) = source
            && measurement.database.is_some()
        {
            needs.push((measurement.database.as_deref(), Privilege::Read));
        }
    }
}

/// A privilege as rights on a database.
pub(super) const fn rights(privilege: Privilege) -> Rights {
    match privilege {
        Privilege::Read => Rights::READ,
        Privilege::Write => Rights::WRITE,
        Privilege::All => Rights::ALL,
    }
}

const fn privilege_name(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Read => "READ",
        Privilege::Write => "WRITE",
        Privilege::All => "ALL PRIVILEGES",
    }
}
