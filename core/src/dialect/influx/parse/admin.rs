//! Statements that change the catalog, users, rights and queries.

use super::select::Into;
use super::{Kind, ParseError, Parser, Result, STATEMENTS};
use crate::catalog::{Named, NewName};
use crate::dialect::influx::ast::{
    ContinuousQuery, Expr, FirstPolicy, PolicyOptions, Privilege, Secret, Select, Statement, SubscriptionMode,
    write_duration,
};

impl Parser<'_> {
    /// After the word CREATE.
    pub(super) fn create(&mut self) -> Result<Statement> {
        match self.next() {
            Kind::Continuous => {
                self.expect(Kind::Query)?;
                self.create_continuous_query()
            }
            Kind::Database => self.create_database(),
            Kind::User => self.create_user(),
            Kind::Retention => {
                self.expect(Kind::Policy)?;
                self.create_retention_policy()
            }
            Kind::Subscription => self.create_subscription(),
            _ => Err(self.found("CONTINUOUS, DATABASE, USER, RETENTION, SUBSCRIPTION")),
        }
    }

    /// After the word DROP.
    pub(super) fn drop_what(&mut self) -> Result<Statement> {
        match self.next() {
            Kind::Continuous => {
                self.expect(Kind::Query)?;
                let (name, database) = self.name_on()?;
                Ok(Statement::DropContinuousQuery { name, database })
            }
            Kind::Database => Ok(Statement::DropDatabase { name: self.ident()? }),
            Kind::Field => self.delete_fields(true),
            Kind::Measurement => Ok(Statement::DropMeasurement { name: self.ident()? }),
            Kind::Retention => {
                self.expect(Kind::Policy)?;
                let (name, database) = self.name_on()?;
                Ok(Statement::DropRetentionPolicy { name, database })
            }
            Kind::Series => {
                let (sources, condition) = self.doomed()?;
                Ok(Statement::DropSeries { sources, condition })
            }
            Kind::Shard => Ok(Statement::DropShard { id: self.unsigned()? }),
            Kind::Subscription => {
                let (name, database, rp) = self.subscription_name()?;
                Ok(Statement::DropSubscription { name, database, rp })
            }
            Kind::User => Ok(Statement::DropUser { name: self.ident()? }),
            _ => Err(self.found("CONTINUOUS, DATABASE, MEASUREMENT, RETENTION, SERIES, SHARD, SUBSCRIPTION, USER")),
        }
    }

    /// After the word RENAME: `MEASUREMENT a TO b`, `TAG a TO b FROM m`, `FIELD a TO b FROM m`.
    pub(super) fn rename(&mut self) -> Result<Statement> {
        // Without one of these words it is no statement, as in InfluxDB.
        let none = self.found(STATEMENTS);
        let what = match self.next() {
            Kind::Measurement => Named::Measurement,
            Kind::Tag => Named::Tag,
            Kind::Field => Named::Field,
            _ => return Err(none),
        };
        let from = self.ident()?;
        self.expect(Kind::To)?;
        let to = self.ident()?;
        let measurement = match what {
            Named::Measurement => from.clone(),
            Named::Tag | Named::Field => {
                self.expect(Kind::From)?;
                self.ident()?
            }
        };
        Ok(Statement::Rename(NewName { what, measurement, from, to }))
    }

    /// After the word ALTER. The options come in any order, each at most once, at least one.
    pub(super) fn alter(&mut self) -> Result<Statement> {
        self.expect(Kind::Retention)?;
        self.expect(Kind::Policy)?;
        let name = match self.next() {
            Kind::Default => "default".to_owned(),
            Kind::Ident => self.text().to_owned(),
            _ => return Err(self.found("identifier")),
        };
        self.expect(Kind::On)?;
        let database = self.ident()?;
        let mut options = PolicyOptions::default();
        let mut default = false;
        loop {
            let kind = self.next();
            let again = match kind {
                Kind::Duration => options.duration.is_some(),
                Kind::Replication => options.replication.is_some(),
                Kind::Shard => options.shard_duration.is_some(),
                Kind::Default => default,
                _ if options == PolicyOptions::default() && !default => {
                    return Err(self.found("DURATION, REPLICATION, SHARD, DEFAULT"));
                }
                _ => {
                    self.unscan();
                    return Ok(Statement::AlterRetentionPolicy { name, database, options, default });
                }
            };
            if again {
                return Err(self.fail(&["found duplicate ", kind.name(), " option"]));
            }
            match kind {
                Kind::Duration => options.duration = Some(self.duration_or_inf()?),
                Kind::Replication => options.replication = Some(self.replication()?),
                Kind::Shard => options.shard_duration = Some(self.shard_duration()?),
                _ => default = true,
            }
        }
    }

    /// After the word SET.
    pub(super) fn set_password(&mut self) -> Result<Statement> {
        self.expect(Kind::Password)?;
        self.expect(Kind::For)?;
        let user = self.ident()?;
        self.expect(Kind::Equal)?;
        Ok(Statement::SetPassword { user, password: self.secret()? })
    }

    /// After the word KILL.
    pub(super) fn kill(&mut self) -> Result<Statement> {
        self.expect(Kind::Query)?;
        let id = self.unsigned()?;
        let host = if self.accept(Kind::On) { Some(self.ident()?) } else { None };
        Ok(Statement::KillQuery { id, host: host.filter(|host| !host.is_empty()) })
    }

    /// After the word GRANT.
    pub(super) fn grant(&mut self) -> Result<Statement> {
        Ok(match self.right(Kind::To)? {
            Right { privilege, database: Some(database), user } => Statement::Grant { privilege, database, user },
            Right { user, .. } => Statement::GrantAdmin { user },
        })
    }

    /// After the word REVOKE.
    pub(super) fn revoke(&mut self) -> Result<Statement> {
        Ok(match self.right(Kind::From)? {
            Right { privilege, database: Some(database), user } => Statement::Revoke { privilege, database, user },
            Right { user, .. } => Statement::RevokeAdmin { user },
        })
    }

    /// `privilege ON database TO user` or `ALL [PRIVILEGES] TO user`; `to` is TO or FROM.
    fn right(&mut self, to: Kind) -> Result<Right> {
        let privilege = match self.next() {
            Kind::Read => Privilege::Read,
            Kind::Write => Privilege::Write,
            Kind::All => {
                self.accept(Kind::Privileges);
                Privilege::All
            }
            _ => return Err(self.found("READ, WRITE, ALL [PRIVILEGES]")),
        };
        let all = privilege == Privilege::All;
        let database = match self.next() {
            Kind::On => {
                let database = self.ident()?;
                self.expect(to)?;
                Some(database)
            }
            kind if kind == to && all => None,
            _ if all => return Err(self.found(["ON, ", to.name()].concat().as_str())),
            _ => return Err(self.found("ON")),
        };
        Ok(Right { privilege, database, user: self.ident()? })
    }

    fn create_database(&mut self) -> Result<Statement> {
        let name = self.ident()?;
        if !self.accept(Kind::With) {
            return Ok(Statement::CreateDatabase { name, policy: None });
        }
        if !matches!(self.next(), Kind::Duration | Kind::Name | Kind::Replication | Kind::Shard) {
            return Err(self.found("DURATION, NAME, REPLICATION, SHARD"));
        }
        self.unscan();
        let mut policy = FirstPolicy::default();
        if self.accept(Kind::Duration) {
            policy.options.duration = Some(self.duration_or_inf()?);
        }
        if self.accept(Kind::Replication) {
            policy.options.replication = Some(self.replication()?);
        }
        if self.accept(Kind::Shard) {
            self.expect(Kind::Duration)?;
            policy.options.shard_duration = Some(self.duration_or_inf()?);
        }
        if self.accept(Kind::Name) {
            policy.name = Some(self.ident()?);
        }
        Ok(Statement::CreateDatabase { name, policy: Some(policy) })
    }

    fn create_retention_policy(&mut self) -> Result<Statement> {
        let (name, database) = self.name_on()?;
        self.expect(Kind::Duration)?;
        let duration = Some(self.duration_or_inf()?);
        self.expect(Kind::Replication)?;
        let replication = Some(self.replication()?);
        let shard_duration = if self.accept(Kind::Shard) { Some(self.shard_duration()?) } else { None };
        let options = PolicyOptions { duration, replication, shard_duration };
        let default = self.accept(Kind::Default);
        Ok(Statement::CreateRetentionPolicy { name, database, options, default })
    }

    fn create_user(&mut self) -> Result<Statement> {
        let name = self.ident()?;
        self.expect(Kind::With)?;
        self.expect(Kind::Password)?;
        let password = self.secret()?;
        let admin = self.accept(Kind::With);
        if admin {
            self.expect(Kind::All)?;
            self.expect(Kind::Privileges)?;
        }
        Ok(Statement::CreateUser { name, password, admin })
    }

    fn create_subscription(&mut self) -> Result<Statement> {
        let (name, database, rp) = self.subscription_name()?;
        self.expect(Kind::Destinations)?;
        let mode = match self.next() {
            Kind::All => SubscriptionMode::All,
            Kind::Any => SubscriptionMode::Any,
            _ => return Err(self.found("ALL, ANY")),
        };
        let mut destinations = vec![self.string()?];
        while self.accept(Kind::Comma) {
            destinations.push(self.string()?);
        }
        Ok(Statement::CreateSubscription { name, database, rp, mode, destinations })
    }

    fn create_continuous_query(&mut self) -> Result<Statement> {
        let (name, database) = self.name_on()?;
        let (every, r#for) = if self.accept(Kind::Resample) { self.resample()? } else { (None, None) };
        self.expect(Kind::Begin)?;
        self.expect(Kind::Select)?;
        let select = self.select(Into::Required)?;
        if select.has_calls() {
            self.check_interval(&select)?;
        }
        self.expect(Kind::End)?;
        let query = ContinuousQuery { name, database, every, r#for, select };
        query.check()?;
        Ok(Statement::CreateContinuousQuery(Box::new(query)))
    }

    /// `[EVERY duration] [FOR duration]`, at least one of them, and not both 0.
    fn resample(&mut self) -> Result<(Option<i64>, Option<i64>)> {
        let every = if self.accept(Kind::Every) { Some(self.duration()?) } else { None };
        let r#for = if self.accept(Kind::For) { Some(self.duration()?) } else { None };
        let given = |duration: Option<i64>| duration.filter(|&nanos| nanos != 0);
        match (given(every), given(r#for)) {
            (None, None) => Err(self.found_next("EVERY, FOR")),
            given => Ok(given),
        }
    }

    /// A continuous query with calls needs an interval. InfluxDB reports the lack two tokens back.
    fn check_interval(&mut self, select: &Select) -> Result<()> {
        let expected = match select.interval() {
            Ok(0) => "GROUP BY time(...)".to_owned(),
            Ok(_) => return Ok(()),
            Err(why) => ["GROUP BY time(...), ", why].concat(),
        };
        self.unscan();
        self.unscan();
        Err(self.found_next(&expected))
    }

    fn name_on(&mut self) -> Result<(String, String)> {
        let name = self.ident()?;
        self.expect(Kind::On)?;
        Ok((name, self.ident()?))
    }

    /// `name ON database.rp`, no blank before the dot.
    fn subscription_name(&mut self) -> Result<(String, String, String)> {
        let (name, database) = self.name_on()?;
        if self.scan() != Kind::Dot {
            return Err(self.found("."));
        }
        Ok((name, database, self.ident()?))
    }

    fn secret(&mut self) -> Result<Secret> {
        let text = self.string()?;
        Ok(Secret { text, span: self.token().span.clone() })
    }

    /// `DURATION d`, where d is not INF.
    fn shard_duration(&mut self) -> Result<i64> {
        self.expect(Kind::Duration)?;
        if self.accept(Kind::Inf) {
            return Err(self.fail(&["invalid duration INF for shard duration"]));
        }
        self.duration()
    }

    fn replication(&mut self) -> Result<i32> {
        self.expect_as(Kind::Integer, "integer")?;
        let value: i64 = self.text().parse().map_err(|_| self.out_of_range("Atoi"))?;
        match i32::try_from(value) {
            Ok(value) if value >= 1 => Ok(value),
            _ => Err(self.fail(&["invalid value ", &value.to_string(), ": must be 1 <= n <= 2147483647"])),
        }
    }

    fn unsigned(&mut self) -> Result<u64> {
        self.expect_as(Kind::Integer, "integer")?;
        self.text().parse().map_err(|_| self.out_of_range("ParseUint"))
    }

    /// A number that its type cannot hold, in Go's words.
    fn out_of_range(&self, function: &str) -> ParseError {
        let negative = function == "ParseUint" && self.text().starts_with('-');
        let why = if negative { "invalid syntax" } else { "value out of range" };
        self.fail(&["strconv.", function, ": parsing \"", self.text(), "\": ", why])
    }
}

struct Right {
    privilege: Privilege,
    /// None: the right to everything.
    database: Option<String>,
    user: String,
}

impl Select {
    /// Whether any field is, or has within, a call; otherwise the query is raw.
    pub fn has_calls(&self) -> bool {
        fn has_call(expr: &Expr) -> bool {
            match expr {
                Expr::Call(_) => true,
                Expr::Paren(inner) => has_call(inner),
                Expr::Chain(chain) => has_call(&chain.first) || chain.rest.iter().any(|(_, expr)| has_call(expr)),
                _ => false,
            }
        }
        self.fields.iter().any(|field| has_call(&field.expr))
    }

    /// The first `time(…)` dimension's interval in nanoseconds; 0 without one.
    ///
    /// # Errors
    /// InfluxDB's words when its arguments are wrong.
    pub fn interval(&self) -> Result<i64, &'static str> {
        let time = self.dimensions.iter().find_map(|dimension| match dimension {
            Expr::Call(call) if call.name == "time" => Some(call.args.as_slice()),
            _ => None,
        });
        match time {
            None => Ok(0),
            Some([Expr::Duration(nanos)] | [Expr::Duration(nanos), _]) => Ok(*nanos),
            Some([_] | [_, _]) => Err("time dimension must have duration argument"),
            Some(_) => Err("time dimension expected 1 or 2 arguments"),
        }
    }
}

impl ContinuousQuery {
    /// FOR must cover a whole interval (or EVERY, when that is longer).
    fn check(&self) -> Result<()> {
        let interval = self.select.interval().map_err(ParseError::new)?;
        let Some(r#for) = self.r#for else {
            return Ok(());
        };
        let least = interval.max(self.every.unwrap_or(0));
        if r#for >= least {
            return Ok(());
        }
        let mut text = "FOR duration must be >= GROUP BY time duration: must be a minimum of ".to_owned();
        write_duration(least, &mut text);
        text.push_str(", got ");
        write_duration(r#for, &mut text);
        Err(ParseError::new(text))
    }
}
