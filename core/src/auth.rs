//! Who asks, and what he may: users and their rights, and how a caller proves who he is.
//!
//! ```text
//!  request ─► Surface::identify ─► Credentials ─► login ─► Principal ─► Call::principal ─► route, dialect
//!                                                   │  └── Vault: argon2id and HMAC, the host's
//!                                                   └───── Users, Tokens: documents of the catalog
//! ```
//!
//! With authentication off every caller is [`Principal::Everyone`]. With it on, whoever needs to be somebody is asked
//! for credentials before his route is opened; what he may do with a database he is asked where its name is known.
//! Cryptography is the host's, behind [`Vault`], so that a page's module does not carry it.

mod base64;
mod login;
mod token;
pub mod tokens;
mod users;

pub use base64::decode as decode_base64;
pub use login::{Credentials, LoginError, login};
pub use token::TokenError;
pub use users::{User, Users};

use crate::catalog::Documents;
use crate::time::Timestamp;
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Authentication is off: everything is allowed, and nobody has a name.
    Everyone,
    /// Authentication is on and no credentials were needed or there is nobody to be yet: nothing is allowed but what is
    /// open.
    Nobody,
    User(Arc<User>),
}

impl Principal {
    /// May do everything.
    pub fn is_admin(&self) -> bool {
        match self {
            Self::Everyone => true,
            Self::Nobody => false,
            Self::User(user) => user.admin,
        }
    }

    /// Whether all of `rights` are given on the database of this id (`Snapshot::database(name)?.id`).
    pub fn may(&self, rights: Rights, database: u32) -> bool {
        match self {
            Self::Everyone => true,
            Self::Nobody => false,
            Self::User(user) => user.admin || user.rights(database).contains(rights),
        }
    }

    /// The user's name, if there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.name),
            Self::Everyone | Self::Nobody => None,
        }
    }
}

/// What is allowed on a database: reading, writing, both, neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    pub const NONE: Self = Self(0);
    pub const READ: Self = Self(1);
    pub const WRITE: Self = Self(2);
    pub const ALL: Self = Self(3);

    /// Unknown bits are no rights.
    const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// What either gives.
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    pub const fn without(self, taken: Self) -> Self {
        Self(self.0 & !taken.0)
    }
}

/// What identity asks of the host: slow hashes of passwords and signatures of tokens.
pub trait Vault: Send + Sync + std::fmt::Debug {
    /// The argon2id hash of a password as a PHC text (`$argon2id$v=19$…`). `salt` is new random bytes.
    fn hash_password(&self, password: &str, salt: [u8; 16]) -> String;

    /// Whether `hash` is that of `password`. `None` takes as long as a hash that does not match, so that the time does
    /// not tell who exists. A pair that was right before costs no second hash.
    fn verify_password(&self, password: &str, hash: Option<&str>) -> bool;

    /// Whom the text of an access token stands for, by [`tokens::Tokens::check`]. A host without tokens of its own
    /// accepts none.
    fn token(&self, text: &str, documents: &Documents, now: Timestamp) -> Result<User, LoginError> {
        let _ = (text, documents, now);
        Err(LoginError::TokensOff)
    }

    /// There is a secret that bearer tokens are signed with.
    fn has_token_secret(&self) -> bool;

    /// Whether `signature` is the HMAC of `message` under that secret, by SHA-256, 384 or 512 as `bits` says.
    /// Compared in constant time.
    fn verify_signature(&self, bits: u32, message: &[u8], signature: &[u8]) -> bool;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Hashes nobody should store.
    #[derive(Debug)]
    pub(crate) struct Plain;

    impl Vault for Plain {
        fn hash_password(&self, password: &str, _salt: [u8; 16]) -> String {
            format!("plain {password}")
        }

        fn verify_password(&self, password: &str, hash: Option<&str>) -> bool {
            hash.is_some_and(|hash| hash.strip_prefix("plain ") == Some(password))
        }

        fn has_token_secret(&self) -> bool {
            true
        }

        fn verify_signature(&self, bits: u32, _message: &[u8], signature: &[u8]) -> bool {
            bits == 256 && signature == b"signed"
        }
    }

    #[test]
    fn rights_are_on_one_database_unless_the_user_is_an_administrator() {
        let mut ann = User::new("ann", false, String::new());
        ann.grant(1, Rights::READ);
        let who = Principal::User(Arc::new(ann.clone()));
        assert!(who.may(Rights::READ, 1) && !who.may(Rights::WRITE, 1) && !who.may(Rights::ALL, 1));
        assert!(!who.may(Rights::READ, 2) && !who.is_admin());
        ann.grant(1, Rights::ALL);
        assert_eq!(ann.rights(1).without(Rights::READ), Rights::WRITE);
        ann.admin = true;
        assert!(Principal::User(Arc::new(ann)).may(Rights::ALL, 7));
        assert!(Principal::Everyone.may(Rights::ALL, 7) && !Principal::Nobody.may(Rights::READ, 7));
    }
}
