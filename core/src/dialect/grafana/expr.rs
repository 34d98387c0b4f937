//! Expressions over the results of queries: arithmetic, reduction, resampling, thresholds, conditions.
//!
//! ```text
//!  frames of queries ─► Set (series or numbers with labels) ─► math, reduce, … ─► Set ─► frames
//! ```

mod classic;
mod math;
mod parse;
mod reduce;
mod resample;
mod set;
mod threshold;

use super::json::Json;
use super::times::Range;
pub(crate) use set::{Set, from_frames};

/// An expression as asked for, checked.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    kind: Kind,
    /// The refIds it reads, each once, in the order they are named.
    pub(crate) inputs: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    Math(parse::Node),
    Reduce { reducer: reduce::Reducer, mode: reduce::Mode },
    Resample(resample::Resample),
    Threshold(threshold::Evaluator),
    Classic(Vec<classic::Condition>),
}

/// Whether a query's data source names the expressions themselves.
pub(crate) fn is_expression(uid: &str) -> bool {
    matches!(uid, "__expr__" | "-100")
}

impl Expression {
    /// The error is a message for the whole request.
    pub(crate) fn read(ref_id: &str, model: &Json) -> Result<Self, String> {
        let fail = |why: String| format!("failed to parse expression [{ref_id}]: {why}");
        let kind = model.text_of("type");
        let (kind, inputs) = match kind {
            "math" => {
                let text = model.text_of("expression");
                let node = parse::parse(text).map_err(|why| fail(format!("invalid math command: {why}")))?;
                let mut inputs = Vec::new();
                node.variables(&mut inputs);
                (Kind::Math(node), inputs)
            }
            "reduce" => {
                let reducer = reduce::Reducer::of(model.text_of("reducer"));
                let reducer = reducer.ok_or_else(|| fail(format!("invalid reducer '{}'", model.text_of("reducer"))))?;
                let mode = reduce::Mode::read(model.get("settings")).map_err(fail)?;
                (Kind::Reduce { reducer, mode }, vec![input(model).map_err(fail)?])
            }
            "resample" => {
                (Kind::Resample(resample::Resample::read(model).map_err(fail)?), vec![input(model).map_err(fail)?])
            }
            "threshold" => {
                let conditions = model.get("conditions").map(Json::list).unwrap_or_default();
                let [condition] = conditions else {
                    return Err(fail("threshold expression requires exactly one condition".to_owned()));
                };
                let evaluator = condition.get("evaluator").unwrap_or(&Json::Null);
                (
                    Kind::Threshold(threshold::Evaluator::read(evaluator).map_err(fail)?),
                    vec![input(model).map_err(fail)?],
                )
            }
            "classic_conditions" => {
                let conditions = classic::read(model).map_err(fail)?;
                let mut inputs = Vec::new();
                for condition in &conditions {
                    if !inputs.contains(&condition.input) {
                        inputs.push(condition.input.clone());
                    }
                }
                (Kind::Classic(conditions), inputs)
            }
            other => return Err(fail(format!("unknown or unsupported expression type '{other}'"))),
        };
        Ok(Self { kind, inputs })
    }

    /// The value over its inputs, which are in the order of `inputs`.
    pub(crate) fn evaluate(&self, inputs: &[&Set], range: Range) -> Result<Set, String> {
        let first = inputs.first().copied().ok_or("no input");
        match &self.kind {
            Kind::Math(node) => math::evaluate(node, &|name| {
                let at = self.inputs.iter().position(|input| input == name)?;
                inputs.get(at).copied()
            }),
            Kind::Reduce { reducer, mode } => Ok(reduce::reduce(first?, *reducer, *mode)),
            Kind::Resample(resample) => resample.apply(first?, range),
            Kind::Threshold(evaluator) => Ok(evaluator.apply(first?)),
            Kind::Classic(conditions) => {
                let of = |name: &str| {
                    let at = self.inputs.iter().position(|input| input == name)?;
                    inputs.get(at).copied()
                };
                Ok(classic::evaluate(conditions, &of))
            }
        }
    }
}

/// `A`, `$A` or `${A}`.
fn input(model: &Json) -> Result<String, String> {
    let text = model.text_of("expression").trim();
    let text = text.strip_prefix('$').unwrap_or(text);
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    if text.is_empty() { Err("no variable specified to reference for refId".to_owned()) } else { Ok(text.to_owned()) }
}

/// The order in which nodes can be evaluated. `depends` says which nodes a node needs. The error is a node in a circle.
pub(crate) fn order(nodes: usize, depends: &dyn Fn(usize) -> Vec<usize>) -> Result<Vec<usize>, usize> {
    let mut order = Vec::new();
    let mut done = vec![false; nodes];
    // Each round takes every node whose needs are met: at most as many rounds as nodes.
    while order.len() < nodes {
        let before = order.len();
        for node in 0..nodes {
            if !done[node] && depends(node).iter().all(|needed| done[*needed]) {
                done[node] = true;
                order.push(node);
            }
        }
        if order.len() == before {
            return Err((0..nodes).find(|node| !done[*node]).unwrap_or(0));
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests;
