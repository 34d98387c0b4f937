//! From what a request carries to who it is.

use super::token::{self, TokenError};
use super::{Principal, User, Users, Vault, decode_base64, tokens};
use crate::catalog::Documents;
use crate::time::Timestamp;
use std::sync::Arc;
use thiserror::Error;

/// What a request carries of somebody's identity.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing that can be read.
    Missing,
    Password {
        user: String,
        password: String,
    },
    /// A JSON Web Token, or an access token.
    Token(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Password { .. } => "Password",
            Self::Token(_) => "Token",
        })
    }
}

impl Credentials {
    /// Reads a header `Authorization`: `Bearer <token>`, `Token <user>:<password>`, `Token <access token>` as clients of
    /// InfluxDB 2 say it, or `Basic` in any case.
    pub fn from_header(value: &str) -> Self {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let pair = |text: &str| {
            let (user, password) = text.split_once(':')?;
            Some(Self::Password { user: user.to_owned(), password: password.to_owned() })
        };
        let read = match scheme {
            "Bearer" if !rest.contains(' ') => Some(Self::Token(rest.to_owned())),
            "Token" if rest.starts_with(tokens::PREFIX) => Some(Self::Token(rest.to_owned())),
            "Token" => pair(rest),
            basic if basic.eq_ignore_ascii_case("basic") => {
                decode_base64(rest).and_then(|bytes| pair(&String::from_utf8_lossy(&bytes)))
            }
            _ => None,
        };
        read.unwrap_or(Self::Missing)
    }
}

/// Why credentials make nobody. Each API has its own words; these are the engine's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    #[error("credentials are required")]
    Missing,
    #[error("a user name is required")]
    NoName,
    /// Unknown user or wrong password, which is not told.
    #[error("the user or the password is wrong")]
    Wrong,
    #[error("tokens are not accepted: there is no secret to check them with")]
    TokensOff,
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The user of a token that is right otherwise.
    #[error("the user does not exist")]
    UserNotFound,
}

/// Who the credentials belong to. Slow (a password hash) unless they were right before: not for a thread that others
/// wait for.
pub fn login(
    credentials: &Credentials,
    documents: &Documents,
    vault: Option<&dyn Vault>,
    now: Timestamp,
) -> Result<Principal, LoginError> {
    let known = |user: User| Principal::User(Arc::new(user));
    let token = |text: &str| vault.ok_or(LoginError::TokensOff)?.token(text, documents, now).map(known);
    match credentials {
        Credentials::Missing => Err(LoginError::Missing),
        // Where a client can be told no more than a name and a password, the token is the password.
        Credentials::Password { password, .. } if tokens::id_of(password).is_some() => token(password),
        Credentials::Password { user, .. } if user.is_empty() => Err(LoginError::NoName),
        Credentials::Password { user, password } => {
            let vault = vault.ok_or(LoginError::Wrong)?;
            let found = Users::of(documents).find(user);
            let right = vault.verify_password(password, found.as_ref().map(|user| user.hash.as_str()));
            found.filter(|_| right).map(known).ok_or(LoginError::Wrong)
        }
        Credentials::Token(text) if text.starts_with(tokens::PREFIX) => token(text),
        Credentials::Token(text) => {
            let vault = vault.filter(|vault| vault.has_token_secret()).ok_or(LoginError::TokensOff)?;
            let name = token::user(text, vault, now)?;
            Users::of(documents).find(&name).map(known).ok_or(LoginError::UserNotFound)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::User;
    use super::super::tests::Plain;
    use super::*;
    use crate::catalog::{Command, Documents};

    #[test]
    fn headers_are_read_as_their_schemes_have_it() {
        let check = |header: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map_or(Credentials::Missing, |(user, password)| Credentials::Password {
                user: user.into(),
                password: password.into(),
            });
            assert!(Credentials::from_header(header) == expected, "{header}");
        };
        check("Basic cm9vdDpvcmFjbGU=", Some(("root", "oracle")));
        check("bASIC cm9vdDpvcmFjbGU=", Some(("root", "oracle")));
        check("Token tok:a:b", Some(("tok", "a:b")));
        check("Token tok", None);
        check("Basic !", None);
        check("Digest x", None);
        check("", None);
        assert!(Credentials::from_header("Bearer a.b.c") == Credentials::Token("a.b.c".into()));
    }

    #[test]
    fn a_password_makes_its_user() {
        let mut documents = Documents::default();
        let Command::Documents(ann) = Users::of(&documents).put(&User::new("ann", false, "plain pw".into())) else {
            panic!()
        };
        documents.apply(&ann).unwrap();
        let try_login = |user: &str, password: &str| {
            let credentials = Credentials::Password { user: user.into(), password: password.into() };
            login(&credentials, &documents, Some(&Plain), Timestamp::from_nanos(0))
        };
        assert_eq!(try_login("ann", "pw").unwrap().name(), Some("ann"));
        assert_eq!(try_login("ann", "no"), Err(LoginError::Wrong));
        assert_eq!(try_login("bob", "pw"), Err(LoginError::Wrong));
        assert_eq!(try_login("", "pw"), Err(LoginError::NoName));
        let missing = login(&Credentials::Missing, &documents, Some(&Plain), Timestamp::from_nanos(0));
        assert_eq!(missing, Err(LoginError::Missing));
    }
}
