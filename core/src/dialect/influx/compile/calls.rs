//! Calls of functions: a branch of the plan for each kind, and their columns side by side.

use super::super::ast::{Call, Expr, Field, Fill, Select};
use super::super::error::StatementError;
use super::expr::Columns;
use super::fields::Type;
use super::schema::Kind;
use super::{Bounds, Compiler, Interval};
use crate::exec::QueryError;
use crate::extent::FULL;
use crate::plan::{self, Analysis, AnalysisMethod, BinaryOp, FillWith, Function, GroupBy, HoltWinters, Mathematics};
use crate::plan::{Node, Reducer, ReportedTime, Scalar, Ties, Transformer, Warmup};
use crate::time::NANOS_PER_SEC;
use crate::value::FieldType;

/// How a function comes about.
enum Kernel {
    /// Folded as the scan goes, in any order.
    Fold(Function),
    /// The greatest less the least.
    Spread,
    /// A bucket at a time.
    Reduce(Reducer),
    /// Along the rows. The argument may be a call.
    Transform(Transformer),
    /// A function of the full engine's. The check has refused it already.
    Beyond,
}

/// Whether the one point it chooses gives a row its time.
pub(super) fn is_selector(name: &str) -> bool {
    matches!(name, "first" | "last" | "min" | "max" | "percentile" | "sample" | "top" | "bottom")
}

/// The result of a function over a column of some type; `Err` with the function's name when it does not take it.
pub(super) fn result(call: &Call, argument: FieldType) -> Result<FieldType, &'static str> {
    match kernel(call, None, &[]) {
        Kernel::Fold(function) => function.result(argument).ok_or_else(|| function.name()),
        Kernel::Spread if argument.is_number() => Ok(argument),
        Kernel::Spread => Err("spread"),
        Kernel::Reduce(reducer) => reducer.result(argument).ok_or_else(|| reducer.name()),
        Kernel::Transform(transformer) => transformer.result(argument).ok_or_else(|| transformer.name()),
        Kernel::Beyond => Err(""),
    }
}

/// A call that was checked. `per`: the columns of the tags that `top` tells points apart by.
fn kernel(call: &Call, interval: Option<Interval>, per: &[usize]) -> Kernel {
    let integer = |at: usize| match call.args.get(at) {
        Some(Expr::Integer(value)) => Some(*value),
        _ => None,
    };
    let unit = |otherwise: i64| match call.args.get(1) {
        Some(Expr::Duration(unit)) => *unit,
        _ => otherwise,
    };
    let count = |at: usize| integer(at).and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    let step = interval.map_or(NANOS_PER_SEC, |interval| interval.width);
    let name = call.name.as_str();
    let distinct = matches!(call.args.first(), Some(Expr::Call(_) | Expr::Distinct(_)));
    match name {
        "count" if FULL && distinct => Kernel::Reduce(Reducer::CountDistinct),
        "count" => Kernel::Fold(Function::Count),
        "sum" => Kernel::Fold(Function::Sum),
        "mean" => Kernel::Fold(Function::Mean),
        "min" => Kernel::Fold(Function::Min),
        "max" => Kernel::Fold(Function::Max),
        "first" => Kernel::Fold(Function::First),
        "last" => Kernel::Fold(Function::Last),
        "spread" => Kernel::Spread,
        _ if !FULL => Kernel::Beyond,
        "median" => Kernel::Reduce(Reducer::Median),
        "mode" => Kernel::Reduce(Reducer::Mode),
        "stddev" => Kernel::Reduce(Reducer::Stddev),
        "distinct" => Kernel::Reduce(Reducer::Distinct),
        "percentile" => Kernel::Reduce(Reducer::Percentile(match call.args.get(1) {
            Some(Expr::Float(percent)) => *percent,
            _ => integer(1).unwrap_or(0) as f64,
        })),
        "sample" => Kernel::Reduce(Reducer::Sample(count(1))),
        "top" | "bottom" => Kernel::Reduce(Reducer::Extreme {
            greatest: name == "top",
            count: count(call.args.len().saturating_sub(1)),
            per: per.to_vec(),
        }),
        "derivative" | "non_negative_derivative" => {
            Kernel::Transform(Transformer::Derivative { unit: unit(step), non_negative: name != "derivative" })
        }
        "difference" | "non_negative_difference" => {
            Kernel::Transform(Transformer::Difference { non_negative: name != "difference" })
        }
        "cumulative_sum" => Kernel::Transform(Transformer::CumulativeSum),
        "moving_average" => Kernel::Transform(Transformer::MovingAverage(count(1))),
        "elapsed" => Kernel::Transform(Transformer::Elapsed { unit: unit(1) }),
        "integral" => Kernel::Transform(Transformer::Integral { unit: unit(NANOS_PER_SEC), bucket: None, start: 0 }),
        "holt_winters" | "holt_winters_with_fit" => Kernel::Transform(Transformer::HoltWinters(HoltWinters {
            count: count(1),
            season: count(2),
            with_fit: name != "holt_winters",
            interval: step,
        })),
        _ => Kernel::Transform(Transformer::Analysis(analysis(call, count(1), integer(2)))),
    }
}

fn analysis(call: &Call, period: u64, hold: Option<i64>) -> Analysis {
    let method = match call.name.as_str() {
        "double_exponential_moving_average" => AnalysisMethod::DoubleExponentialMovingAverage,
        "triple_exponential_moving_average" => AnalysisMethod::TripleExponentialMovingAverage,
        "triple_exponential_derivative" => AnalysisMethod::TripleExponentialDerivative,
        "relative_strength_index" => AnalysisMethod::RelativeStrengthIndex,
        "chande_momentum_oscillator" => AnalysisMethod::ChandeMomentumOscillator,
        "kaufmans_efficiency_ratio" => AnalysisMethod::KaufmansEfficiencyRatio,
        "kaufmans_adaptive_moving_average" => AnalysisMethod::KaufmansAdaptiveMovingAverage,
        _ => AnalysisMethod::ExponentialMovingAverage,
    };
    let oscillator = method == AnalysisMethod::ChandeMomentumOscillator;
    let warmup = match call.args.get(3) {
        Some(Expr::String(text)) if text == "simple" => Warmup::Simple,
        Some(Expr::String(text)) if text == "exponential" => Warmup::Exponential,
        _ if oscillator => Warmup::None,
        _ => Warmup::Exponential,
    };
    let simple = u64::from(warmup == Warmup::Simple);
    let own_hold = match method {
        AnalysisMethod::ExponentialMovingAverage => period - 1,
        AnalysisMethod::DoubleExponentialMovingAverage => (period - 1) * (1 + simple),
        AnalysisMethod::TripleExponentialMovingAverage => (period - 1) * (1 + 2 * simple),
        AnalysisMethod::TripleExponentialDerivative => (period - 1) * (1 + 2 * simple) + 1,
        AnalysisMethod::ChandeMomentumOscillator if warmup == Warmup::None => period - 1,
        _ => period,
    };
    let hold = hold.and_then(|hold| u64::try_from(hold).ok()).unwrap_or(own_hold);
    Analysis { method, period, hold, warmup }
}

/// Rows of one call: the column of its value, then those of what it carries.
struct Branch {
    node: Node,
    result: FieldType,
}

impl Compiler<'_> {
    /// `None` when none of the calls has an argument that exists. Also says whether pages of rows are cut already.
    pub(super) fn aggregated(&self) -> Result<(Option<Node>, bool), StatementError> {
        let mut calls: Vec<&Call> = Vec::new();
        for field in &self.fields {
            find_calls(&field.expr, &mut calls);
        }
        let lone = calls.len() == 1 && calls.iter().all(|call| is_selector(&call.name));
        let carried = if lone { self.carried() } else { Vec::new() };
        // A value that is skipped is not there to be repeated.
        let repeats = !carried.is_empty() && self.fill == Fill::Previous;
        let apart = if calls.len() > 1 { self.paged_apart(&calls) } else { repeats };
        // Columns of the answer so far: of each call, where its value is, and of what type.
        let mut places: Vec<Option<(usize, FieldType)>> = vec![None; calls.len()];
        let mut branches = Vec::new();
        let mut width = 0;
        let alike = |call: &Call| match kernel(call, self.interval, &[]) {
            Kernel::Fold(Function::First | Function::Last) => !self.on_edge(),
            Kernel::Fold(_) | Kernel::Spread => true,
            Kernel::Reduce(_) | Kernel::Transform(_) | Kernel::Beyond => false,
        };
        // Rows of each call are counted apart, so each has its own branch.
        let split = apart && self.fill == Fill::None;
        let folded: Vec<usize> = (0..calls.len()).filter(|at| !split && alike(calls[*at])).collect();
        let chosen: Vec<&Call> = folded.iter().map(|at| calls[*at]).collect();
        if let Some((node, results)) = self.fold(&chosen, &carried, self.bounds, lone)? {
            for (at, result) in folded.iter().zip(&results) {
                if let Some(result) = result {
                    places[*at] = Some((width, *result));
                    width += 1;
                }
            }
            width += carried.len();
            branches.push(if apart { self.page_of_rows(node) } else { node });
        }
        for (at, call) in calls.iter().enumerate().filter(|(at, _)| !folded.contains(at)) {
            if let Some(branch) = self.branch(call, &carried, self.bounds, lone)? {
                places[at] = Some((width, branch.result));
                width += 1 + carried.len();
                branches.push(if apart { self.page_of_rows(branch.node) } else { branch.node });
            }
        }
        let several = branches.len() > 1;
        let Some(mut node) = (if several { Some(Node::Join(branches)) } else { branches.pop() }) else {
            return Ok((None, apart));
        };
        let numbers = matches!(self.fill, Fill::Integer(_) | Fill::Float(_));
        let beside = !carried.is_empty();
        if (several || self.interval.is_none() || beside) && (numbers || self.fill == Fill::Previous) {
            let mut columns = vec![if numbers { FillWith::Null } else { FillWith::Previous }; width];
            for (column, leaf) in columns.iter_mut().skip(1).zip(&carried) {
                *column = self.fill_beside(leaf);
            }
            for (column, result) in places.iter().flatten().filter(|_| numbers) {
                // The number itself stands in for a text: see `stand_ins`.
                let number = self.fill_number(*result).filter(|_| result.is_number());
                columns[*column] = number.map_or(FillWith::Null, FillWith::Value);
            }
            node = self.filled(node, columns, self.bounds, false)?;
        }
        let rows = self.map(node, &|leaf| match leaf {
            Expr::Call(call) => match calls.iter().position(|known| *known == call).and_then(|at| places[at]) {
                Some((column, _)) => Some(plan::Expr::Column(column)),
                // Of what does not exist; InfluxDB knows the type of some functions all the same.
                None => result_of_nothing(&call.name).and_then(|kind| self.fill_number(kind)).map(plan::Expr::Literal),
            },
            Expr::Variable { .. } => {
                let at = carried.iter().position(|known| known == leaf)?;
                Some(plan::Expr::Column(1 + at))
            }
            _ => None,
        });
        Ok((Some(rows), apart))
    }

    /// How the rows of several groups follow each other for a query around this one.
    pub(super) fn ties_of_calls(&self) -> Ties {
        let mut calls: Vec<&Call> = Vec::new();
        for field in &self.fields {
            find_calls(&field.expr, &mut calls);
        }
        match calls.as_slice() {
            // A selector tells a series at a time.
            [call] if self.interval.is_none() && is_selector(&call.name) => Ties::Apart,
            // A transformation tells rows as they come.
            [call] if self.interval.is_none() && matches!(kernel(call, None, &[]), Kernel::Transform(_)) => {
                Ties::Heap { texts: Vec::new() }
            }
            _ => Ties::InOrder,
        }
    }

    /// Whether LIMIT and OFFSET count the rows of each call by themselves to another end: where calls do not have the
    /// same rows.
    fn paged_apart(&self, calls: &[&Call]) -> bool {
        let Select { limit, offset, .. } = *self.select;
        let own_rows = |call: &&Call| match kernel(call, self.interval, &[]) {
            Kernel::Transform(_) => true,
            Kernel::Reduce(reducer) => {
                matches!(reducer, Reducer::Distinct | Reducer::Extreme { .. } | Reducer::Sample(_))
            }
            Kernel::Fold(_) | Kernel::Spread | Kernel::Beyond => false,
        };
        (limit > 0 || offset > 0) && (self.interval.is_some() && self.fill == Fill::None || calls.iter().any(own_rows))
    }

    /// `first` and `last` without buckets look at two points of a series of the answer: those that come first when its
    /// rows are merged. It matters where several are of one time.
    fn on_edge(&self) -> bool {
        self.interval.is_none() && self.schema.subqueries.is_empty()
    }

    /// Such a `first` or `last`.
    fn edge(
        &self,
        call: &Call,
        function: Function,
        carried: &[Expr],
        bounds: Bounds,
        lone: bool,
    ) -> Result<Option<Branch>, StatementError> {
        if !self.exists(call) {
            return Ok(None);
        }
        let Some(input) = self.input(&self.reads(&[call], carried), bounds)? else { return Ok(None) };
        let Some((argument, result)) = self.argument(call, &input.columns) else { return Ok(None) };
        let one = |input: Node, argument: usize, carried: Vec<(usize, String)>, time, descending| {
            let output = call.name.clone();
            let calls = vec![plan::Call { function, argument, output, carried }];
            let (by, bucket) = (GroupBy::Each, plan::Bucket::Whole);
            Node::Aggregate(Box::new(plan::Aggregate { input, by, bucket, calls, time, descending }))
        };
        let columns = self.carried_columns(carried, &input.columns);
        // Columns of the aggregate: the value, then those carried.
        let again = columns.iter().enumerate().map(|(at, (_, name))| (at + 1, name.clone())).collect();
        let ties = match self.ties(&input, carried) {
            Ties::Heap { texts } => Ties::Heap {
                texts: texts
                    .iter()
                    .filter_map(|text| Some(1 + columns.iter().position(|(at, _)| at == text)?))
                    .collect(),
            },
            ties => ties,
        };
        let each = one(input.node(), argument, columns, ReportedTime::Selected, function == Function::Last);
        let grouped = Node::Group(Box::new(plan::Group { input: each, by: self.by(), ties }));
        let two = first_rows(grouped, 2);
        let time = if lone { ReportedTime::Selected } else { ReportedTime::Fixed(self.bounds.min.unwrap_or(0)) };
        let node = one(two, 0, again, time, self.descending);
        Ok(Some(Branch { node, result }))
    }

    /// What stands beside a lone selector.
    pub(super) fn carried(&self) -> Vec<Expr> {
        let mut carried = Vec::new();
        for field in &self.fields {
            plain_names(&field.expr, &mut |leaf| {
                if !carried.contains(leaf) {
                    carried.push(leaf.clone());
                }
            });
        }
        carried
    }

    /// Where columns that are carried are in an input. One that does not exist is that of the call itself, and never
    /// looked at.
    fn carried_columns(&self, carried: &[Expr], columns: &Columns) -> Vec<(usize, String)> {
        let mut found = Vec::with_capacity(carried.len());
        for leaf in carried {
            let Expr::Variable { name, cast } = leaf else { continue };
            found.push((columns.column(name, *cast, &self.schema).unwrap_or(usize::MAX), name.clone()));
        }
        found
    }

    /// The column and the type of an argument. Tags of subqueries may be arguments, others not.
    fn argument(&self, call: &Call, columns: &Columns) -> Option<(usize, FieldType)> {
        let (name, cast) = argument_name(call)?;
        match self.schema.kind(name, cast) {
            Kind::Field(field_type) => Some((columns.field(name, field_type)?, field_type)),
            Kind::Tag if self.schema.inner_tags.contains_key(name) => Some((columns.tag(name)?, FieldType::String)),
            _ => None,
        }
    }

    fn reads<'c>(&self, calls: &[&'c Call], carried: &'c [Expr]) -> Vec<&'c Expr> {
        let mut reads: Vec<&Expr> = Vec::new();
        for call in calls {
            reads.extend(call.args.iter());
        }
        reads.extend(carried);
        reads
    }

    /// The calls that are folded, in one aggregate, with the type of each; `None` for one whose argument does not exist.
    fn fold(
        &self,
        calls: &[&Call],
        carried: &[Expr],
        bounds: Bounds,
        lone: bool,
    ) -> Result<Option<(Node, Vec<Option<FieldType>>)>, StatementError> {
        let existing: Vec<&Call> = calls.iter().copied().filter(|call| self.exists(call)).collect();
        if existing.is_empty() {
            return Ok(None);
        }
        let (bounds, before) = self.looking_back(bounds)?;
        let Some(input) = self.input(&self.reads(&existing, carried), bounds)? else { return Ok(None) };
        let (columns, input) = (input.columns.clone(), input.node());
        let mut list: Vec<plan::Call> = Vec::new();
        let mut add = |function: Function, argument: usize| {
            let known = |call: &plan::Call| call.function == function && call.argument == argument;
            if let Some(at) = list.iter().position(known) {
                return at;
            }
            let output = format!("{}_{}", function.name(), list.len());
            list.push(plan::Call { function, argument, output, carried: Vec::new() });
            list.len() - 1
        };
        let mut results = Vec::with_capacity(calls.len());
        let (mut outputs, mut fills) = (Vec::new(), Vec::new());
        // Whether the outputs are the columns of the aggregate, in their order.
        let mut plain = true;
        for call in calls {
            let Some((argument, field_type)) = self.argument(call, &columns) else {
                results.push(None);
                continue;
            };
            let result =
                result(call, field_type).map_err(|function| StatementError::Argument { function, field_type })?;
            let output = match kernel(call, self.interval, &[]) {
                Kernel::Fold(function) => {
                    let at = add(function, argument);
                    plain &= at == outputs.len();
                    plan::Expr::Column(at)
                }
                _ => {
                    plain = false;
                    plan::Expr::Binary {
                        op: BinaryOp::Sub,
                        left: Box::new(plan::Expr::Column(add(Function::Max, argument))),
                        right: Box::new(plan::Expr::Column(add(Function::Min, argument))),
                    }
                }
            };
            outputs.push((call.name.clone(), output));
            fills.push(self.fill_of(call, result));
            results.push(Some(result));
        }
        if let [call] = list.as_mut_slice() {
            call.carried = self.carried_columns(carried, &columns);
        }
        let time = match self.interval {
            Some(_) => ReportedTime::BucketStart,
            None if lone => ReportedTime::Selected,
            None => ReportedTime::Fixed(self.bounds.min.unwrap_or(0)),
        };
        let mut node = Node::Aggregate(Box::new(plan::Aggregate {
            input,
            by: self.by(),
            bucket: self.bucket(bounds)?,
            calls: list,
            time,
            descending: self.descending,
        }));
        if !plain {
            node = Node::Map(Box::new(plan::Map { input: node, columns: outputs, drop_empty: false }));
        }
        fills.extend(carried.iter().map(|leaf| self.fill_made(leaf)));
        node = without_first(self.fill_rows(node, fills, bounds)?, before);
        Ok(Some((node, results)))
    }

    fn exists(&self, call: &Call) -> bool {
        argument_name(call).is_some_and(|(name, cast)| match self.schema.kind(name, cast) {
            Kind::Field(_) => true,
            Kind::Tag => self.schema.inner_tags.contains_key(name),
            Kind::Unknown => false,
        })
    }

    /// Rows of one call, filled where its rows are; `None` when what it is of does not exist.
    fn branch(
        &self,
        call: &Call,
        carried: &[Expr],
        bounds: Bounds,
        lone: bool,
    ) -> Result<Option<Branch>, StatementError> {
        match kernel(call, self.interval, &[]) {
            Kernel::Fold(function @ (Function::First | Function::Last)) if self.on_edge() => {
                self.edge(call, function, carried, bounds, lone)
            }
            Kernel::Fold(_) | Kernel::Spread => {
                let found = self.fold(&[call], carried, bounds, lone)?;
                Ok(found.and_then(|(node, results)| Some(Branch { node, result: results.first().copied()?? })))
            }
            Kernel::Beyond => Err(QueryError::Beyond.into()),
            _ if !FULL => Err(QueryError::Beyond.into()),
            Kernel::Reduce(_) => self.reduce(call, carried, bounds, lone),
            Kernel::Transform(transformer) => self.transform(call, transformer, bounds),
        }
    }

    fn reduce(
        &self,
        call: &Call,
        carried: &[Expr],
        bounds: Bounds,
        lone: bool,
    ) -> Result<Option<Branch>, StatementError> {
        if !self.exists(call) {
            return Ok(None);
        }
        let alone = matches!(call.name.as_str(), "top" | "bottom" | "sample" | "distinct");
        let (bounds, before) = if alone { (bounds, 0) } else { self.looking_back(bounds)? };
        let Some(input) = self.input(&self.reads(&[call], carried), bounds)? else { return Ok(None) };
        let columns = input.columns.clone();
        let Some((argument, field_type)) = self.argument(call, &columns) else { return Ok(None) };
        let mut per = Vec::new();
        for argument in call.args.iter().skip(1) {
            // Fields tell no points apart.
            if let Expr::Variable { name, cast } = argument
                && self.schema.kind(name, *cast) == Kind::Tag
            {
                per.extend(columns.tag(name));
            }
        }
        let fields_only = per.is_empty() && call.args.iter().skip(1).any(|arg| matches!(arg, Expr::Variable { .. }));
        let Kernel::Reduce(mut reducer) = kernel(call, self.interval, &per) else { return Ok(None) };
        if let Reducer::Extreme { count, .. } = &mut reducer
            && fields_only
        {
            *count = 1;
        }
        let result = result(call, field_type).map_err(|function| StatementError::Argument { function, field_type })?;
        let own_time = matches!(reducer, Reducer::Extreme { .. } | Reducer::Sample(_));
        let filled = !own_time && reducer != Reducer::Distinct;
        let mut points = match self.ties(&input, carried) {
            // Of points that tags tell apart InfluxDB takes the best of each series first, then goes by series.
            Ties::Heap { .. } if !per.is_empty() => self.grouped_by(input, Ties::InOrder),
            ties => self.grouped_by(input, ties),
        };
        let Select { limit, offset, .. } = *self.select;
        let scanned = self.schema.subqueries.is_empty();
        if matches!(reducer, Reducer::Extreme { .. }) && call.args.len() == 2 && scanned && (limit > 0 || offset > 0) {
            // InfluxDB applies them to what `top` chooses from, too, and lets one row more pass.
            points = first_rows(points, limit.saturating_add(offset).saturating_add(1));
        }
        let time = match self.interval {
            _ if own_time => ReportedTime::Selected,
            Some(_) => ReportedTime::BucketStart,
            None if lone => ReportedTime::Selected,
            None => ReportedTime::Fixed(self.bounds.min.unwrap_or(0)),
        };
        let mut node = Node::Reduce(Box::new(plan::Reduce {
            input: points,
            bucket: self.bucket(bounds)?,
            reducer,
            argument,
            output: call.name.clone(),
            carried: self.carried_columns(carried, &columns),
            time,
        }));
        if filled {
            let mut fills = vec![self.fill_of(call, result)];
            fills.extend(carried.iter().map(|leaf| self.fill_made(leaf)));
            node = without_first(self.fill_rows(node, fills, bounds)?, before);
        }
        Ok(Some(Branch { node, result }))
    }

    fn transform(
        &self,
        call: &Call,
        mut transformer: Transformer,
        bounds: Bounds,
    ) -> Result<Option<Branch>, StatementError> {
        let (input, argument, field_type) = match call.args.first() {
            Some(Expr::Call(inner)) => {
                let looks_back = !matches!(transformer, Transformer::CumulativeSum | Transformer::HoltWinters(_));
                let wider = if looks_back { self.wider(bounds) } else { bounds };
                let Some(branch) = self.branch(inner, &[], wider, false)? else { return Ok(None) };
                (branch.node, 0, branch.result)
            }
            _ if !self.exists(call) => return Ok(None),
            _ => {
                let Some(input) = self.input(&self.reads(&[call], &[]), bounds)? else { return Ok(None) };
                let Some((argument, field_type)) = self.argument(call, &input.columns) else { return Ok(None) };
                (self.grouped(input, &[]), argument, field_type)
            }
        };
        if let Transformer::Integral { bucket, start, .. } = &mut transformer {
            // Of floats InfluxDB names no time.
            *start = if field_type == FieldType::Float { 0 } else { bounds.min.unwrap_or(0) };
            if self.interval.is_some() {
                *bucket = Some(self.bucket(bounds)?);
            }
        }
        let result = transformer
            .result(field_type)
            .ok_or_else(|| StatementError::Argument { function: transformer.name(), field_type })?;
        let output = call.name.clone();
        let node = Node::Transform(Box::new(plan::Transform { input, transformer, argument, output }));
        Ok(Some(Branch { node, result }))
    }

    /// With the buckets before the range that `fill(previous, …)` looks into, and how many those are. Descending, the value
    /// before is one of the range.
    fn looking_back(&self, bounds: Bounds) -> Result<(Bounds, u64), StatementError> {
        let (reach, ascending) = (self.select.fill_reach, !self.descending);
        let (Some(interval), Some(min), 1.., true) = (self.interval, bounds.min, reach, ascending) else {
            return Ok((bounds, 0));
        };
        let wider = Bounds { min: Some(min.saturating_sub(reach)), ..bounds };
        let before = match (self.bucket(wider)?, self.bucket(bounds)?) {
            (plan::Bucket::Edges(more), plan::Bucket::Edges(edges)) => more.len().saturating_sub(edges.len()) as u64,
            _ => {
                let apart = interval.start_of(min) - interval.start_of(min.saturating_sub(reach));
                u64::try_from(apart / i128::from(interval.width)).unwrap_or(0)
            }
        };
        Ok((wider, before))
    }

    /// With one bucket more, so that the first of the others has one before it.
    fn wider(&self, mut bounds: Bounds) -> Bounds {
        let width = self.interval.map_or(0, |interval| interval.width);
        if self.descending {
            bounds.max = bounds.max.map(|max| max.saturating_add(width));
        } else {
            bounds.min = bounds.min.map(|min| min.saturating_sub(width));
        }
        bounds
    }

    /// How the column of a call is filled.
    fn fill_of(&self, call: &Call, result: FieldType) -> FillWith {
        match self.fill {
            Fill::Null if call.name == "count" => FillWith::ValueIfAny(Scalar::Integer(0)),
            Fill::Null | Fill::None => FillWith::Null,
            Fill::Previous => FillWith::Previous,
            Fill::Linear => FillWith::Linear,
            Fill::Integer(_) | Fill::Float(_) => self.fill_number(result).map_or(FillWith::Null, FillWith::Value),
        }
    }

    /// How a column beside a selector is filled.
    fn fill_beside(&self, leaf: &Expr) -> FillWith {
        match (self.fill, leaf) {
            (Fill::Previous, _) => FillWith::Previous,
            (Fill::Integer(_) | Fill::Float(_), Expr::Variable { name, cast }) => match self.schema.kind(name, *cast) {
                Kind::Field(number) if number.is_number() => {
                    self.fill_number(number).map_or(FillWith::Null, FillWith::Value)
                }
                // The number stands in for a text only in the answer: see `stand_ins`.
                _ => FillWith::Null,
            },
            _ => FillWith::Null,
        }
    }

    /// How it is in the rows of empty buckets, before pages are cut: what was before is repeated after that.
    fn fill_made(&self, leaf: &Expr) -> FillWith {
        match self.fill_beside(leaf) {
            FillWith::Previous => FillWith::Null,
            with => with,
        }
    }

    /// What stands in the answer for values that a column lacks: the number of `fill` beside a selector and beside other
    /// calls, whatever the column's type.
    pub(super) fn stand_ins(&self, types: &[Option<Type>]) -> Vec<Option<Scalar>> {
        let number = match self.fill {
            Fill::Integer(number) => Scalar::Integer(number),
            Fill::Float(number) => Scalar::Float(number),
            _ => return Vec::new(),
        };
        let stands_in = |(at, field): (usize, &Field)| match &field.expr {
            Expr::Call(_) => match types.get(at) {
                Some(Some(Type::Field(own))) if !own.is_number() => Some(number.clone()),
                _ => None,
            },
            Expr::Variable { name, cast } => match self.schema.kind(name, *cast) {
                Kind::Field(own) if own.is_number() => None,
                _ => Some(number.clone()),
            },
            _ => None,
        };
        self.fields.iter().enumerate().map(stands_in).collect()
    }

    /// The rows of an aggregate's buckets that it has no points in.
    fn fill_rows(&self, node: Node, columns: Vec<FillWith>, bounds: Bounds) -> Result<Node, StatementError> {
        if self.interval.is_none() || self.fill == Fill::None {
            return Ok(node);
        }
        self.filled(node, columns, bounds, true)
    }

    fn filled(
        &self,
        input: Node,
        columns: Vec<FillWith>,
        bounds: Bounds,
        make_rows: bool,
    ) -> Result<Node, StatementError> {
        Ok(Node::Fill(Box::new(plan::Fill {
            input,
            first: bounds.min,
            last: bounds.max,
            bucket: self.bucket(bounds)?,
            columns,
            make_rows,
            empty_groups: false,
        })))
    }
}

/// The type of a function whatever it is of.
fn result_of_nothing(function: &str) -> Option<FieldType> {
    match function {
        "count" | "elapsed" => Some(FieldType::Integer),
        "mean"
        | "median"
        | "integral"
        | "stddev"
        | "derivative"
        | "non_negative_derivative"
        | "moving_average"
        | "holt_winters"
        | "holt_winters_with_fit" => Some(FieldType::Float),
        "relative_strength_index" | "chande_momentum_oscillator" => Some(FieldType::Float),
        average if average.contains("exponential") || average.contains("kaufmans") => Some(FieldType::Float),
        _ => None,
    }
}

/// Without the first rows of each group.
fn without_first(input: Node, rows: u64) -> Node {
    if rows == 0 {
        return input;
    }
    Node::Limit(Box::new(plan::Limit { input, rows: None, skip_rows: rows, groups: None, skip_groups: 0 }))
}

/// The first rows of each group.
fn first_rows(input: Node, rows: u64) -> Node {
    Node::Limit(Box::new(plan::Limit { input, rows: Some(rows), skip_rows: 0, groups: None, skip_groups: 0 }))
}

/// The name that a call is of: its first argument, or that of the `distinct` in it.
fn argument_name(call: &Call) -> Option<(&str, Option<super::super::ast::Cast>)> {
    match call.args.first()? {
        Expr::Variable { name, cast } => Some((name, *cast)),
        Expr::Distinct(name) => Some((name, None)),
        Expr::Call(inner) => argument_name(inner),
        _ => None,
    }
}

/// The calls of functions that need more than a row, each once.
fn find_calls<'e>(expr: &'e Expr, calls: &mut Vec<&'e Call>) {
    match expr {
        Expr::Paren(inner) => find_calls(inner, calls),
        Expr::Chain(chain) => {
            find_calls(&chain.first, calls);
            chain.rest.iter().for_each(|(_, right)| find_calls(right, calls));
        }
        Expr::Call(call) if Mathematics::from_name(&call.name).is_some() => {
            call.args.iter().for_each(|argument| find_calls(argument, calls));
        }
        Expr::Call(call) if !calls.contains(&call) => calls.push(call),
        _ => {}
    }
}

/// The names outside of those calls.
fn plain_names(expr: &Expr, found: &mut dyn FnMut(&Expr)) {
    match expr {
        Expr::Variable { .. } => found(expr),
        Expr::Paren(inner) => plain_names(inner, found),
        Expr::Chain(chain) => {
            plain_names(&chain.first, found);
            chain.rest.iter().for_each(|(_, right)| plain_names(right, found));
        }
        Expr::Call(call) if Mathematics::from_name(&call.name).is_some() => {
            call.args.iter().for_each(|argument| plain_names(argument, found));
        }
        _ => {}
    }
}
