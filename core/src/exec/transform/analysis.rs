//! Technical analysis: averages that forget, and what is made of them.

use crate::plan::{Analysis, AnalysisMethod as Method, Warmup};
use std::collections::VecDeque;

/// An average that weighs a new value by `alpha`; of the first `period` values it is a plain mean, or one that weighs
/// by how many there were.
#[derive(Clone, Copy)]
struct Average {
    period: u64,
    alpha: f64,
    simple: bool,
    seen: u64,
    value: f64,
}

impl Average {
    fn new(period: u64, warmup: Warmup) -> Self {
        Self { period, alpha: 2.0 / (period as f64 + 1.0), simple: warmup == Warmup::Simple, seen: 0, value: 0.0 }
    }

    /// As Wilder's indexes weigh: over a period of changes, of which there is one fewer than values.
    fn of_changes(period: u64, warmup: Warmup) -> Self {
        Self { alpha: 1.0 / period as f64, ..Self::new(period.saturating_add(1), warmup) }
    }

    fn step(&mut self, value: f64) -> f64 {
        self.value = if self.seen == 0 {
            value
        } else if self.seen >= self.period {
            (value - self.value) * self.alpha + self.value
        } else if self.simple {
            (self.value * self.seen as f64 + value) / (self.seen as f64 + 1.0)
        } else {
            (value - self.value) * (2.0 / (self.seen as f64 + 2.0)) + self.value
        };
        self.seen += 1;
        self.value
    }

    const fn is_warm(&self) -> bool {
        self.seen >= self.period
    }
}

/// See [`Analysis`].
pub(super) struct Analysing {
    analysis: Analysis,
    seen: u64,
    averages: [Average; 3],
    last: Option<f64>,
    /// The last period of values, or of changes.
    window: VecDeque<f64>,
    adaptive: f64,
}

impl Analysing {
    pub(super) fn new(analysis: Analysis) -> Self {
        let Analysis { method, period, warmup, .. } = analysis;
        let average = match method {
            Method::RelativeStrengthIndex | Method::ChandeMomentumOscillator => Average::of_changes(period, warmup),
            _ => Average::new(period, warmup),
        };
        Self { analysis, seen: 0, averages: [average; 3], last: None, window: VecDeque::new(), adaptive: 0.0 }
    }

    /// The result after one more value, once the hold is over.
    pub(super) fn step(&mut self, value: f64) -> Option<f64> {
        let result = self.result(value);
        self.seen += 1;
        result.filter(|_| self.seen > self.analysis.hold)
    }

    fn result(&mut self, value: f64) -> Option<f64> {
        match self.analysis.method {
            Method::ExponentialMovingAverage => Some(self.averages[0].step(value)),
            Method::DoubleExponentialMovingAverage => {
                let [one, two, _] = self.cascade(value);
                Some(2.0 * one - two)
            }
            Method::TripleExponentialMovingAverage => {
                let [one, two, three] = self.cascade(value);
                Some(3.0 * one - 3.0 * two + three)
            }
            Method::TripleExponentialDerivative => {
                let [_, _, three] = self.cascade(value);
                let before = self.last.replace(three)?;
                Some((three / before - 1.0) * 100.0).filter(|change| !change.is_infinite())
            }
            Method::RelativeStrengthIndex => {
                let (up, down) = self.rise_and_fall(value);
                Some(100.0 - 100.0 / (1.0 + up / down))
            }
            Method::ChandeMomentumOscillator if self.analysis.warmup != Warmup::None => {
                let (up, down) = self.rise_and_fall(value);
                Some(100.0 * (up - down) / (up + down))
            }
            Method::ChandeMomentumOscillator => {
                if let Some(last) = self.last.replace(value) {
                    self.keep(value - last);
                }
                let (mut up, mut down) = (0.0, 0.0);
                for change in &self.window {
                    if *change > 0.0 { up += change } else { down -= change }
                }
                Some(if up + down == 0.0 { 0.0 } else { 100.0 * (up - down) / (up + down) })
            }
            Method::KaufmansEfficiencyRatio => Some(self.efficiency(value)),
            Method::KaufmansAdaptiveMovingAverage => {
                let last = self.last.unwrap_or(0.0);
                let warm = self.seen > self.analysis.period;
                let ratio = self.efficiency(value);
                let (fast, slow) = (2.0 / 3.0, 2.0 / 31.0);
                let weight = ratio * (fast - slow) + slow;
                let from = if warm { self.adaptive } else { last };
                self.adaptive = from + weight * weight * (value - from);
                Some(self.adaptive)
            }
        }
    }

    /// The average, the average of the averages, and the average of those.
    fn cascade(&mut self, value: f64) -> [f64; 3] {
        let mut all = [value; 3];
        let mut next = value;
        let mut settled = true;
        for (average, result) in self.averages.iter_mut().zip(&mut all) {
            // A plain mean of means that are not settled would count the first values too often.
            if settled {
                next = average.step(next);
                settled = !average.simple || average.is_warm();
            }
            *result = next;
        }
        all
    }

    fn rise_and_fall(&mut self, value: f64) -> (f64, f64) {
        let change = value - self.last.replace(value).unwrap_or(0.0);
        let up = self.averages[0].step(change.max(0.0));
        let down = self.averages[1].step((-change).max(0.0));
        (up, down)
    }

    fn keep(&mut self, value: f64) {
        self.window.push_back(value);
        if self.window.len() as u64 > self.analysis.period {
            self.window.pop_front();
        }
    }

    /// How straight the way over the last period was. What lies before the first value counts as zero.
    fn efficiency(&mut self, value: f64) -> f64 {
        self.last = Some(value);
        // Values of the last period, the one before it first.
        let full = self.window.len() as u64 == self.analysis.period;
        let far = if full { self.window.front().copied().unwrap_or(0.0) } else { 0.0 };
        let mut way = 0.0;
        let mut from = far;
        for to in self.window.iter().skip(usize::from(full)).chain([&value]) {
            way += (to - from).abs();
            from = *to;
        }
        let straight = (value - far).abs();
        self.keep(value);
        if straight == 0.0 || way == 0.0 { 0.0 } else { straight / way }
    }
}
