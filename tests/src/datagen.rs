//! Seeded points, as lines.

use crate::simdisk::Random;

/// Lines in no order of time, some of them of a time and series already written: two measurements, tags that some series
/// lack, all types of fields, fields that some points lack. Times are whole seconds in the first day of 2024.
pub fn lines(count: usize, random: &mut Random) -> Vec<String> {
    (0..count).map(|_| line(random)).collect()
}

/// 2024-01-01T00:00:00Z.
pub const START: i64 = 1_704_067_200;

fn line(random: &mut Random) -> String {
    let time = (START + random.below(86_400) as i64) * 1_000_000_000;
    let host = random.below(5);
    let region = if random.percent(70) { format!(",region=r{}", random.below(2)) } else { String::new() };
    if random.percent(50) {
        return format!("load,host=h{host} value={} {time}", float(random));
    }
    let mut fields = vec![format!("usage={}", float(random))];
    let mut sometimes = |field: String| fields.extend((fields.len() < 9).then_some(field));
    if random.percent(80) {
        sometimes(format!("count={}i", random.word().cast_signed() >> random.below(60)));
    }
    if random.percent(50) {
        sometimes(format!("ok={}", random.percent(50)));
    }
    if random.percent(30) {
        sometimes(format!("text=\"state {}\"", random.below(4)));
    }
    format!("cpu,host=h{host}{region} {} {time}", fields.join(","))
}

/// Decimals, as instruments give them, and doubles of every size: their sums round.
fn float(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("{:e}", f64::from_bits(random.word() >> 2 | 0x3000_0000_0000_0000) - 1.0),
        1 => format!("{}", random.below(1 << 20) as f64 / 1024.0 - 300.0),
        _ => format!("{}.{:02}", random.below(100), random.below(100)),
    }
}
