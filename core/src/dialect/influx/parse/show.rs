//! The SHOW family.

use super::select::Subqueries;
use super::{Kind, Parser, Result};
use crate::dialect::influx::ast::{
    BinaryOp, Cardinality, KeyFilter, MeasurementFilter, Schema, ShowSchema, Source, Statement,
};

impl Parser<'_> {
    /// After the word SHOW.
    pub(super) fn show(&mut self) -> Result<Statement> {
        match self.next() {
            Kind::Continuous => {
                self.expect(Kind::Queries)?;
                Ok(Statement::ShowContinuousQueries)
            }
            Kind::Databases => Ok(Statement::ShowDatabases),
            Kind::Diagnostics => Ok(Statement::ShowDiagnostics { module: self.module()? }),
            Kind::Field => match self.next() {
                Kind::Key => self.key_cardinality(Schema::FieldKeys),
                Kind::Keys => self.schema(Schema::FieldKeys),
                _ => Err(self.found("KEY, KEYS")),
            },
            Kind::Grants => {
                self.expect(Kind::For)?;
                Ok(Statement::ShowGrants { user: self.ident()? })
            }
            Kind::Measurement => self.key_cardinality(Schema::Measurements),
            Kind::Measurements => self.schema(Schema::Measurements),
            Kind::Queries => Ok(Statement::ShowQueries),
            Kind::Retention => {
                self.expect(Kind::Policies)?;
                Ok(Statement::ShowRetentionPolicies { database: self.on()? })
            }
            Kind::Series => {
                let exact = self.accept(Kind::Exact);
                if self.accept(Kind::Cardinality) {
                    return self.cardinality(Schema::Series, exact);
                }
                // InfluxDB forgets the EXACT of `SHOW SERIES EXACT FROM m`.
                self.schema(Schema::Series)
            }
            Kind::Shard => {
                self.expect(Kind::Groups)?;
                Ok(Statement::ShowShardGroups)
            }
            Kind::Shards => Ok(Statement::ShowShards),
            Kind::Stats => Ok(Statement::ShowStats { module: self.module()? }),
            Kind::Subscriptions => Ok(Statement::ShowSubscriptions),
            Kind::Tag => match self.next() {
                Kind::Key => self.key_cardinality(Schema::TagKeys),
                Kind::Keys => self.schema(Schema::TagKeys),
                Kind::Values => self.tag_values(),
                _ => Err(self.found("KEY, KEYS, VALUES")),
            },
            Kind::Users => Ok(Statement::ShowUsers),
            _ => Err(self.found(
                "CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, MEASUREMENT, MEASUREMENTS, QUERIES, RETENTION, \
                 SERIES, SHARD, SHARDS, STATS, SUBSCRIPTIONS, TAG, USERS",
            )),
        }
    }

    /// `[EXACT] CARDINALITY …`, where nothing else can follow.
    fn key_cardinality(&mut self, what: Schema) -> Result<Statement> {
        let exact = self.accept(Kind::Exact);
        self.expect_as(Kind::Cardinality, if exact { "CARDINALITY" } else { "EXACT, CARDINALITY" })?;
        self.cardinality(what, exact)
    }

    fn tag_values(&mut self) -> Result<Statement> {
        if self.accept(Kind::Exact) {
            self.expect(Kind::Cardinality)?;
            return self.cardinality(Schema::TagValues, true);
        }
        if self.accept(Kind::Cardinality) {
            return self.cardinality(Schema::TagValues, false);
        }
        self.schema(Schema::TagValues)
    }

    fn cardinality(&mut self, what: Schema, exact: bool) -> Result<Statement> {
        let show = ShowSchema {
            cardinality: Some(if exact { Cardinality::Exact } else { Cardinality::Estimated }),
            database: self.on()?,
            sources: self.from()?,
            key: if what == Schema::TagValues { Some(self.key_filter()?) } else { None },
            condition: self.condition()?,
            dimensions: self.dimensions()?,
            limit: self.count(Kind::Limit)?,
            offset: self.count(Kind::Offset)?,
            ..ShowSchema::new(what)
        };
        Ok(Statement::ShowSchema(Box::new(show)))
    }

    fn schema(&mut self, what: Schema) -> Result<Statement> {
        let mut show = ShowSchema::new(what);
        show.database = self.on()?;
        match what {
            Schema::Measurements => show.measurement = self.measurement_filter()?,
            _ => show.sources = self.from()?,
        }
        if what == Schema::TagValues {
            show.key = Some(self.key_filter()?);
        }
        if what != Schema::FieldKeys {
            show.condition = self.condition()?;
        }
        show.order = self.order()?;
        show.limit = self.count(Kind::Limit)?;
        show.offset = self.count(Kind::Offset)?;
        if what == Schema::TagKeys {
            show.slimit = self.count(Kind::Slimit)?;
            show.soffset = self.count(Kind::Soffset)?;
        }
        Ok(Statement::ShowSchema(Box::new(show)))
    }

    fn on(&mut self) -> Result<Option<String>> {
        if self.accept(Kind::On) { Ok(Some(self.ident()?).filter(|name| !name.is_empty())) } else { Ok(None) }
    }

    fn from(&mut self) -> Result<Vec<Source>> {
        if self.accept(Kind::From) { self.sources(Subqueries::Refused) } else { Ok(Vec::new()) }
    }

    fn module(&mut self) -> Result<Option<String>> {
        if self.accept(Kind::For) { Ok(Some(self.string()?).filter(|name| !name.is_empty())) } else { Ok(None) }
    }

    fn measurement_filter(&mut self) -> Result<Option<MeasurementFilter>> {
        if !self.accept(Kind::With) {
            return Ok(None);
        }
        self.expect(Kind::Measurement)?;
        let op = match self.next() {
            Kind::Equal => BinaryOp::Equal,
            Kind::Match => BinaryOp::Match,
            _ => return Err(self.found("=, =~")),
        };
        Ok(Some(MeasurementFilter { op, source: self.source(Subqueries::Refused)? }))
    }

    fn key_filter(&mut self) -> Result<KeyFilter> {
        self.expect(Kind::With)?;
        self.expect(Kind::Key)?;
        match self.next() {
            Kind::In => {
                self.expect(Kind::Open)?;
                let mut keys = vec![self.ident()?];
                while self.accept(Kind::Comma) {
                    keys.push(self.ident()?);
                }
                self.expect(Kind::Close)?;
                Ok(KeyFilter::In(keys))
            }
            Kind::Equal => Ok(KeyFilter::Equal(self.ident()?)),
            Kind::NotEqual => Ok(KeyFilter::NotEqual(self.ident()?)),
            Kind::Match => Ok(KeyFilter::Match(self.required_regex()?)),
            Kind::NotMatch => Ok(KeyFilter::NotMatch(self.required_regex()?)),
            _ => Err(self.found("IN, =, =~")),
        }
    }
}
