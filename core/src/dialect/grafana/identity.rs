//! Who is asking, and what they may.

use super::error::ApiError;
use crate::dialect::route::Call;

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
    /// And changes them.
    Admin,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
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
}

impl Right {
    pub(crate) const ALL: [Self; 6] = [Self::Read, Self::ReadId, Self::Query, Self::Create, Self::Write, Self::Delete];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "datasources:read",
            Self::ReadId => "datasources.id:read",
            Self::Query => "datasources:query",
            Self::Create => "datasources:create",
            Self::Write => "datasources:write",
            Self::Delete => "datasources:delete",
        }
    }

    pub(crate) fn of(self, role: Role) -> bool {
        role == Role::Admin || matches!(self, Self::Read | Self::ReadId | Self::Query)
    }
}

/// The caller, who has this right.
pub(crate) fn with_right(call: &Call, right: Right) -> Result<Identity, ApiError> {
    let identity = identify(call)?;
    if right.of(identity.role) { Ok(identity) } else { Err(denied(call, right)) }
}

pub(crate) fn denied(call: &Call, right: Right) -> ApiError {
    let mut number = [0; 8];
    number.copy_from_slice(&call.request.entropy[..8]);
    ApiError::denied(right.name(), u64::from_be_bytes(number))
}

/// Without authentication everybody is the administrator.
pub(crate) fn identify(_call: &Call) -> Result<Identity, ApiError> {
    Ok(Identity { login: "admin".to_owned(), role: Role::Admin })
}
