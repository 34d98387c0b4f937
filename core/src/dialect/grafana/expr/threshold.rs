//! Whether a value is beyond a bound: 1 or 0.

use super::super::json::Json;
use super::set::Set;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Evaluator {
    kind: Kind,
    first: f64,
    second: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Gt,
    Lt,
    Eq,
    Ne,
    Gte,
    Lte,
    Within,
    Outside,
    WithinIncluded,
    OutsideIncluded,
    NoValue,
}

impl Evaluator {
    pub(crate) fn read(json: &Json) -> Result<Self, String> {
        let name = json.text_of("type");
        let (kind, needed) = match name {
            "gt" => (Kind::Gt, 1),
            "lt" => (Kind::Lt, 1),
            "eq" => (Kind::Eq, 1),
            "ne" => (Kind::Ne, 1),
            "gte" => (Kind::Gte, 1),
            "lte" => (Kind::Lte, 1),
            "within_range" => (Kind::Within, 2),
            "outside_range" => (Kind::Outside, 2),
            "within_range_included" => (Kind::WithinIncluded, 2),
            "outside_range_included" => (Kind::OutsideIncluded, 2),
            "no_value" => (Kind::NoValue, 0),
            other => {
                return Err(format!(
                    "expected condition.evaluator.type to be one of gt, lt, eq, ne, gte, lte, within_range, outside_range, within_range_included, outside_range_included, got '{other}'"
                ));
            }
        };
        let params = json.get("params").map(Json::list).unwrap_or_default();
        let number = |at: usize| params.get(at).and_then(Json::float);
        if (0..needed).any(|at| number(at).is_none()) {
            return Err(format!("evaluator {name} needs {needed} parameters"));
        }
        Ok(Self { kind, first: number(0).unwrap_or(0.0), second: number(1).unwrap_or(0.0) })
    }

    /// `None` is only ever true for `no_value`.
    pub(crate) fn holds(&self, value: Option<f64>) -> bool {
        let (a, b) = (self.first, self.second);
        let Some(value) = value else { return self.kind == Kind::NoValue };
        match self.kind {
            Kind::Gt => value > a,
            Kind::Lt => value < a,
            Kind::Eq => value == a,
            Kind::Ne => value != a,
            Kind::Gte => value >= a,
            Kind::Lte => value <= a,
            Kind::Within => a < value && value < b,
            Kind::Outside => value < a || value > b,
            Kind::WithinIncluded => a <= value && value <= b,
            Kind::OutsideIncluded => value <= a || value >= b,
            Kind::NoValue => false,
        }
    }

    pub(crate) fn apply(&self, input: &Set) -> Set {
        input.map(&|value| match value {
            None if self.kind != Kind::NoValue => None,
            value => Some(f64::from(self.holds(value))),
        })
    }
}
