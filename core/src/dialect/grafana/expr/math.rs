//! Arithmetic over sets: elements of two operands are joined by their labels, series by their times.

use super::super::frame::Labels;
use super::parse::{Function, Node, Operator};
use super::set::{Data, Element, Points, Set};

/// Elements that one operation may make.
const MAX_ELEMENTS: usize = 10_000;

pub(crate) fn evaluate<'a>(node: &Node, variable: &dyn Fn(&str) -> Option<&'a Set>) -> Result<Set, String> {
    let number = |value| Set::of(vec![Element { labels: Vec::new(), data: Data::Number(value) }]);
    Ok(match node {
        Node::Number(value) => number(Some(*value)),
        Node::Null => number(None),
        Node::Variable(name) => variable(name).cloned().ok_or_else(|| format!("unknown variable {name}"))?,
        Node::Not(inner) => evaluate(inner, variable)?.map(&|value| value.map(|value| f64::from(value == 0.0))),
        Node::Minus(inner) => evaluate(inner, variable)?.map(&|value| value.map(|value| -value)),
        Node::Call(function, inner) => evaluate(inner, variable)?.map(&|value| call(*function, value)),
        Node::Binary(operator, left, right) => {
            join(*operator, &evaluate(left, variable)?, &evaluate(right, variable)?)?
        }
    })
}

fn call(function: Function, value: Option<f64>) -> Option<f64> {
    let test = |holds: bool| Some(f64::from(holds));
    match function {
        Function::IsNull => return test(value.is_none()),
        Function::IsNan => return test(value.is_some_and(f64::is_nan)),
        Function::IsInf => return test(value.is_some_and(f64::is_infinite)),
        Function::IsNumber => return test(value.is_some_and(f64::is_finite)),
        _ => {}
    }
    let value = value?;
    Some(match function {
        Function::Abs => value.abs(),
        Function::Log => libm::log(value),
        Function::Round => libm::round(value),
        Function::Ceil => libm::ceil(value),
        _ => libm::floor(value),
    })
}

/// Null in an operand gives null.
fn operate(operator: Operator, left: Option<f64>, right: Option<f64>) -> Option<f64> {
    let (a, b) = (left?, right?);
    let test = f64::from;
    Some(match operator {
        Operator::Or => test(a != 0.0 || b != 0.0),
        Operator::And => test(a != 0.0 && b != 0.0),
        Operator::Lt => test(a < b),
        Operator::Le => test(a <= b),
        Operator::Gt => test(a > b),
        Operator::Ge => test(a >= b),
        Operator::Eq => test(a == b),
        Operator::Ne => test(a != b),
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mul => a * b,
        Operator::Div => a / b,
        Operator::Mod => libm::fmod(a, b),
        Operator::Pow => libm::pow(a, b),
    })
}

fn join(operator: Operator, left: &Set, right: &Set) -> Result<Set, String> {
    let mut elements = Vec::new();
    for a in &left.elements {
        for b in &right.elements {
            if let Some(labels) = common(&a.labels, &b.labels) {
                elements.push(Element { labels: labels.clone(), data: combine(operator, &a.data, &b.data) });
            }
            if elements.len() > MAX_ELEMENTS {
                return Err(format!("the operands join to more than {MAX_ELEMENTS} elements"));
            }
        }
    }
    // One thing on each side always belongs together.
    if let ([a], [b], true) = (left.elements.as_slice(), right.elements.as_slice(), elements.is_empty()) {
        elements.push(Element { labels: Vec::new(), data: combine(operator, &a.data, &b.data) });
    }
    let mut set = Set::of(elements);
    set.notices.extend(left.notices.iter().chain(&right.notices).cloned());
    set.notices.dedup();
    Ok(set)
}

/// The larger of two label sets of which one holds the other.
fn common<'a>(left: &'a Labels, right: &'a Labels) -> Option<&'a Labels> {
    let holds = |large: &Labels, small: &Labels| small.iter().all(|label| large.contains(label));
    if holds(left, right) {
        Some(left)
    } else if holds(right, left) {
        Some(right)
    } else {
        None
    }
}

fn combine(operator: Operator, left: &Data, right: &Data) -> Data {
    match (left, right) {
        (Data::Number(a), Data::Number(b)) => Data::Number(operate(operator, *a, *b)),
        (Data::Series(points), Data::Number(b)) => Data::Series(Points {
            times: points.times.clone(),
            values: points.values.iter().map(|a| operate(operator, *a, *b)).collect(),
        }),
        (Data::Number(a), Data::Series(points)) => Data::Series(Points {
            times: points.times.clone(),
            values: points.values.iter().map(|b| operate(operator, *a, *b)).collect(),
        }),
        (Data::Series(a), Data::Series(b)) => {
            let mut both = Points::default();
            let mut from = 0;
            for (time, left) in a.times.iter().zip(&a.values) {
                while b.times.get(from).is_some_and(|other| other < time) {
                    from += 1;
                }
                if b.times.get(from) == Some(time) {
                    both.times.push(*time);
                    both.values.push(operate(operator, *left, b.values[from]));
                }
            }
            Data::Series(both)
        }
    }
}
