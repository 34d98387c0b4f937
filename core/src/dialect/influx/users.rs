//! Statements about users, as commands for the store. Each is decided on the users of one snapshot; when they have
//! changed before the command arrives, it is decided again.

use super::answer::Part;
use super::ast::Statement;
use super::authorize::rights;
use super::error::StatementError;
use super::query::{Context, Work};
use super::show::{named, texts};
use crate::auth::{Rights, User, Users};
use crate::model::Column;
use crate::value::{FieldType, Value};

/// The work of a statement about users, `None` when it is about something else.
pub(super) fn compile(statement: &Statement, context: &Context<'_>) -> Result<Option<Work>, StatementError> {
    let users = Users::of(&context.snapshot.documents);
    let find = |name: &str| users.find(name).ok_or(StatementError::UserNotFound);
    Ok(Some(match statement {
        Statement::ShowUsers => show_users(&users),
        Statement::ShowGrants { user } => show_grants(&find(user)?, context),
        Statement::CreateUser { name, password, admin } => create(name, &password.text, *admin, &users, context)?,
        Statement::SetPassword { user, password } => {
            let mut user = find(user)?;
            user.hash = hash(&password.text, context)?;
            Work::Command(users.put(&user))
        }
        Statement::DropUser { name } => Work::Command(users.remove(&find(name)?.name)),
        Statement::GrantAdmin { user: name } | Statement::RevokeAdmin { user: name } => {
            let mut user = find(name)?;
            user.admin = matches!(statement, Statement::GrantAdmin { .. });
            Work::Command(users.put(&user))
        }
        Statement::Grant { privilege, database, user } => {
            let mut user = find(user)?;
            user.grant(id(database, context)?, rights(*privilege));
            Work::Command(users.put(&user))
        }
        Statement::Revoke { privilege, database, user } => {
            let mut user = find(user)?;
            let id = id(database, context)?;
            user.grant(id, user.rights(id).without(rights(*privilege)));
            Work::Command(users.put(&user))
        }
        _ => return Ok(None),
    }))
}

/// The same user again is fine.
fn create(
    name: &str,
    password: &str,
    admin: bool,
    users: &Users,
    context: &Context<'_>,
) -> Result<Work, StatementError> {
    if name.is_empty() {
        return Err(StatementError::Fixed("username required"));
    }
    let Some(known) = users.find(name) else {
        return Ok(Work::Command(users.put(&User::new(name, admin, hash(password, context)?))));
    };
    let vault = context.config.and_then(|config| config.vault.as_deref());
    let same = known.admin == admin && vault.is_some_and(|vault| vault.verify_password(password, Some(&known.hash)));
    if same { Ok(Work::nothing()) } else { Err(StatementError::Fixed("user already exists")) }
}

fn hash(password: &str, context: &Context<'_>) -> Result<String, StatementError> {
    let vault = context.config.and_then(|config| config.vault.as_deref());
    let vault = vault.ok_or(StatementError::Fixed("this host of the engine keeps no users"))?;
    let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = context.entropy;
    Ok(vault.hash_password(password, salt))
}

fn id(database: &str, context: &Context<'_>) -> Result<u32, StatementError> {
    let known = context.snapshot.database(database);
    known.map(|database| database.id).ok_or_else(|| StatementError::DatabaseNotFound(database.to_owned()))
}

fn show_users(users: &Users) -> Work {
    let mut values = [FieldType::String, FieldType::Boolean].map(Column::new);
    for user in users.all() {
        let [name, admin] = &mut values;
        name.push(Some(Value::String(&user.name)));
        admin.push(Some(Value::Boolean(user.admin)));
    }
    Work::series(Part { columns: named(["user", "admin"]), values: values.into(), ..Part::default() })
}

/// Databases that are gone are not listed.
fn show_grants(user: &User, context: &Context<'_>) -> Work {
    let rows = user.grants().iter().filter_map(|(id, rights)| {
        let database = context.snapshot.databases.iter().find(|database| database.id == *id)?;
        Some([database.name.as_str(), rights_name(*rights)])
    });
    Work::series(texts("", ["database", "privilege"], rows))
}

const fn rights_name(rights: Rights) -> &'static str {
    match rights {
        Rights::ALL => "ALL PRIVILEGES",
        Rights::READ => "READ",
        Rights::WRITE => "WRITE",
        _ => "NO PRIVILEGES",
    }
}
