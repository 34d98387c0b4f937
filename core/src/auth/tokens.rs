//! Tokens of access: secrets made for a program, with rights of their own, that end or are revoked.
//!
//! A token's text is `isp_<id>_<secret>`: 16 and 40 hexadecimal digits. Only the SHA-256 of the whole text is kept, which
//! 160 random bits need no slow hash for. Body of a document of the space `tokens`, whose key is the id:
//!
//! ```text
//! byte 1 (layout)   32 bytes SHA-256 of the text   byte bits: 1 reads all databases, 2 writes all, 4 administrator
//! text name   text name of who made it   signed made, signed ends (ns since 1970; 0 is never)
//! varint grants, each: varint id of the database, byte rights (1 read, 2 write)
//! ```

use super::token::TokenError;
use super::users::User;
use super::{LoginError, Rights};
use crate::catalog::{Command, DocumentChanges, Documents, Space};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

const SPACE: &str = "tokens";
const LAYOUT: u8 = 1;
const ADMIN: u8 = 4;
/// What every token's text begins with.
pub const PREFIX: &str = "isp_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 20;

/// A token as it is kept: not its text, only what that is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    /// What it is for, in somebody's words.
    pub name: String,
    pub made_by: String,
    /// May do everything.
    pub admin: bool,
    /// On every database, also those made later.
    pub everywhere: Rights,
    /// By id of the database.
    pub grants: Vec<(u32, Rights)>,
    pub made: Timestamp,
    /// Not accepted from then on.
    pub ends: Option<Timestamp>,
    /// SHA-256 of the text.
    pub digest: [u8; 32],
}

/// The id and the text of a new token. `entropy` is new random bytes.
pub fn new_text(entropy: [u8; 32]) -> (String, String) {
    let hex = |bytes: &[u8]| {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>()
    };
    let (id, secret) = entropy.split_at(ID_BYTES);
    let id = hex(id);
    let text = format!("{PREFIX}{id}_{}", hex(&secret[..SECRET_BYTES]));
    (id, text)
}

/// The id in a text that looks like a token's.
pub fn id_of(text: &str) -> Option<&str> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == 2 * ID_BYTES && secret.len() == 2 * SECRET_BYTES).then_some(id)
}

impl Token {
    /// Whom it stands for: a caller with its rights, called `token <name>`.
    fn user(&self) -> User {
        let mut user = User::new(&format!("token {}", self.name), self.admin, String::new());
        user.everywhere = self.everywhere;
        self.grants.iter().for_each(|(database, rights)| user.grant(*database, *rights));
        user
    }

    fn encode(&self) -> Bytes {
        let mut out = vec![LAYOUT];
        out.extend_from_slice(&self.digest);
        out.push(self.everywhere.0 | if self.admin { ADMIN } else { 0 });
        varint::write_bytes(self.name.as_bytes(), &mut out);
        varint::write_bytes(self.made_by.as_bytes(), &mut out);
        varint::write_signed(self.made.nanos(), &mut out);
        varint::write_signed(self.ends.map_or(0, Timestamp::nanos), &mut out);
        varint::write(self.grants.len() as u64, &mut out);
        for (database, rights) in &self.grants {
            varint::write(u64::from(*database), &mut out);
            out.push(rights.0);
        }
        out.into()
    }

    fn decode(id: &str, body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if reader.byte("layout of a token")? != LAYOUT {
            return Err(reader.error("layout of a token"));
        }
        let digest = reader.array("digest of a token")?;
        let bits = reader.byte("rights of a token")?;
        let name = reader.text("name of a token")?.to_owned();
        let made_by = reader.text("maker of a token")?.to_owned();
        let made = Timestamp::from_nanos(reader.signed("time of a token")?);
        let ends = Some(reader.signed("end of a token")?).filter(|ends| *ends != 0).map(Timestamp::from_nanos);
        let mut grants = Vec::new();
        for _ in 0..reader.length(reader.remaining(), "number of grants")? {
            let database = u32::try_from(reader.varint("id of a database")?);
            let database = database.map_err(|_| reader.error("id of a database"))?;
            grants.push((database, Rights::from_bits(reader.byte("rights")?)));
        }
        let (admin, everywhere) = (bits & ADMIN != 0, Rights::from_bits(bits));
        Ok(Self { id: id.to_owned(), name, made_by, admin, everywhere, grants, made, ends, digest })
    }
}

/// All tokens, as of one snapshot.
#[derive(Clone, Debug)]
pub struct Tokens {
    space: Arc<Space>,
}

impl Tokens {
    pub fn of(documents: &Documents) -> Self {
        Self { space: documents.space(SPACE) }
    }

    pub fn find(&self, id: &str) -> Option<Token> {
        Token::decode(id, self.space.documents.get(id)?).ok()
    }

    /// In order of their ids.
    pub fn all(&self) -> Vec<Token> {
        self.space.documents.iter().filter_map(|(id, body)| Token::decode(id, body).ok()).collect()
    }

    /// Whom a text stands for, at a time. `digest` is its SHA-256.
    pub fn check(&self, text: &str, digest: [u8; 32], now: Timestamp) -> Result<User, LoginError> {
        let token = id_of(text).and_then(|id| self.find(id)).ok_or(TokenError::Unknown)?;
        let differences = token.digest.iter().zip(digest).fold(0, |seen, (a, b)| seen | (a ^ b));
        if differences != 0 {
            return Err(TokenError::Unknown.into());
        }
        if token.ends.is_some_and(|ends| ends <= now) {
            return Err(TokenError::Expired.into());
        }
        Ok(token.user())
    }

    /// Keeps a token. As with users, the command is refused when any token has changed meanwhile.
    pub fn put(&self, token: &Token) -> Command {
        self.change(&token.id, Some(token.encode()))
    }

    /// Revokes one: from then on it is not known.
    pub fn remove(&self, id: &str) -> Command {
        self.change(id, None)
    }

    fn change(&self, id: &str, body: Option<Bytes>) -> Command {
        Command::Documents(DocumentChanges {
            space: SPACE.to_owned(),
            revision: self.space.revision,
            changes: vec![(id.to_owned(), body)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> (Token, String) {
        let (id, text) = new_text([0xab; 32]);
        let grants = vec![(7, Rights::READ)];
        let (made, ends) = (Timestamp::from_nanos(5), Some(Timestamp::from_nanos(100)));
        let (name, made_by) = ("agent".to_owned(), "ann".to_owned());
        let everywhere = Rights::NONE;
        (Token { id, name, made_by, admin: false, everywhere, grants, made, ends, digest: [9; 32] }, text)
    }

    #[test]
    fn a_token_is_known_by_its_digest_until_it_ends_or_is_revoked() {
        let (token, text) = token();
        assert_eq!(text.len(), 4 + 16 + 1 + 40);
        let mut documents = Documents::default();
        let apply = |documents: &mut Documents, command: Command| {
            let Command::Documents(changes) = command else { panic!("{command:?}") };
            assert_eq!(documents.apply(&changes), Ok(true));
        };
        let put = Tokens::of(&documents).put(&token);
        apply(&mut documents, put);
        let tokens = Tokens::of(&documents);
        assert_eq!(tokens.all(), std::slice::from_ref(&token));
        let at = |nanos, digest| tokens.check(&text, digest, Timestamp::from_nanos(nanos));
        let user = at(99, [9; 32]).unwrap();
        assert_eq!((user.name.as_str(), user.admin), ("token agent", false));
        assert_eq!((user.rights(7), user.rights(8)), (Rights::READ, Rights::NONE));
        assert_eq!(at(99, [8; 32]), Err(TokenError::Unknown.into()));
        assert_eq!(at(100, [9; 32]), Err(TokenError::Expired.into()));
        let all = Token { everywhere: Rights::WRITE, ..token.clone() }.user();
        assert!(all.rights(8).contains(Rights::WRITE) && all.rights(7).contains(Rights::ALL));
        let revoke = tokens.remove(&token.id);
        apply(&mut documents, revoke);
        let gone = Tokens::of(&documents).check(&text, [9; 32], Timestamp::from_nanos(0));
        assert_eq!(gone, Err(TokenError::Unknown.into()));
    }

    #[test]
    fn cut_documents_are_refused() {
        let (token, _) = token();
        let body = token.encode();
        assert_eq!(Token::decode(&token.id, &body), Ok(token));
        (0..body.len()).for_each(|len| assert!(Token::decode("x", &body[..len]).is_err(), "{len}"));
        for text in ["", "isp_", "isp_0_1", "isp_00000000000000000_0", "eyJ.a.b"] {
            assert_eq!(id_of(text), None);
        }
    }
}
