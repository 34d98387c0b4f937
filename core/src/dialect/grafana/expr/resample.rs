//! A series to a series on a fixed grid.

use super::super::json::Json;
use super::super::times::{Range, duration};
use super::reduce::Reducer;
use super::set::{Data, Element, Points, Set};

/// Points of a grid, at most.
const MAX_POINTS: i64 = 100_000;

#[derive(Clone, Debug)]
pub(crate) struct Resample {
    window: i64,
    downsampler: Reducer,
    upsampler: Upsampler,
}

#[derive(Clone, Copy, Debug)]
enum Upsampler {
    Pad,
    Backfilling,
    FillNa,
}

impl Resample {
    pub(crate) fn read(model: &Json) -> Result<Self, String> {
        let window = model.text_of("window");
        let window = duration(window)
            .filter(|millis| *millis > 0)
            .ok_or_else(|| format!("failed to parse resample \"window\" duration field {window:?}"))?;
        let downsampler = model.text_of("downsampler");
        let downsampler = Reducer::of(downsampler)
            .ok_or_else(|| format!("expected \"downsampler\" to be a reducer, got '{downsampler}'"))?;
        let upsampler = match model.text_of("upsampler") {
            "pad" => Upsampler::Pad,
            "backfilling" => Upsampler::Backfilling,
            "fillna" => Upsampler::FillNa,
            other => return Err(format!("expected \"upsampler\" to be pad, backfilling or fillna, got '{other}'")),
        };
        Ok(Self { window, downsampler, upsampler })
    }

    pub(crate) fn apply(&self, input: &Set, range: Range) -> Result<Set, String> {
        let count = range.to.saturating_sub(range.from).div_euclid(self.window) + 1;
        if range.to < range.from {
            return Err("the series cannot be sampled: the time range is shorter than the interval".to_owned());
        }
        if count > MAX_POINTS {
            return Err(format!("the window makes {count} points, at most {MAX_POINTS} are allowed"));
        }
        let mut elements = Vec::new();
        for element in &input.elements {
            let Data::Series(points) = &element.data else {
                return Err("can only resample type series, got type number".to_owned());
            };
            let data = Data::Series(self.one(points, range.from, count));
            elements.push(Element { labels: element.labels.clone(), data });
        }
        Ok(Set::of(elements))
    }

    fn one(&self, input: &Points, from: i64, count: i64) -> Points {
        let mut sampled = Points::default();
        let mut at = 0;
        let mut last = None;
        for step in 0..count {
            let time = from.saturating_add(step * self.window);
            let begin = at;
            while input.times.get(at).is_some_and(|point| *point <= time) {
                at += 1;
            }
            let taken = &input.values[begin..at];
            let value = match taken.last() {
                Some(newest) => {
                    last = *newest;
                    self.downsampler.fold(taken)
                }
                None => match self.upsampler {
                    Upsampler::Pad => last,
                    Upsampler::Backfilling => input.values.get(at).copied().flatten(),
                    Upsampler::FillNa => None,
                },
            };
            sampled.times.push(time);
            sampled.values.push(value);
        }
        sampled
    }
}
