//! Subscriptions: who else gets what is written to a retention policy. Kept as documents; a host forwards.
//!
//! Key of a document: `<id of the policy>/<name>`, so that a subscription goes with its policy. Body:
//!
//! ```text
//! byte 1 (layout)   varint revision of the space that the subscription came with
//! byte mode (0 all, 1 any)   varint destinations, each a text
//! ```

use super::answer::{Chunks, Part};
use super::ast::{Statement, SubscriptionMode};
use super::error::StatementError;
use super::line_protocol;
use super::query::{Context, Work};
use super::show::{named, texts};
use crate::catalog::{Command, DocumentChanges, Space};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::WriteBatch;
use crate::order::sort_by;
use crate::store::Snapshot;
use crate::store::snapshot::Policy;
use bytes::Bytes;

const SPACE: &str = "subscriptions";
const LAYOUT: u8 = 1;

/// A kept subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub name: String,
    /// Each point goes to one of the destinations only, whichever takes it.
    pub any: bool,
    /// `http://host:port` or `udp://host:port`.
    pub destinations: Vec<String>,
    made: u64,
}

impl Subscription {
    fn encode(&self) -> Bytes {
        let mut out = vec![LAYOUT];
        varint::write(self.made, &mut out);
        out.push(u8::from(self.any));
        varint::write(self.destinations.len() as u64, &mut out);
        for destination in &self.destinations {
            varint::write_bytes(destination.as_bytes(), &mut out);
        }
        out.into()
    }

    fn decode(name: &str, body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if reader.byte("layout of a subscription")? != LAYOUT {
            return Err(reader.error("layout of a subscription"));
        }
        let made = reader.varint("revision")?;
        let any = reader.byte("mode")? == 1;
        let mut destinations = Vec::new();
        for _ in 0..reader.length(reader.remaining(), "number of destinations")? {
            destinations.push(reader.text("destination")?.to_owned());
        }
        Ok(Self { name: name.to_owned(), any, destinations, made })
    }
}

/// The subscriptions of a policy, in order of creation.
fn of_policy(space: &Space, policy: &Policy) -> Vec<Subscription> {
    let prefix = format!("{}/", policy.id);
    let mut kept = Vec::new();
    for (key, body) in space.documents.iter() {
        if let Some(name) = key.strip_prefix(&prefix) {
            kept.extend(Subscription::decode(name, body));
        }
    }
    sort_by(&mut kept, |a, b| (a.made, &a.name).cmp(&(b.made, &b.name)));
    kept
}

/// Who gets a copy of what is written to a policy (`None`: the default one). Cheap when nobody does.
pub fn subscriptions(snapshot: &Snapshot, database: &str, policy: Option<&str>) -> Vec<Subscription> {
    let space = snapshot.documents.space(SPACE);
    if space.documents.is_empty() {
        return Vec::new();
    }
    let policy = snapshot.database(database).and_then(|database| database.policy(policy));
    policy.map_or_else(Vec::new, |policy| of_policy(&space, policy))
}

/// Points as line protocol with nanoseconds, a line each.
pub fn lines(batch: &WriteBatch) -> Vec<u8> {
    line_protocol::write(batch)
}

/// The work of a statement about subscriptions, `None` when it is about something else.
pub(super) fn compile(statement: &Statement, context: &Context<'_>) -> Result<Option<Work>, StatementError> {
    let space = context.snapshot.documents.space(SPACE);
    Ok(Some(match statement {
        Statement::CreateSubscription { name, database, rp, mode, destinations } => {
            if let Some(wrong) = destinations.iter().find(|destination| !is_destination(destination)) {
                return Err(StatementError::SubscriptionUrl(wrong.clone()));
            }
            let key = format!("{}/{name}", policy(database, rp, context)?.id);
            if space.documents.contains_key(key.as_str()) {
                return Err(StatementError::Fixed("subscription already exists"));
            }
            let kept = Subscription {
                name: name.clone(),
                any: *mode == SubscriptionMode::Any,
                destinations: destinations.clone(),
                made: space.revision + 1,
            };
            // Those whose policy is gone go now.
            let gone = |key: &str| {
                let id = key.split_once('/').and_then(|(id, _)| id.parse().ok());
                let mut policies = context.snapshot.databases.iter().flat_map(|database| &database.policies);
                !policies.any(|policy| Some(policy.id) == id)
            };
            let mut changes: Vec<_> =
                space.documents.keys().filter(|key| gone(key)).map(|key| (key.clone(), None)).collect();
            changes.push((key, Some(kept.encode())));
            Work::Command(change(&space, changes))
        }
        Statement::DropSubscription { name, database, rp } => {
            let key = format!("{}/{name}", policy(database, rp, context)?.id);
            if !space.documents.contains_key(key.as_str()) {
                return Err(StatementError::Fixed("subscription not found"));
            }
            Work::Command(change(&space, vec![(key, None)]))
        }
        Statement::ShowSubscriptions => Work::Parts { parts: show(&space, context), chunks: Chunks::Whole },
        _ => return Ok(None),
    }))
}

fn policy<'a>(database: &str, name: &str, context: &Context<'a>) -> Result<&'a Policy, StatementError> {
    let database =
        context.snapshot.database(database).ok_or_else(|| StatementError::DatabaseNotFound(database.to_owned()))?;
    let policy = database.policies.iter().find(|policy| policy.name == name);
    policy.map(|policy| &**policy).ok_or_else(|| StatementError::PolicyNotFound(name.to_owned()))
}

fn change(space: &Space, changes: Vec<(String, Option<Bytes>)>) -> Command {
    Command::Documents(DocumentChanges { space: SPACE.to_owned(), revision: space.revision, changes })
}

/// A series for each database that has some.
fn show(space: &Space, context: &Context<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    for database in context.snapshot.databases.iter() {
        let mut rows: Vec<(&str, Subscription)> = Vec::new();
        for policy in &database.policies {
            rows.extend(of_policy(space, policy).into_iter().map(|kept| (policy.name.as_str(), kept)));
        }
        if rows.is_empty() {
            continue;
        }
        let mode = |kept: &Subscription| if kept.any { "ANY" } else { "ALL" };
        let cells = rows.iter().map(|(policy, kept)| [*policy, &kept.name, mode(kept)]);
        let part = texts(&database.name, ["retention_policy", "name", "mode"], cells);
        let columns = named(["retention_policy", "name", "mode", "destinations"]);
        let lists = rows.iter().map(|(_, kept)| kept.destinations.clone()).collect();
        parts.push(Part { columns, lists: Some(lists), ..part });
    }
    parts
}

/// `udp`, `http` or `https`, a host and a port.
fn is_destination(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let Some((name, port)) = host.rsplit_once(':') else { return false };
    matches!(scheme, "udp" | "http" | "https") && !name.is_empty() && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_a_scheme_a_host_and_a_port() {
        for right in ["udp://127.0.0.1:9", "http://example.com:80/write", "https://u:p@[::1]:443"] {
            assert!(is_destination(right), "{right}");
        }
        for wrong in ["nonsense", "http://example.com", "tcp://a:1", "udp://:1", "http://a:b", "http://a:99999", ""] {
            assert!(!is_destination(wrong), "{wrong}");
        }
    }

    #[test]
    fn kept_subscriptions_come_back_and_cut_ones_are_refused() {
        let kept = Subscription { name: "s".into(), any: true, destinations: vec!["udp://a:1".into()], made: 3 };
        let body = kept.encode();
        assert_eq!(Subscription::decode("s", &body), Ok(kept));
        (0..body.len()).for_each(|len| assert!(Subscription::decode("s", &body[..len]).is_err(), "{len}"));
    }
}
