//! What clients call before anything else: liveness, settings, who am I.

use super::crud::{answered, sources};
use super::error::json_reply;
use super::identity::{Right, Role};
use super::json::{Json, object};
use crate::dialect::exchange::Exchange;
use crate::dialect::route::Call;

const COMMIT: &str = "isopoint";

pub(crate) fn health(call: Call) -> Box<dyn Exchange> {
    let version = call.config.data_sources.version.as_str();
    json_reply(200, &object([("commit", COMMIT.into()), ("database", "ok".into()), ("version", version.into())]))
}

pub(crate) fn settings(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |call, _| {
        let version = call.config.data_sources.version.as_str();
        let build = object([
            ("version", version.into()),
            ("commit", COMMIT.into()),
            ("edition", "Open Source".into()),
            ("env", "production".into()),
        ]);
        let sources = sources(&call.snapshot);
        let default = sources.records.iter().find(|record| record.is_default);
        let mut listed = Vec::new();
        for record in sources.sorted() {
            let entry = object([
                ("id", record.id.into()),
                ("uid", record.uid.as_str().into()),
                ("name", record.name.as_str().into()),
                ("type", record.kind.as_str().into()),
                ("access", record.access.as_str().into()),
                ("url", format!("/api/datasources/proxy/uid/{}", record.uid).into()),
                ("isDefault", record.is_default.into()),
                ("readOnly", record.read_only.into()),
                ("jsonData", record.json_data.clone()),
            ]);
            listed.push((record.name.clone(), entry));
        }
        Ok(object([
            ("buildInfo", build),
            ("datasources", Json::Object(listed)),
            ("defaultDatasource", default.map_or("", |record| &record.name).into()),
            ("anonymousEnabled", false.into()),
        ]))
    })
}

pub(crate) fn user(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |_, identity| {
        let admin = identity.role == Role::Admin;
        Ok(object([
            ("id", Json::Int(1)),
            ("uid", identity.login.as_str().into()),
            ("email", "".into()),
            ("name", identity.login.as_str().into()),
            ("login", identity.login.as_str().into()),
            ("theme", "".into()),
            ("orgId", Json::Int(1)),
            ("isGrafanaAdmin", admin.into()),
            ("isDisabled", false.into()),
            ("isExternal", false.into()),
        ]))
    })
}

pub(crate) fn user_orgs(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |_, identity| {
        let one =
            object([("orgId", Json::Int(1)), ("name", "Main Org.".into()), ("role", identity.role.name().into())]);
        Ok(Json::List(vec![one]))
    })
}

pub(crate) fn org(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |_, _| Ok(object([("id", Json::Int(1)), ("name", "Main Org.".into())])))
}

pub(crate) fn login_ping(call: Call) -> Box<dyn Exchange> {
    answered(&call, Right::Read, |_, _| Ok(object([("message", "Logged in".into())])))
}
