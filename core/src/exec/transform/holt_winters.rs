//! The forecast of Holt and Winters: a damped trend and a season that multiplies, fitted by the simplex of Nelder and
//! Mead from sixteen starts. The order of operations is fixed: digits depend on it, and so does that trying parameters
//! moves their seasons on and cuts their weights to [0, 1].

use crate::plan::HoltWinters;

/// Rounds of one fit.
const ROUNDS: usize = 1000;
/// A fit ends when the values at its corners deviate by less.
const CLOSE: f64 = 1e-4;
const STARTS: [f64; 2] = [0.3, 0.7];
/// Weights α, β, γ, φ, then level and trend; the season follows.
const FIXED: usize = 6;

/// Bytes that fitting takes, beside the rows.
pub(super) fn bytes(rows: usize, with: HoltWinters) -> usize {
    let season = if with.season < 2 { 0 } else { usize::try_from(with.season).unwrap_or(usize::MAX) };
    let parameters = season.saturating_add(FIXED + 1);
    let forecast = rows.saturating_add(usize::try_from(with.count).unwrap_or(usize::MAX));
    parameters.saturating_mul(parameters).saturating_add(forecast.saturating_mul(4)).saturating_mul(8)
}

/// Rows after the last of `rows`, ascending, with the fitted ones before them if asked for. Nothing when there are fewer
/// rows than a season, or than two.
pub(super) fn forecast(rows: &[(i64, f64)], with: HoltWinters) -> Vec<(i64, f64)> {
    let seasonal = with.season >= 2;
    if rows.len() < 2 || seasonal && (rows.len() as u64) < with.season {
        return Vec::new();
    }
    let Some(series) = on_grid(rows, with.interval.max(1)) else { return Vec::new() };
    let model = Model { series, seasonal };
    let mut parameters = model.guess(if seasonal { with.season as usize } else { 0 });
    let mut best: Option<(f64, Vec<f64>)> = None;
    for alpha in STARTS {
        for beta in STARTS {
            for gamma in STARTS {
                for phi in STARTS {
                    parameters[..4].copy_from_slice(&[alpha, beta, gamma, phi]);
                    let found = minimise(&parameters, &|parameters| model.error(parameters));
                    if best.as_ref().is_none_or(|(least, _)| found.0 < *least) {
                        best = Some(found);
                    }
                }
            }
        }
    }
    let Some((_, mut parameters)) = best else { return Vec::new() };
    let values = model.run(with.count as usize, &mut parameters);
    let (from, skipped) = match (rows.first(), rows.last()) {
        (Some((first, _)), _) if with.with_fit => (*first, 0),
        (_, Some((last, _))) => (last.saturating_add(with.interval), model.series.len()),
        _ => return Vec::new(),
    };
    let rows = values.into_iter().skip(skipped).enumerate().filter(|(_, value)| !value.is_nan());
    rows.map(|(at, value)| (from.saturating_add(with.interval.saturating_mul(at as i64)), value)).collect()
}

/// A value an interval, NaN where there is none. `None` when all fall into one, or run backwards.
fn on_grid(rows: &[(i64, f64)], interval: i64) -> Option<Vec<f64>> {
    let rounded = |time: i64| {
        let up = time % interval > interval / 2;
        time / interval + i64::from(up)
    };
    let ((first, value), (last, _)) = (rows.first()?, rows.last()?);
    if rounded(*last) <= rounded(*first) {
        return None;
    }
    let mut series = vec![*value];
    let mut at = rounded(*first);
    for (time, value) in &rows[1..] {
        let place = rounded(*time);
        if place <= at {
            continue;
        }
        // As many as memory was asked for: a group has a row an interval but where buckets are missing.
        for _ in at + 1..place {
            series.push(f64::NAN);
        }
        series.push(*value);
        at = place;
    }
    Some(series)
}

struct Model {
    series: Vec<f64>,
    seasonal: bool,
}

impl Model {
    /// Where a fit begins, but for its weights.
    fn guess(&self, season: usize) -> Vec<f64> {
        let y = &self.series;
        let mut parameters = vec![0.0; FIXED + season];
        let (mut level, mut trend) = (0.0, 0.0);
        if self.seasonal {
            let length = season as f64;
            for value in y.iter().take(season).filter(|value| !value.is_nan()) {
                level += 1.0 / length * value;
            }
            for (value, next) in y.iter().zip(y.iter().skip(season)).take(season) {
                if !value.is_nan() && !next.is_nan() {
                    trend += 1.0 / (length * length) * (next - value);
                }
            }
            for (share, value) in parameters[FIXED..].iter_mut().zip(y).filter(|(_, value)| !value.is_nan()) {
                *share = value / level;
            }
        } else {
            level = 0.5 * y[0];
            if !y[1].is_nan() {
                trend = 0.5 * (y[1] - y[0]);
            }
        }
        (parameters[4], parameters[5]) = (level, trend);
        parameters
    }

    /// The fitted values and `ahead` more.
    fn run(&self, ahead: usize, parameters: &mut [f64]) -> Vec<f64> {
        for weight in &mut parameters[..4] {
            *weight = weight.clamp(0.0, 1.0);
        }
        let (fixed, season) = parameters.split_at_mut(FIXED);
        let (alpha, beta, gamma, phi) = (fixed[0], fixed[1], fixed[2], fixed[3]);
        let (mut level, mut trend) = (fixed[4], fixed[5]);
        let length = season.len();
        let mut damping = phi;
        let mut value = self.series[0];
        let mut values = Vec::with_capacity(self.series.len() + ahead);
        values.push(value);
        let mut offset = length.wrapping_sub(1);
        for step in 1..self.series.len() + ahead {
            let (mut past, mut next) = (1.0, 1.0);
            if self.seasonal {
                past = season[(step + offset - length) % length];
                next = season[(step + offset - length + step % length) % length];
            }
            let expected = level + phi * trend;
            let new_level = alpha * (value / past) + (1.0 - alpha) * expected;
            let new_trend = beta * (new_level - level) + (1.0 - beta) * phi * trend;
            let share = gamma * (value / expected) + (1.0 - gamma) * past;
            (level, trend) = (new_level, new_trend);
            value = (level + damping * trend) * next;
            damping += libm::pow(phi, step as f64);
            if self.seasonal {
                season[(step + offset) % length] = share;
                offset += 1;
            }
            values.push(value);
        }
        values
    }

    /// The sum of squares of what the fitted values miss by.
    fn error(&self, parameters: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (fitted, value) in self.run(0, parameters).iter().zip(&self.series).filter(|(_, value)| !value.is_nan()) {
            if fitted.is_nan() {
                return f64::INFINITY;
            }
            sum += (fitted - value) * (fitted - value);
        }
        sum
    }
}

/// The least value of a function found from a start, and where. The function may move what it is asked about.
fn minimise(start: &[f64], function: &dyn Fn(&mut [f64]) -> f64) -> (f64, Vec<f64>) {
    let n = start.len();
    let size = n as f64;
    let root = (size + 1.0).sqrt() - 1.0;
    let far = (root + size) / (size * std::f64::consts::SQRT_2);
    let near = root / (size * std::f64::consts::SQRT_2);
    let mut corners: Vec<Vec<f64>> = vec![start.to_vec(); n + 1];
    for (at, corner) in corners.iter_mut().skip(1).enumerate() {
        for (axis, place) in corner.iter_mut().enumerate() {
            *place += if axis == at { far } else { near };
        }
    }
    let mut values: Vec<f64> = corners.iter_mut().map(|corner| function(corner)).collect();
    for _ in 0..ROUNDS {
        let (mut worst, mut best) = (0, 0);
        for (at, value) in values.iter().enumerate() {
            if *value > values[worst] {
                worst = at;
            }
            if *value < values[best] {
                best = at;
            }
        }
        let mut second = best;
        for (at, value) in values.iter().enumerate() {
            if *value > values[second] && *value < values[worst] {
                second = at;
            }
        }
        let mut middle = vec![0.0; n];
        for (axis, place) in middle.iter_mut().enumerate() {
            let mut sum = 0.0;
            for (_, corner) in corners.iter().enumerate().filter(|(at, _)| *at != worst) {
                sum += corner[axis];
            }
            *place = sum / size;
        }
        let mut reflected: Vec<f64> =
            middle.iter().zip(&corners[worst]).map(|(middle, worst)| middle + (middle - worst)).collect();
        let value = function(&mut reflected);
        if value < values[second] && value >= values[best] {
            corners[worst].copy_from_slice(&reflected);
            values[worst] = value;
        }
        if value < values[best] {
            let mut expanded: Vec<f64> =
                middle.iter().zip(&reflected).map(|(middle, there)| middle + 2.0 * (there - middle)).collect();
            let further = function(&mut expanded);
            let (value, place) = if further < value { (further, expanded) } else { (value, reflected.clone()) };
            corners[worst] = place;
            values[worst] = value;
        }
        if value >= values[second] {
            let outside = value < values[worst];
            let toward = if outside { &reflected } else { &corners[worst] };
            let mut contracted: Vec<f64> = middle
                .iter()
                .zip(toward)
                .map(
                    |(middle, there)| {
                        if outside { middle + 0.5 * (there - middle) } else { middle - 0.5 * (middle - there) }
                    },
                )
                .collect();
            let closer = function(&mut contracted);
            if closer < values[worst] {
                corners[worst] = contracted;
                values[worst] = closer;
            } else {
                let to = corners[best].clone();
                for (_, corner) in corners.iter_mut().enumerate().filter(|(at, _)| *at != best) {
                    for (place, to) in corner.iter_mut().zip(&to) {
                        *place = to + (*place - to) / 2.0;
                    }
                }
                values[worst] = function(&mut corners[worst]);
                values[second] = function(&mut corners[second]);
            }
        }
        let mean = values.iter().fold(0.0, |sum, value| sum + value) / (size + 1.0);
        let spread = values.iter().fold(0.0, |sum, value| sum + (value - mean) * (value - mean) / size);
        if spread.sqrt() < CLOSE {
            break;
        }
    }
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value < values[best] {
            best = at;
        }
    }
    let parameters = corners[best].clone();
    (function(&mut corners[best]), parameters)
}
