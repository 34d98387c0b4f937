//! Who is asking, and what they may.

use super::error::ApiError;
use crate::auth::{Credentials, LoginError, Principal, Rights};
use crate::dialect::route::{Call, login};
use crate::store::snapshot::Database;
use std::sync::Arc;

/// A signed-in caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) login: String,
    pub(crate) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Lists, reads, checks and queries data sources.
    Viewer,
    /// And changes dashboards: who may write to some database.
    Editor,
    /// And changes data sources.
    Admin,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::Editor => "Editor",
            Self::Admin => "Admin",
        }
    }
}

/// A right as Grafana names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    ReadId,
    Query,
    Create,
    Write,
    Delete,
    EditDashboards,
}

impl Right {
    /// Those on data sources.
    pub(crate) const ALL: [Self; 6] = [Self::Read, Self::ReadId, Self::Query, Self::Create, Self::Write, Self::Delete];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "datasources:read",
            Self::ReadId => "datasources.id:read",
            Self::Query => "datasources:query",
            Self::Create => "datasources:create",
            Self::Write => "datasources:write",
            Self::Delete => "datasources:delete",
            Self::EditDashboards => "dashboards:write",
        }
    }

    pub(crate) fn of(self, role: Role) -> bool {
        match self {
            Self::Read | Self::ReadId | Self::Query => true,
            Self::EditDashboards => role != Role::Viewer,
            Self::Create | Self::Write | Self::Delete => role == Role::Admin,
        }
    }
}

/// The caller, who has this right.
pub(crate) fn with_right(call: &Call, right: Right) -> Result<Identity, ApiError> {
    let identity = identify(call);
    if right.of(identity.role) { Ok(identity) } else { Err(denied(call, right)) }
}

pub(crate) fn denied(call: &Call, right: Right) -> ApiError {
    let mut number = [0; 8];
    number.copy_from_slice(&call.request.entropy[..8]);
    ApiError::denied(right.name(), u64::from_be_bytes(number))
}

/// Who asks, as Grafana's clients say it: `Basic`, `Bearer`, or `Basic` with user `api_key` and a token for a password.
pub(crate) fn sign_in(call: &Call) -> Result<Principal, LoginError> {
    match Credentials::from_header(call.request.header("authorization").unwrap_or_default()) {
        Credentials::Password { user, password } if user == "api_key" => login(call, &Credentials::Token(password)),
        credentials => login(call, &credentials),
    }
}

/// Why somebody is nobody, in Grafana's words.
pub(crate) fn refused(call: &Call, error: &LoginError) -> ApiError {
    let header = call.request.header("authorization").unwrap_or_default();
    let (scheme, _) = header.split_once(' ').unwrap_or((header, ""));
    let (status, id, message) = match error {
        LoginError::Missing if scheme.eq_ignore_ascii_case("basic") => {
            (400, "basic-auth.invalid-header", "Invalid Basic Auth Header")
        }
        LoginError::Missing if scheme.eq_ignore_ascii_case("bearer") => (401, "api-key.invalid", "Invalid API key"),
        LoginError::Missing => (401, "auth.unauthorized", "Unauthorized"),
        LoginError::NoName | LoginError::Wrong => {
            let empty = matches!(Credentials::from_header(header), Credentials::Password { password, .. } if password.is_empty());
            let id = if empty { "password-auth.empty" } else { "password-auth.failed" };
            (401, id, "Invalid username or password")
        }
        LoginError::Token(why) if why.to_string().contains("expired") => (401, "api-key.expired", "Expired API key"),
        LoginError::TokensOff | LoginError::Token(_) | LoginError::UserNotFound => {
            (401, "api-key.invalid", "Invalid API key")
        }
    };
    ApiError::new(status, id, message)
}

/// The caller, who has been asked for already.
pub(crate) fn identify(call: &Call) -> Identity {
    let writes = |database: &Arc<Database>| call.principal.may(Rights::WRITE, database.id);
    let role = match () {
        () if call.principal.is_admin() => Role::Admin,
        () if call.snapshot.databases.iter().any(writes) => Role::Editor,
        () => Role::Viewer,
    };
    Identity { login: call.principal.name().unwrap_or("admin").to_owned(), role }
}
