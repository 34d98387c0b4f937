//! The host's cryptography: argon2id for passwords, HMAC for tokens.
//!
//! A login costs one argon2id (19 MiB, two passes: what OWASP recommends), some tens of milliseconds. Pairs that were
//! right are remembered by an HMAC of hash and password under a key of this process, so that the next login costs one
//! SHA-256 and memory never holds a password. A changed password changes the hash, and so misses.

use crate::host::clock;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use hmac::{Hmac, KeyInit as _, Mac as _};
use isopoint_core::auth::tokens::Tokens;
use isopoint_core::auth::{LoginError, User, Users, Vault};
use isopoint_core::catalog::Documents;
use isopoint_core::time::Timestamp;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Remembered logins; with more, all are forgotten and cost a hash once more.
const REMEMBERED: usize = 65_536;

/// How long a session of the dashboard lasts.
pub(crate) const SESSION: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once; with more, the one that ends first goes.
const SESSIONS: usize = 4096;

struct Session {
    user: String,
    /// Of the password when the session began: with another password it is over.
    hash: String,
    ends: Timestamp,
}

pub(crate) struct HostVault {
    token_secret: Option<Vec<u8>>,
    /// Of this process only.
    key: [u8; 32],
    right: Mutex<HashSet<[u8; 32]>>,
    /// Of this process only, by the digest of the text.
    sessions: Mutex<HashMap<[u8; 32], Session>>,
    /// One hash at a time: each takes 19 MiB, and strangers may ask for as many as they like.
    hashing: Mutex<()>,
    /// What a password for a user who does not exist is held against.
    nobody: String,
}

impl HostVault {
    pub(crate) fn new(token_secret: Option<&str>) -> Self {
        Self {
            token_secret: token_secret.map(|secret| secret.as_bytes().to_vec()),
            key: clock::entropy(),
            right: Mutex::default(),
            sessions: Mutex::default(),
            hashing: Mutex::default(),
            nobody: nobody(clock::entropy()),
        }
    }

    /// Whether a pair was right before: it costs no hash.
    pub(crate) fn remembers(&self, password: &str, hash: &str) -> bool {
        self.remembered().contains(&self.login(password, hash))
    }

    /// What a pair of a password and a stored hash is remembered by.
    fn login(&self, password: &str, hash: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key may have any length");
        // A PHC text holds no zero byte.
        mac.update(hash.as_bytes());
        mac.update(&[0]);
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// From now on the text stands for the user, until the session ends.
    pub(crate) fn begin_session(&self, text: &str, user: &User, now: Timestamp) {
        let ends = now.nanos().saturating_add(i64::try_from(SESSION.as_nanos()).unwrap_or(i64::MAX));
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.ends > now);
        if sessions.len() >= SESSIONS
            && let Some(first) = sessions.iter().min_by_key(|(_, session)| session.ends).map(|(digest, _)| *digest)
        {
            sessions.remove(&first);
        }
        let ends = Timestamp::from_nanos(ends);
        sessions.insert(digest(text), Session { user: user.name.clone(), hash: user.hash.clone(), ends });
    }

    pub(crate) fn end_session(&self, text: &str) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(text));
    }

    fn session(&self, digest: &[u8; 32], documents: &Documents, now: Timestamp) -> Option<User> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(digest).filter(|session| session.ends > now)?;
        Users::of(documents).find(&session.user).filter(|user| user.hash == session.hash)
    }

    fn remembered(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for HostVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostVault")
    }
}

impl Vault for HostVault {
    fn hash_password(&self, password: &str, salt: [u8; 16]) -> String {
        let _alone = self.hashing.lock();
        hash(password, salt)
    }

    fn verify_password(&self, password: &str, hash: Option<&str>) -> bool {
        let stored = hash.unwrap_or(&self.nobody);
        let login = self.login(password, stored);
        if self.remembered().contains(&login) {
            return true;
        }
        let right = {
            let _alone = self.hashing.lock();
            PasswordHash::new(stored).is_ok_and(|phc| argon2().verify_password(password.as_bytes(), &phc).is_ok())
        };
        let right = right && hash.is_some();
        if right {
            let mut remembered = self.remembered();
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.insert(login);
        }
        right
    }

    /// A session of a user who is still the same, or an access token.
    fn token(&self, text: &str, documents: &Documents, now: Timestamp) -> Result<User, LoginError> {
        let digest = digest(text);
        match self.session(&digest, documents, now) {
            Some(user) => Ok(user),
            None => Tokens::of(documents).check(text, digest, now),
        }
    }

    fn has_token_secret(&self) -> bool {
        self.token_secret.is_some()
    }

    fn verify_signature(&self, bits: u32, message: &[u8], signature: &[u8]) -> bool {
        let Some(secret) = &self.token_secret else { return false };
        macro_rules! signed_by {
            ($digest:ty) => {
                Hmac::<$digest>::new_from_slice(secret)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok())
            };
        }
        match bits {
            256 => signed_by!(Sha256),
            384 => signed_by!(Sha384),
            512 => signed_by!(Sha512),
            _ => false,
        }
    }
}

/// What a token's text is kept as.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A hash that no password has, with no need to compute one: start-up does not wait for it. Hex digits are digits of
/// base64, too; the last of each text has no bits beyond those of 16 and 32 bytes.
fn nobody(entropy: [u8; 32]) -> String {
    let hex: String = entropy.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("$argon2id$v=19$m=19456,t=2,p=1${}A${}0", &hex[..21], &hex[21..63])
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn hash(password: &str, salt: [u8; 16]) -> String {
    argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("the parameters are the crate's own")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_password_is_known_by_its_hash_and_the_second_time_at_once() {
        let vault = HostVault::new(None);
        let stored = vault.hash_password("secret", [7; 16]);
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, vault.hash_password("secret", [8; 16]));
        assert!(!vault.verify_password("Secret", Some(&stored)));
        assert!(PasswordHash::new(&nobody([0xf5; 32])).is_ok(), "who does not exist costs a hash as well");
        assert!(!vault.verify_password("", None), "nobody has no password");
        assert!(vault.verify_password("secret", Some(&stored)));
        let again = Instant::now();
        assert!(vault.verify_password("secret", Some(&stored)));
        assert!(again.elapsed() < Duration::from_millis(1), "{:?}", again.elapsed());
        assert!(!vault.verify_password("secret", Some(&vault.hash_password("other", [7; 16]))));
        assert!(!vault.verify_password("secret", Some("$argon2id$broken")));
    }

    #[test]
    fn signatures_are_those_of_the_secret() {
        // RFC 4231, case 2.
        let vault = HostVault::new(Some("Jefe"));
        let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let mut mac: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&mac[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let message = b"what do ya want for nothing?";
        assert!(vault.verify_signature(256, message, &mac));
        assert!(!vault.verify_signature(384, message, &mac));
        mac[0] ^= 1;
        assert!(!vault.verify_signature(256, message, &mac));
        assert!(!HostVault::new(None).verify_signature(256, message, &mac));
    }
}
