//! Statements as text.
//!
//! `Display` gives InfluxDB's normalised text: keywords in capitals, names quoted where they need it, passwords as
//! `[REDACTED]`. It is made for people and loses things as InfluxDB does: floats have three decimals, and a few names
//! are never quoted. [`Statement::to_source`] gives text that parses to the same statement again, for storage.

use crate::catalog::Named;
use std::fmt;

use super::text::{
    plain_float, write_duration, write_go_duration, write_ident, write_quoted, write_shortest, write_three_decimals,
};
use super::{
    Call, Cardinality, Chain, Expr, Field, Fill, FirstPolicy, KeyFilter, Measurement, MeasurementFilter, NameMatch,
    Order, PolicyOptions, Privilege, Regex, Schema, Select, ShowSchema, Source, Statement, SubscriptionMode, Target,
    WildcardOf,
};

/// `Display` as InfluxDB's normalised text.
macro_rules! display {
    ($($type:ty: $write:ident)*) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut printer = Printer { out: String::new(), lossless: false };
                printer.$write(self);
                f.write_str(&printer.out)
            }
        })*
    };
}

display! {
    Statement: statement
    Select: select
    Source: source
    Expr: expr
}

impl Statement {
    /// Text that parses to this statement again, or to one that means the same (`a / -b` becomes `a / (-1 * b)`).
    /// Passwords are `[REDACTED]` here too, and a regex that was bound where none can be written stays unreadable.
    pub fn to_source(&self) -> String {
        let mut printer = Printer { out: String::new(), lossless: true };
        printer.statement(self);
        printer.out
    }
}

struct Printer {
    out: String,
    lossless: bool,
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn ident(&mut self, name: &str) {
        write_ident(name, &mut self.out);
    }

    /// A name that InfluxDB forgets to quote.
    fn bare_ident(&mut self, name: &str) {
        if self.lossless { self.ident(name) } else { self.put(name) }
    }

    fn string(&mut self, text: &str) {
        write_quoted(text, '\'', &mut self.out);
    }

    /// In full, with a point, so that it reads back as a float.
    fn float(&mut self, value: f64) {
        let text = plain_float(value);
        self.put(&text);
        if !text.contains('.') {
            self.put(".0");
        }
    }

    fn duration(&mut self, nanos: i64) {
        write_duration(nanos, &mut self.out);
    }

    fn list<T>(&mut self, items: &[T], mut one: impl FnMut(&mut Self, &T)) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            one(self, item);
        }
    }

    /// `clause name`.
    fn named(&mut self, clause: &str, name: &str) {
        self.put(clause);
        self.ident(name);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Select(select) => self.select(select),
            Statement::Explain { select, analyze } => {
                self.put(if *analyze { "EXPLAIN ANALYZE " } else { "EXPLAIN " });
                self.select(select);
            }
            Statement::Delete { sources, condition } => {
                self.put("DELETE");
                self.from(sources);
                self.condition(condition.as_ref());
            }
            Statement::DeleteFields { fields, drop, sources, condition } => {
                self.put(if *drop { "DROP FIELD " } else { "DELETE FIELD " });
                self.list(fields, |print, field| print.ident(field));
                self.from(sources);
                self.condition(condition.as_ref());
            }
            Statement::Rename(name) => {
                let what = match name.what {
                    Named::Measurement => "RENAME MEASUREMENT ",
                    Named::Tag => "RENAME TAG ",
                    Named::Field => "RENAME FIELD ",
                };
                self.named(what, &name.from);
                self.named(" TO ", &name.to);
                if name.what != Named::Measurement {
                    self.named(" FROM ", &name.measurement);
                }
            }
            Statement::DropSeries { sources, condition } => {
                self.put("DROP SERIES");
                self.from(sources);
                self.condition(condition.as_ref());
            }
            Statement::KillQuery { id, host } => {
                self.put("KILL QUERY ");
                self.put(&id.to_string());
                self.on(host.as_deref());
            }
            Statement::ShowContinuousQueries => self.put("SHOW CONTINUOUS QUERIES"),
            Statement::ShowDatabases => self.put("SHOW DATABASES"),
            Statement::ShowDiagnostics { module } => self.module("SHOW DIAGNOSTICS", module.as_deref()),
            Statement::ShowGrants { user } => self.named("SHOW GRANTS FOR ", user),
            Statement::ShowQueries => self.put("SHOW QUERIES"),
            Statement::ShowRetentionPolicies { database } => {
                self.put("SHOW RETENTION POLICIES");
                self.on(database.as_deref());
            }
            Statement::ShowSchema(show) => self.show_schema(show),
            Statement::ShowShardGroups => self.put("SHOW SHARD GROUPS"),
            Statement::ShowShards => self.put("SHOW SHARDS"),
            Statement::ShowStats { module } => self.module("SHOW STATS", module.as_deref()),
            Statement::ShowSubscriptions => self.put("SHOW SUBSCRIPTIONS"),
            Statement::ShowUsers => self.put("SHOW USERS"),
            Statement::AlterRetentionPolicy { name, database, options, default } => {
                self.named("ALTER RETENTION POLICY ", name);
                self.named(" ON ", database);
                self.policy_options(options, *default);
            }
            Statement::CreateContinuousQuery(query) => {
                self.named("CREATE CONTINUOUS QUERY ", &query.name);
                self.named(" ON ", &query.database);
                if query.every.is_some() || query.r#for.is_some() {
                    self.put(" RESAMPLE");
                }
                self.optional_duration(" EVERY ", query.every);
                self.optional_duration(" FOR ", query.r#for);
                self.put(" BEGIN ");
                self.select(&query.select);
                self.put(" END");
            }
            Statement::CreateDatabase { name, policy } => {
                self.named("CREATE DATABASE ", name);
                if let Some(policy) = policy {
                    self.first_policy(policy);
                }
            }
            Statement::CreateRetentionPolicy { name, database, options, default } => {
                self.named("CREATE RETENTION POLICY ", name);
                self.named(" ON ", database);
                // A shard duration of 0 is as good as none.
                let shard_duration = options.shard_duration.filter(|&nanos| nanos != 0);
                self.policy_options(&PolicyOptions { shard_duration, ..*options }, *default);
            }
            Statement::CreateSubscription { name, database, rp, mode, destinations } => {
                self.subscription("CREATE SUBSCRIPTION ", name, database, rp);
                self.put(match mode {
                    SubscriptionMode::All => " DESTINATIONS ALL ",
                    SubscriptionMode::Any => " DESTINATIONS ANY ",
                });
                self.list(destinations, |printer, destination| printer.string(destination));
            }
            Statement::CreateUser { name, password: _, admin } => {
                self.named("CREATE USER ", name);
                self.put(" WITH PASSWORD [REDACTED]");
                if *admin {
                    self.put(" WITH ALL PRIVILEGES");
                }
            }
            Statement::SetPassword { user, password: _ } => {
                self.named("SET PASSWORD FOR ", user);
                self.put(" = [REDACTED]");
            }
            Statement::DropContinuousQuery { name, database } => {
                self.named("DROP CONTINUOUS QUERY ", name);
                self.named(" ON ", database);
            }
            Statement::DropDatabase { name } => self.named("DROP DATABASE ", name),
            Statement::DropMeasurement { name } => self.named("DROP MEASUREMENT ", name),
            Statement::DropRetentionPolicy { name, database } => {
                self.named("DROP RETENTION POLICY ", name);
                self.named(" ON ", database);
            }
            Statement::DropShard { id } => {
                self.put("DROP SHARD ");
                self.put(&id.to_string());
            }
            Statement::DropSubscription { name, database, rp } => {
                self.subscription("DROP SUBSCRIPTION ", name, database, rp);
            }
            Statement::DropUser { name } => self.named("DROP USER ", name),
            Statement::Grant { privilege, database, user } => {
                self.right("GRANT ", *privilege, database);
                self.named(" TO ", user);
            }
            Statement::GrantAdmin { user } => self.named("GRANT ALL PRIVILEGES TO ", user),
            Statement::Revoke { privilege, database, user } => {
                self.right("REVOKE ", *privilege, database);
                self.named(" FROM ", user);
            }
            Statement::RevokeAdmin { user } => self.named("REVOKE ALL PRIVILEGES FROM ", user),
        }
    }

    fn select(&mut self, select: &Select) {
        self.put("SELECT ");
        self.list(&select.fields, Self::field);
        if let Some(target) = &select.target {
            self.put(" INTO ");
            self.target(target);
        }
        self.from(&select.sources);
        self.condition(select.condition.as_ref());
        self.dimensions(&select.dimensions);
        match select.fill_reach {
            0 => self.fill(select.fill),
            reach => {
                self.put(" fill(previous, ");
                self.duration(reach);
                self.put(")");
            }
        }
        self.order(select.order);
        if let Some(sort) = &select.sort {
            self.put(" ORDER BY value(");
            self.ident(&sort.column);
            self.put(if sort.descending { ") DESC" } else { ") ASC" });
        }
        self.count(" LIMIT ", select.limit);
        self.count(" OFFSET ", select.offset);
        self.count(" SLIMIT ", select.slimit);
        self.count(" SOFFSET ", select.soffset);
        if let Some(zone) = &select.zone {
            self.put(" TZ(");
            // The name is not escaped by InfluxDB; no zone's name needs it.
            self.string(if zone.is_empty() { "UTC" } else { zone });
            self.put(")");
        }
    }

    fn show_schema(&mut self, show: &ShowSchema) {
        self.put("SHOW ");
        self.put(match (show.what, show.cardinality) {
            (Schema::Measurements, None) => "MEASUREMENTS",
            (Schema::Measurements, Some(_)) => "MEASUREMENT",
            (Schema::Series, _) => "SERIES",
            (Schema::TagKeys, None) => "TAG KEYS",
            (Schema::TagKeys, Some(_)) => "TAG KEY",
            (Schema::TagValues, _) => "TAG VALUES",
            (Schema::FieldKeys, None) => "FIELD KEYS",
            (Schema::FieldKeys, Some(_)) => "FIELD KEY",
        });
        self.put(match show.cardinality {
            None => "",
            Some(Cardinality::Estimated) => " CARDINALITY",
            Some(Cardinality::Exact) => " EXACT CARDINALITY",
        });
        if let Some(database) = &show.database {
            self.put(" ON ");
            if show.what == Schema::Measurements && show.cardinality.is_none() {
                self.bare_ident(database);
            } else {
                self.ident(database);
            }
        }
        if let Some(MeasurementFilter { op, source }) = &show.measurement {
            // InfluxDB looks at the source, not at the operator that was written.
            let regex = matches!(source, Source::Measurement(Measurement { name: NameMatch::Regex(_), .. }));
            self.put(" WITH MEASUREMENT ");
            self.put(match (self.lossless, regex) {
                (true, _) => op.symbol(),
                (false, true) => "=~",
                (false, false) => "=",
            });
            self.put(" ");
            self.source(source);
        }
        self.from(&show.sources);
        if let Some(key) = &show.key {
            self.put(" WITH KEY ");
            self.key_filter(key);
        }
        self.condition(show.condition.as_ref());
        self.dimensions(&show.dimensions);
        self.order(show.order);
        self.count(" LIMIT ", show.limit);
        self.count(" OFFSET ", show.offset);
        self.count(" SLIMIT ", show.slimit);
        self.count(" SOFFSET ", show.soffset);
    }

    fn key_filter(&mut self, key: &KeyFilter) {
        match key {
            KeyFilter::Equal(name) => self.named("= ", name),
            KeyFilter::NotEqual(name) => self.named("!= ", name),
            KeyFilter::Match(regex) => {
                self.put("=~ ");
                self.regex(regex);
            }
            KeyFilter::NotMatch(regex) => {
                self.put("!~ ");
                self.regex(regex);
            }
            KeyFilter::In(names) => {
                self.put("IN (");
                self.list(names, |printer, name| printer.ident(name));
                self.put(")");
            }
        }
    }

    fn module(&mut self, show: &str, module: Option<&str>) {
        self.put(show);
        if let Some(module) = module {
            self.put(" FOR ");
            self.string(module);
        }
    }

    fn subscription(&mut self, what: &str, name: &str, database: &str, rp: &str) {
        self.named(what, name);
        self.named(" ON ", database);
        self.named(".", rp);
    }

    fn right(&mut self, what: &str, privilege: Privilege, database: &str) {
        self.put(what);
        self.put(match privilege {
            Privilege::Read => "READ",
            Privilege::Write => "WRITE",
            Privilege::All => "ALL PRIVILEGES",
        });
        self.named(" ON ", database);
    }

    fn policy_options(&mut self, options: &PolicyOptions, default: bool) {
        self.optional_duration(" DURATION ", options.duration);
        self.replication(options.replication);
        self.optional_duration(" SHARD DURATION ", options.shard_duration);
        if default {
            self.put(" DEFAULT");
        }
    }

    /// InfluxDB writes these durations as Go does, which its parser does not read everywhere.
    fn first_policy(&mut self, policy: &FirstPolicy) {
        let PolicyOptions { duration, replication, shard_duration } = policy.options;
        let nothing_else = duration.is_none() && replication.is_none() && policy.name.is_none();
        // Without this `WITH` would stand alone.
        let shard_duration = shard_duration.filter(|&nanos| nanos != 0 || (self.lossless && nothing_else));
        self.put(" WITH");
        self.go_duration(" DURATION ", duration);
        self.replication(replication);
        self.go_duration(" SHARD DURATION ", shard_duration);
        if let Some(name) = policy.name.as_deref().filter(|name| self.lossless || !name.is_empty()) {
            self.named(" NAME ", name);
        }
    }

    fn go_duration(&mut self, clause: &str, nanos: Option<i64>) {
        match nanos {
            Some(nanos) if !self.lossless => {
                self.put(clause);
                write_go_duration(nanos, &mut self.out);
            }
            nanos => self.optional_duration(clause, nanos),
        }
    }

    fn optional_duration(&mut self, clause: &str, nanos: Option<i64>) {
        if let Some(nanos) = nanos {
            self.put(clause);
            self.duration(nanos);
        }
    }

    fn replication(&mut self, replication: Option<i32>) {
        if let Some(replication) = replication {
            self.put(" REPLICATION ");
            self.put(&replication.to_string());
        }
    }

    fn on(&mut self, database: Option<&str>) {
        if let Some(database) = database {
            self.named(" ON ", database);
        }
    }

    fn field(&mut self, field: &Field) {
        self.expr(&field.expr);
        if let Some(alias) = &field.alias {
            self.named(" AS ", alias);
        }
    }

    fn from(&mut self, sources: &[Source]) {
        if !sources.is_empty() {
            self.put(" FROM ");
            self.list(sources, Self::source);
        }
    }

    fn source(&mut self, source: &Source) {
        match source {
            Source::Measurement(Measurement { database, rp, name }) => {
                self.qualifier(database.as_deref(), rp.as_deref());
                match name {
                    // FROM "" parses, and InfluxDB prints nothing for it.
                    NameMatch::Name(name) if name.is_empty() && !self.lossless => {}
                    NameMatch::Name(name) => self.ident(name),
                    NameMatch::Regex(regex) => self.regex(regex),
                }
            }
            Source::Subquery(select) => {
                self.put("(");
                self.select(select);
                self.put(")");
            }
        }
    }

    fn target(&mut self, target: &Target) {
        self.qualifier(target.database.as_deref(), target.rp.as_deref());
        match &target.name {
            Some(name) => self.ident(name),
            // Alone, `:MEASUREMENT` is not grammar; an empty name is, and means the same.
            None if self.lossless && target.database.is_none() && target.rp.is_none() => self.put("\"\""),
            None => self.put(":MEASUREMENT"),
        }
    }

    /// `database.rp.`, either of which may be missing.
    fn qualifier(&mut self, database: Option<&str>, rp: Option<&str>) {
        if let Some(database) = database {
            self.ident(database);
            self.put(".");
        }
        if let Some(rp) = rp {
            self.ident(rp);
        }
        if database.is_some() || rp.is_some() {
            self.put(".");
        }
    }

    fn condition(&mut self, condition: Option<&Expr>) {
        if let Some(condition) = condition {
            self.put(" WHERE ");
            self.expr(condition);
        }
    }

    fn dimensions(&mut self, dimensions: &[Expr]) {
        if !dimensions.is_empty() {
            self.put(" GROUP BY ");
            self.list(dimensions, Self::expr);
        }
    }

    fn fill(&mut self, fill: Fill) {
        match fill {
            Fill::Null => {}
            Fill::None => self.put(" fill(none)"),
            Fill::Previous => self.put(" fill(previous)"),
            Fill::Linear => self.put(" fill(linear)"),
            Fill::Integer(value) => {
                self.put(" fill(");
                self.put(&value.to_string());
                self.put(")");
            }
            Fill::Float(value) => {
                self.put(" fill(");
                if self.lossless {
                    self.float(value)
                } else {
                    write_shortest(value, &mut self.out)
                }
                self.put(")");
            }
        }
    }

    fn order(&mut self, order: Option<Order>) {
        if let Some(Order { named, descending }) = order {
            self.put(if named { " ORDER BY time " } else { " ORDER BY " });
            self.put(if descending { "DESC" } else { "ASC" });
        }
    }

    fn count(&mut self, clause: &str, count: u64) {
        if count > 0 {
            self.put(clause);
            self.put(&count.to_string());
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Variable { name, cast } => {
                self.ident(name);
                if let Some(cast) = cast {
                    self.put("::");
                    self.put(cast.name());
                }
            }
            Expr::Wildcard(of) => self.put(match of {
                None => "*",
                Some(WildcardOf::Field) => "*::field",
                Some(WildcardOf::Tag) => "*::tag",
            }),
            Expr::Distinct(name) => {
                self.put("DISTINCT ");
                self.bare_ident(name);
            }
            Expr::Call(Call { name, args }) => {
                // A quoted name may be called; InfluxDB prints it bare.
                if name == "distinct" {
                    self.put(name)
                } else {
                    self.bare_ident(name)
                }
                self.put("(");
                self.list(args, Self::expr);
                self.put(")");
            }
            Expr::Chain(chain) => {
                let Chain { first, rest } = &**chain;
                self.expr(first);
                for (op, operand) in rest {
                    self.put(" ");
                    self.put(op.symbol());
                    self.put(" ");
                    // `a / -b` is printed as `a / -1 * b`, which reads back as something else.
                    let inner = matches!(operand, Expr::Chain(inner) if inner.precedence() <= chain.precedence());
                    if self.lossless && inner {
                        self.put("(");
                        self.expr(operand);
                        self.put(")");
                    } else {
                        self.expr(operand);
                    }
                }
            }
            Expr::Paren(inner) => {
                self.put("(");
                self.expr(inner);
                self.put(")");
            }
            Expr::Regex(regex) => self.regex(regex),
            Expr::String(text) => self.string(text),
            Expr::Integer(value) => self.put(&value.to_string()),
            Expr::Unsigned(value) => self.put(&value.to_string()),
            Expr::Float(value) if self.lossless => self.float(*value),
            Expr::Float(value) => write_three_decimals(*value, &mut self.out),
            Expr::Duration(nanos) => self.duration(*nanos),
            Expr::Boolean(value) => self.put(if *value { "true" } else { "false" }),
        }
    }

    fn regex(&mut self, regex: &Regex) {
        self.put("/");
        for ch in regex.source.chars() {
            if ch == '/' {
                self.put("\\");
            }
            self.out.push(ch);
        }
        self.put("/");
    }
}
