//! Records by their rules, what the proxy sends, what provisioning makes.

use super::proxy;
use super::record::{Record, SPACE};
use super::sources::{Body, Means, Name, Sources};
use crate::auth::Principal;
use crate::catalog::{DocumentChanges, Documents};
use crate::dialect::errand::HttpCall;
use crate::dialect::exchange::{ApiConfig, ApiRequest};
use crate::dialect::route::Call;
use crate::dialect::sealer::Sealer;
use crate::store::Snapshot;
use crate::time::Timestamp;
use std::sync::Arc;

/// Seals so that everybody can see it.
#[derive(Debug)]
struct Glass;

impl Sealer for Glass {
    fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        [context, b"|", plain].concat()
    }

    fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        sealed.strip_prefix(context)?.strip_prefix(b"|").map(<[u8]>::to_vec)
    }
}

const MEANS: Means<'_> = Means { sealer: Some(&Glass), entropy: &[7; 32] };

#[derive(Default)]
struct World(Documents);

impl World {
    fn sources(&self) -> Sources {
        Sources::of(&self.0.space(SPACE))
    }

    fn apply(&mut self, decided: Result<(Record, DocumentChanges), super::error::ApiError>) -> Result<Record, String> {
        let (record, changes) = decided.map_err(|error| format!("{} {}", error.status, error.message))?;
        self.0.apply(&changes).unwrap();
        // What is stored is what was said.
        assert_eq!(self.sources().find(&Name::Id(record.id)), Some(&record));
        Ok(record)
    }

    fn create(&mut self, body: &str) -> Result<Record, String> {
        let body = Body::read(body.as_bytes()).map_err(|error| error.message)?;
        self.apply(self.sources().create(&body, MEANS))
    }

    fn update(&mut self, id: i64, body: &str) -> Result<Record, String> {
        let body = Body::read(body.as_bytes()).map_err(|error| error.message)?;
        self.apply(self.sources().update(&Name::Id(id), &body, MEANS))
    }
}

#[test]
fn names_uids_and_the_default_are_given_out() {
    let mut world = World::default();
    let first = world.create(r#"{"type":"testdata","access":"proxy"}"#).unwrap();
    assert_eq!((first.name.as_str(), first.kind.as_str()), ("testdata", "grafana-testdata-datasource"));
    assert!(first.is_default && first.id == 1 && first.uid.len() == 14);
    let second = world.create(r#"{"type":"TESTDATA","access":"proxy","isDefault":true}"#).unwrap();
    assert_eq!((second.name.as_str(), second.id), ("TESTDATA-1", 2));
    assert_ne!(first.uid, second.uid);
    assert!(!world.sources().find(&Name::Id(1)).unwrap().is_default);
    let (_, changes) = world.sources().delete(&Name::Id(2)).unwrap();
    world.0.apply(&changes).unwrap();
    assert_eq!(world.create(r#"{"type":"x","access":"proxy"}"#).unwrap().id, 3, "an id is never used twice");
}

#[test]
fn what_refers_to_a_former_uid_still_does() {
    let mut world = World::default();
    let named = |uid: &str| format!(r#"{{"type":"x","access":"p","name":"a","uid":"{uid}"}}"#);
    let id = world.create(&named("u")).unwrap().id;
    world.update(id, &named("v")).unwrap();
    let of = |world: &World, uid: &str| world.sources().referred(&Name::Uid(uid.to_owned())).map(|record| record.id);
    assert_eq!(world.sources().find(&Name::Uid("u".to_owned())), None, "the record itself has but one");
    assert_eq!((of(&world, "u"), of(&world, "v")), (Some(id), Some(id)));
    // Whoever has the uid now comes first, and who had it last after that.
    let two = world.create(r#"{"type":"x","access":"p","name":"b","uid":"u"}"#).unwrap().id;
    assert_eq!(of(&world, "u"), Some(two));
    world.update(two, r#"{"type":"x","access":"p","name":"b","uid":"w"}"#).unwrap();
    assert_eq!((of(&world, "u"), of(&world, "v")), (Some(two), Some(id)));
    assert!(world.sources().find(&Name::Id(id)).unwrap().former_uids.is_empty());
    world.update(two, r#"{"type":"x","access":"p","name":"b","uid":"u"}"#).unwrap();
    assert_eq!(world.sources().find(&Name::Id(two)).unwrap().former_uids, ["w"]);
    for number in 0..20 {
        world.update(id, &named(&format!("n{number}"))).unwrap();
    }
    assert_eq!((of(&world, "n11"), of(&world, "n10")), (Some(id), None));
}

#[test]
fn what_is_wrong_is_told_in_order() {
    let mut world = World::default();
    let long = "n".repeat(191);
    for (body, why) in [
        ("{".to_owned(), "bad request data"),
        (r#"{"type":"x"}"#.to_owned(), "400 bad request data"),
        (r#"{"type":"x","access":"p","jsonData":[]}"#.to_owned(), "bad request data"),
        (r#"{"type":"x","access":"p","url":"://x"}"#.to_owned(), "400 Validation error, invalid URL"),
        (format!(r#"{{"type":"x","access":"p","name":"{long}"}}"#), "400 Invalid datasource name."),
        (format!(r#"{{"type":"x","access":"p","url":"http://{long}/{long}"}}"#), "400 Invalid datasource url."),
        (r#"{"type":"x","access":"p","uid":"a b"}"#.to_owned(), "400 Invalid datasource uid."),
    ] {
        assert_eq!(world.create(&body), Err(why.to_owned()), "{body}");
    }
    world.create(r#"{"type":"x","access":"p","name":"a","uid":"u"}"#).unwrap();
    let two = world.create(r#"{"type":"x","access":"p","name":"b"}"#).unwrap().id;
    assert_eq!(
        world.update(two, r#"{"type":"x","access":"p","name":"a"}"#),
        Err("409 Failed to update datasource: data source with the same name already exists".to_owned())
    );
    assert_eq!(
        world.update(two, r#"{"type":"x","access":"p","name":"b","uid":"u"}"#),
        Err("409 data source with the same uid already exists".to_owned())
    );
    assert_eq!(
        world.update(two, r#"{"type":"loki","access":"p","name":"b"}"#),
        Err("400 Validation error, invalid URL".to_owned())
    );
    assert_eq!(
        world.update(99, r#"{"type":"x","access":"p","name":"b"}"#),
        Err("404 Data source not found".to_owned())
    );
}

#[test]
fn an_update_counts_versions_and_keeps_secrets() {
    let mut world = World::default();
    let body = r#"{"type":"x","access":"p","name":"a","url":"http://h","user":"u","secureJsonData":{"a":"1","b":"2"}}"#;
    let id = world.create(body).unwrap().id;
    let updated = world
        .update(id, r#"{"type":"x","access":"p","name":"a","version":1,"secureJsonData":{"b":"","c":"3"}}"#)
        .unwrap();
    assert_eq!((updated.version, updated.url.as_str(), updated.user.as_str()), (2, "http://h", ""));
    assert_eq!(updated.secrets.keys().cloned().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(updated.secret("c", Some(&Glass)).unwrap(), "3");
    let cleared = world.update(id, r#"{"type":"x","access":"p","name":"a","url":"","version":5}"#).unwrap();
    assert_eq!((cleared.version, cleared.url.as_str()), (6, ""));
    assert!(world.update(id, r#"{"type":"x","access":"p","name":"a","version":5}"#).unwrap_err().starts_with("409"));
    assert_eq!(world.update(id, r#"{"type":"x","access":"p","name":"a"}"#).unwrap().version, 1);
    // A sealed secret of one record is none of another.
    let moved = Record { id: 9, ..world.sources().records[0].clone() };
    assert_eq!(moved.secret("a", Some(&Glass)).unwrap_err().status, 500);
}

#[test]
fn provisioned_records_are_read_only_and_found_again() {
    let mut world = World::default();
    let hash = |name: &[u8]| {
        let mut hash = [0xab; 32];
        hash[7] ^= name[0] ^ b'p';
        hash
    };
    let apply = |world: &mut World, document: &str| {
        let provisioned = super::provision(document.as_bytes(), &world.0, &Glass, &hash, &[1; 32]).unwrap();
        for changes in &provisioned.changes {
            world.0.apply(changes).unwrap();
        }
    };
    for _ in 0..2 {
        apply(
            &mut world,
            r#"{"datasources":[{"name":"p","type":"graphite","url":"http://h"},{"name":"q","type":"x"}]}"#,
        );
    }
    let records = world.sources().records;
    assert_eq!((records.len(), records[0].uid.as_str(), records[0].read_only), (1 + 1, "PABABABABABABABAB", true));
    assert!(world.update(1, r#"{"type":"x","access":"p","name":"p"}"#).unwrap_err().starts_with("403"));
    assert_eq!(world.sources().delete(&Name::Id(1)).unwrap_err().status, 403);
    apply(&mut world, r#"{"prune":true,"datasources":[{"name":"p","type":"graphite","url":"http://h"}]}"#);
    assert_eq!(world.sources().records.len(), 1);
}

/// What goes out for `GET` on a path below the proxy of a record.
fn out(body: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Result<HttpCall, u16> {
    let mut world = World::default();
    let id = world.create(body).unwrap().id;
    let snapshot = Snapshot { documents: Arc::new(world.0), ..Snapshot::default() };
    let config = Arc::new(ApiConfig { sealer: Some(Arc::new(Glass)), ..ApiConfig::default() });
    let request = ApiRequest {
        method: "GET".into(),
        path: format!("/api/datasources/proxy/{id}/{path}"),
        query: query.into(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: Default::default(),
        now: Timestamp::EPOCH,
        request_id: String::new(),
        entropy: [0; 32],
    };
    let call = Call { request, snapshot, config, principal: Principal::Everyone };
    proxy::prepare(&call, "10.0.0.1").map_err(|error| error.status)
}

#[test]
fn the_proxy_cleans_headers_and_adds_credentials() {
    let body = r#"{"type":"x","access":"p","name":"a","url":"http://h:1/b/?lost=1","jsonData":{"keepCookies":["k[]"],"httpHeaderName1":"X-One","timeout":"7"},
        "user":"u","secureJsonData":{"password":"p","httpHeaderValue1":"1"}}"#;
    let sent = [
        ("authorization", "Basic caller"),
        ("cookie", "k1=a; s=b; grafana_session=c"),
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("referer", "http://me"),
        ("x-one", "caller"),
        ("x-forwarded-for", "9.9.9.9"),
        ("x-kept", "yes"),
    ];
    let call = out(body, "x%2Fy/", "b=2&a=1", &sent).unwrap();
    assert_eq!((call.url.as_str(), call.timeout_millis, call.follow), ("http://h:1/b/x%2Fy/?b=2&a=1", 7000, false));
    let header = |name: &str| call.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(header("authorization"), Some("Basic dTpw"));
    assert_eq!((header("cookie"), header("x-one"), header("x-kept")), (Some("k1=a"), Some("1"), Some("yes")));
    assert_eq!(
        (header("x-forwarded-for"), header("x-grafana-referer")),
        (Some("9.9.9.9, 10.0.0.1"), Some("http://me"))
    );
    assert_eq!((header("connection"), header("x-hop"), header("te"), header("referer")), (None, None, None, None));
    assert!(header("user-agent").unwrap().starts_with("Grafana/"));
}

#[test]
fn the_proxy_knows_types_and_does_not_climb() {
    let of = |kind: &str| format!(r#"{{"type":"{kind}","access":"p","name":"a","url":"http://h/b","database":"d"}}"#);
    assert_eq!(out(&of("influxdb"), "query", "q=a+b&db=%41", &[]).unwrap().url, "http://h/b/query?db=A&q=a+b");
    assert_eq!(out(&of("influxdb_08"), "series", "q=1", &[]).unwrap().url, "http://h/b/db/d/series?q=1&u=&p=");
    assert_eq!(out(&of("influxdb_08"), "../../x", "", &[]), Err(403));
    assert_eq!(out(&of("x"), "a/%2e%2e/../y", "", &[]), Err(403));
    assert_eq!(out(r#"{"type":"x","access":"p","name":"a"}"#, "", "", &[]), Err(500));
    let head = proxy::answer_head(401, &[("www-authenticate".into(), "Basic".into()), ("x".into(), "y".into())]);
    assert!(head.0 == 400 && head.2.is_some() && !head.1.iter().any(|(name, _)| name == "www-authenticate"));
}
