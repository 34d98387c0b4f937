//! Users as documents of the catalog, one each, by name.
//!
//! Body of a document:
//!
//! ```text
//! byte 1 (layout)   byte administrator (0, 1)   varint revision of the space that the user came with
//! text hash of the password (PHC)
//! varint grants, each: varint id of the database, byte rights (1 read, 2 write)
//! ```
//!
//! A grant names its database by id, so that one made anew under an old name is not open to those of the old one.

use super::Rights;
use crate::catalog::{Command, DocumentChanges, Documents, Space};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::order::sort_by;
use bytes::Bytes;
use std::sync::Arc;

const SPACE: &str = "users";
const LAYOUT: u8 = 1;

/// Somebody who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    /// May do everything.
    pub admin: bool,
    /// Of the password, a PHC text.
    pub hash: String,
    /// By id of the database, in order of first grant; [`Rights::NONE`] is what a revoke leaves.
    grants: Vec<(u32, Rights)>,
    /// On every database, beside the grants. Tokens have that; it is not kept with a user.
    pub everywhere: Rights,
    /// Users list in order of creation.
    made: u64,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl User {
    pub fn new(name: &str, admin: bool, hash: String) -> Self {
        Self { name: name.to_owned(), admin, hash, grants: Vec::new(), everywhere: Rights::NONE, made: 0 }
    }

    /// What was granted on the database of this id.
    pub fn rights(&self, database: u32) -> Rights {
        let granted = self.grants.iter().find(|(id, _)| *id == database).map_or(Rights::NONE, |(_, rights)| *rights);
        granted.and(self.everywhere)
    }

    /// Every database something was ever granted on.
    pub fn grants(&self) -> &[(u32, Rights)] {
        &self.grants
    }

    /// These rights and no others from now on.
    pub fn grant(&mut self, database: u32, rights: Rights) {
        match self.grants.iter_mut().find(|(id, _)| *id == database) {
            Some((_, known)) => *known = rights,
            None => self.grants.push((database, rights)),
        }
    }

    fn encode(&self) -> Bytes {
        let mut out = vec![LAYOUT, u8::from(self.admin)];
        varint::write(self.made, &mut out);
        varint::write_bytes(self.hash.as_bytes(), &mut out);
        varint::write(self.grants.len() as u64, &mut out);
        for (database, rights) in &self.grants {
            varint::write(u64::from(*database), &mut out);
            out.push(rights.0);
        }
        out.into()
    }

    fn decode(name: &str, body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if reader.byte("layout of a user")? != LAYOUT {
            return Err(reader.error("layout of a user"));
        }
        let admin = reader.byte("administrator")? == 1;
        let made = reader.varint("revision")?;
        let hash = reader.text("hash of a password")?.to_owned();
        let mut user = Self { made, ..Self::new(name, admin, hash) };
        for _ in 0..reader.length(reader.remaining(), "number of grants")? {
            let database = u32::try_from(reader.varint("id of a database")?);
            let database = database.map_err(|_| reader.error("id of a database"))?;
            user.grant(database, Rights::from_bits(reader.byte("rights")?));
        }
        Ok(user)
    }
}

/// Everybody, as of one snapshot.
#[derive(Clone, Debug)]
pub struct Users {
    space: Arc<Space>,
}

impl Users {
    pub fn of(documents: &Documents) -> Self {
        Self { space: documents.space(SPACE) }
    }

    pub fn find(&self, name: &str) -> Option<User> {
        User::decode(name, self.space.documents.get(name)?).ok()
    }

    /// In order of creation.
    pub fn all(&self) -> Vec<User> {
        let read = self.space.documents.iter().filter_map(|(name, body)| User::decode(name, body).ok());
        let mut users: Vec<User> = read.collect();
        sort_by(&mut users, |a, b| (a.made, &a.name).cmp(&(b.made, &b.name)));
        users
    }

    /// Somebody may do everything.
    pub fn has_admin(&self) -> bool {
        self.space.documents.values().any(|body| matches!(&body[..], [LAYOUT, 1, ..]))
    }

    /// Keeps a user, new or changed. The store refuses the command with
    /// [`CatalogError::DocumentsChanged`](crate::catalog::CatalogError::DocumentsChanged) when any user has changed
    /// meanwhile: decide again.
    pub fn put(&self, user: &User) -> Command {
        let mut user = user.clone();
        if !self.space.documents.contains_key(user.name.as_str()) {
            user.made = self.space.revision + 1;
        }
        self.change(&user.name, Some(user.encode()))
    }

    /// The same for one who goes.
    pub fn remove(&self, name: &str) -> Command {
        self.change(name, None)
    }

    fn change(&self, name: &str, body: Option<Bytes>) -> Command {
        Command::Documents(DocumentChanges {
            space: SPACE.to_owned(),
            revision: self.space.revision,
            changes: vec![(name.to_owned(), body)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(documents: &mut Documents, command: Command) {
        let Command::Documents(changes) = command else { panic!("{command:?}") };
        assert_eq!(documents.apply(&changes), Ok(true));
    }

    #[test]
    fn users_are_kept_listed_in_order_of_creation_and_gone_when_removed() {
        let mut documents = Documents::default();
        let mut zoe = User::new("zoe", true, "h".into());
        zoe.grant(3, Rights::READ);
        for user in [&zoe, &User::new("ann", false, "i".into())] {
            let command = Users::of(&documents).put(user);
            apply(&mut documents, command);
        }
        let users = Users::of(&documents);
        assert_eq!(users.all().iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["zoe", "ann"]);
        assert!(users.has_admin());
        let mut found = users.find("zoe").unwrap();
        assert_eq!((found.rights(3), found.hash.as_str()), (Rights::READ, "h"));
        found.admin = false;
        apply(&mut documents, users.put(&found));
        let users = Users::of(&documents);
        assert!(!users.has_admin() && users.all()[0].name == "zoe", "a change does not make anyone younger");
        apply(&mut documents, users.remove("zoe"));
        assert_eq!(Users::of(&documents).find("zoe"), None);
    }

    #[test]
    fn cut_documents_are_refused() {
        let mut user = User::new("u", true, "$argon2id$".into());
        user.grant(1, Rights::ALL);
        let body = user.encode();
        assert_eq!(User::decode("u", &body), Ok(user));
        (0..body.len()).for_each(|len| assert!(User::decode("u", &body[..len]).is_err(), "{len}"));
    }
}
