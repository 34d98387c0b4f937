//! `core/src/time/zones.bin` from compiled `zoneinfo` files; its layout is told in `core/src/time/zone.rs`.

use crate::repo::{Outcome, Repo, Tally, say};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Writes the table anew from a folder of compiled zones, that of the system if none is given.
pub(crate) fn write(repo: &Repo, folder: Option<&str>) -> Outcome {
    let folder = Path::new(folder.unwrap_or("/usr/share/zoneinfo"));
    let mut zones = BTreeMap::new();
    collect(folder, "", &mut zones)?;
    if zones.is_empty() {
        return Err(format!("{}: no compiled zones there", folder.display()));
    }
    let table = table(&zones);
    let path = repo.root.join("core/src/time/zones.bin");
    fs::write(&path, &table).map_err(|why| format!("{}: {why}", path.display()))?;
    let release = fs::read_to_string(folder.join("tzdata.zi")).unwrap_or_default();
    let release =
        release.lines().next().and_then(|line| line.strip_prefix("# version ")).unwrap_or("unknown").to_owned();
    say(&format!("{} names of release {release}, {} bytes", zones.len(), table.len()));
    Ok(Tally::ONE)
}

/// Offsets are seconds east of UTC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Zone {
    rule: Rule,
    /// At the epoch.
    first: i64,
    /// When, in seconds since the epoch, and the offset from there on.
    changes: Vec<(i64, i64)>,
}

/// What holds after the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    standard: i64,
    /// The offset in summer, when it begins, when it ends.
    summer: Option<(i64, Day, Day)>,
}

/// The week-th weekday of a month (week 5: the last), and seconds after its local midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Day {
    month: u8,
    week: u8,
    weekday: u8,
    seconds: i64,
}

/// Zones by name, in this folder and those below it.
fn collect(folder: &Path, prefix: &str, zones: &mut BTreeMap<String, Zone>) -> Outcome<()> {
    let entries = fs::read_dir(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    for entry in entries.filter_map(Result::ok) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // The same zones once more, and what this machine is set to.
        if ["posix", "right", "localtime", "posixrules"].contains(&name.as_str()) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            collect(&path, &format!("{name}/"), zones)?;
        } else if let Ok(bytes) = fs::read(&path)
            && bytes.starts_with(b"TZif")
        {
            zones.insert(name, zone(&bytes).ok_or_else(|| format!("{}: not understood", path.display()))?);
        }
    }
    Ok(())
}

/// A compiled zone: two data blocks of which the second counts in 64 bits, then the rule as text (RFC 9636).
fn zone(bytes: &[u8]) -> Option<Zone> {
    let (_, first) = block(bytes, 4)?;
    let (data, length) = block(bytes.get(first..)?, 8)?;
    let footer = bytes.get(first + length..)?.strip_prefix(b"\n")?;
    let rule = rule(std::str::from_utf8(footer.split(|byte| *byte == b'\n').next()?).ok()?)?;
    let Block { transitions, offsets } = data;
    let at_epoch = transitions.iter().take_while(|(at, _)| *at <= 0).last();
    let first = at_epoch.map_or(offsets.first().copied()?, |(_, offset)| *offset);
    let mut changes: Vec<(i64, i64)> = Vec::new();
    for (at, offset) in transitions.into_iter().filter(|(at, _)| *at > 0) {
        if changes.last().map_or(first, |(_, last)| *last) != offset {
            changes.push((at, offset));
        }
    }
    // What the rule says as well need not be listed.
    while let Some((change, before)) = changes.split_last() {
        let (last, mut offset) = before.last().copied().unwrap_or((0, first));
        let mut by_rule = rule.changes(last, change.0);
        by_rule.retain(|(_, next)| std::mem::replace(&mut offset, *next) != *next);
        if by_rule != [*change] {
            break;
        }
        changes.pop();
    }
    Some(Zone { rule, first, changes })
}

struct Block {
    /// When, and the offset from there on.
    transitions: Vec<(i64, i64)>,
    offsets: Vec<i64>,
}

/// A data block with times of so many bytes, and how long it is with its header.
fn block(bytes: &[u8], width: usize) -> Option<(Block, usize)> {
    let count = |at: usize| Some(u32::from_be_bytes(bytes.get(20 + at * 4..24 + at * 4)?.try_into().ok()?) as usize);
    let (utc, standard, leaps, times, types, letters) =
        (count(0)?, count(1)?, count(2)?, count(3)?, count(4)?, count(5)?);
    let of_times = bytes.get(44..)?;
    let of_types = of_times.get(times * width..)?;
    let of_offsets = of_types.get(times..)?;
    let offset = |at: usize| Some(i64::from(i32::from_be_bytes(of_offsets.get(at * 6..at * 6 + 4)?.try_into().ok()?)));
    let offsets: Vec<i64> = (0..types).map(offset).collect::<Option<_>>()?;
    let transition = |at: usize| {
        let time = of_times.get(at * width..(at + 1) * width)?;
        let time = match width {
            8 => i64::from_be_bytes(time.try_into().ok()?),
            _ => i64::from(i32::from_be_bytes(time.try_into().ok()?)),
        };
        Some((time, *offsets.get(usize::from(*of_types.get(at)?))?))
    };
    let transitions = (0..times).map(transition).collect::<Option<_>>()?;
    let length = 44 + times * width + times + types * 6 + letters + leaps * (width + 4) + standard + utc;
    Some((Block { transitions, offsets }, length))
}

/// `CET-1CEST,M3.5.0,M10.5.0/3`: names, hours west of UTC, and on which days summer begins and ends.
fn rule(text: &str) -> Option<Rule> {
    let (zone, days) = text.split_once(',').map_or((text, None), |(zone, days)| (zone, Some(days)));
    let (standard, rest) = offset(unnamed(zone)?)?;
    let Some(days) = days else { return rest.is_empty().then_some(Rule { standard, summer: None }) };
    let rest = unnamed(rest)?;
    let summer = if rest.is_empty() { standard + 3600 } else { offset(rest)?.0 };
    let (begins, ends) = days.split_once(',')?;
    Some(Rule { standard, summer: Some((summer, day(begins)?, day(ends)?)) })
}

/// Without the name in front: letters, or anything between `<` and `>`.
fn unnamed(text: &str) -> Option<&str> {
    match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>').map(|(_, rest)| rest),
        None => Some(text.trim_start_matches(|c: char| c.is_ascii_alphabetic())),
    }
}

/// Hours west as seconds east, and what follows.
fn offset(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '+' | '-')).unwrap_or(text.len());
    Some((-seconds(&text[..end])?, &text[end..]))
}

/// `[+-]hours[:minutes[:seconds]]`
fn seconds(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut unit = 3600;
    let mut total = 0;
    for part in text.split(':') {
        total += part.parse::<i64>().ok()? * unit;
        unit /= 60;
    }
    Some(sign * total)
}

/// `M3.5.0/3`
fn day(text: &str) -> Option<Day> {
    let (day, time) = text.split_once('/').map_or((text, None), |(day, time)| (day, Some(time)));
    let mut parts = day.strip_prefix('M')?.split('.').map(|part| part.parse::<u8>().ok());
    let (month, week, weekday) = (parts.next()??, parts.next()??, parts.next()??);
    Some(Day { month, week, weekday, seconds: time.map_or(Some(2 * 3600), seconds)? })
}

impl Rule {
    /// The changes it makes after `after` and up to `until`.
    fn changes(self, after: i64, until: i64) -> Vec<(i64, i64)> {
        let Some((summer, begins, ends)) = self.summer else { return Vec::new() };
        let year = |at: i64| 1970 + at / 31_556_952;
        let years = year(after) - 1..=year(until) + 1;
        let all = years.flat_map(|year| {
            [(begins.of_year(year) - self.standard, summer), (ends.of_year(year) - summer, self.standard)]
        });
        all.filter(|(at, _)| *at > after && *at <= until).collect()
    }
}

impl Day {
    /// Seconds since the epoch, in local time.
    fn of_year(self, year: i64) -> i64 {
        let month = i64::from(self.month);
        let (first, next) = (days(year, month), if month == 12 { days(year + 1, 1) } else { days(year, month + 1) });
        // 1970-01-01 was a Thursday.
        let weekday = (first + 4).rem_euclid(7);
        let mut day = first + (i64::from(self.weekday) - weekday).rem_euclid(7) + (i64::from(self.week) - 1) * 7;
        while day >= next {
            day -= 7;
        }
        day * 86_400 + self.seconds
    }
}

/// Days from the epoch to the first of a month.
fn days(year: i64, month: i64) -> i64 {
    // March begins the year, so that a leap day ends it.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let (century, of_century) = (year.div_euclid(400), year.rem_euclid(400));
    century * 146_097 + of_century * 365 + of_century / 4 - of_century / 100 + (month * 153 + 2) / 5 - 719_468
}

/// See `core/src/time/zone.rs`.
fn table(zones: &BTreeMap<String, Zone>) -> Vec<u8> {
    let mut rules: Vec<Rule> = zones.values().map(|zone| zone.rule).collect();
    let offsets =
        |zone: &Zone| [zone.first].into_iter().chain(zone.changes.iter().map(|(_, offset)| *offset)).collect();
    let mut all: Vec<i64> = zones.values().flat_map::<Vec<i64>, _>(offsets).collect();
    let mut distinct: Vec<&Zone> = zones.values().collect();
    rules.sort();
    rules.dedup();
    all.sort_unstable();
    all.dedup();
    distinct.sort();
    distinct.dedup();
    let mut out = Vec::new();
    varint(rules.len() as u64, &mut out);
    for rule in &rules {
        zigzag(rule.standard, &mut out);
        out.push(u8::from(rule.summer.is_some()));
        if let Some((summer, begins, ends)) = rule.summer {
            zigzag(summer, &mut out);
            for Day { month, week, weekday, seconds } in [begins, ends] {
                out.extend([month, week, weekday]);
                zigzag(seconds, &mut out);
            }
        }
    }
    varint(all.len() as u64, &mut out);
    all.iter().for_each(|offset| zigzag(*offset, &mut out));
    varint(distinct.len() as u64, &mut out);
    let place = |offset: i64| all.binary_search(&offset).expect("it was collected") as u64;
    for zone in &distinct {
        varint(rules.binary_search(&zone.rule).expect("it was collected") as u64, &mut out);
        varint(place(zone.first), &mut out);
        varint(zone.changes.len() as u64, &mut out);
        let mut last = 0;
        for (at, offset) in &zone.changes {
            let after = (at - last) as u64;
            varint(if after.is_multiple_of(900) { after / 900 * 2 } else { after * 2 + 1 }, &mut out);
            varint(place(*offset), &mut out);
            last = *at;
        }
    }
    varint(zones.len() as u64, &mut out);
    for (name, zone) in zones {
        varint(name.len() as u64, &mut out);
        out.extend(name.as_bytes());
        varint(distinct.binary_search(&zone).expect("it was collected") as u64, &mut out);
    }
    out
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let (summer, begins, ends) = berlin.summer.unwrap();
        assert_eq!((berlin.standard, summer), (3600, 7200));
        assert_eq!((begins.of_year(2023), ends.of_year(2023)), (1_679_792_400 + 3600, 1_698_541_200 + 7200));
        let (spring, autumn) = (1_679_792_400, 1_698_541_200);
        assert_eq!(berlin.changes(spring - 1, autumn), [(spring, 7200), (autumn, 3600)]);
        assert_eq!(berlin.changes(spring, autumn - 1), []);
        assert_eq!(rule("<+0330>-3:30").unwrap(), Rule { standard: 12_600, summer: None });
        assert_eq!(rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0").unwrap().summer.unwrap().1.seconds, -3600);
        assert_eq!(rule("CET-1CEST,J60,J300"), None);
    }

    #[test]
    fn a_cut_file_is_no_zone() {
        assert_eq!(zone(b"TZif2"), None);
        assert_eq!(zone(&[b"TZif2".as_slice(), &[0; 60]].concat()), None);
    }
}
