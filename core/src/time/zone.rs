//! Time zones by their IANA names: offsets from UTC, and when they change.
//!
//! The table is our own, 58 KB (13 KB packed) in every build, so that a server and a page agree on every instant without
//! asking their systems: the zones of IANA's release 2025b from 1970 on. `cargo xtask zones` makes it from compiled
//! `zoneinfo` files and leaves out what a zone's rule for the future says as well. Before 1970 a zone keeps the offset it
//! had then.
//!
//! ```text
//! table   = rules offsets zones names                each: a count, then so many
//! rule    = standard(zigzag) 0                       seconds east of UTC
//!         | standard(zigzag) 1 summer(zigzag) begins ends
//! begins  = month(u8) week(u8) weekday(u8) seconds(zigzag)      week 5: the last; seconds after local midnight
//! offset  = zigzag
//! zone    = rule(varint) first-offset(varint) count(varint) change*
//! change  = after(varint) offset(varint)             after: since the change before, or 1970; odd: seconds × 2 + 1,
//!                                                    even: quarters of an hour × 2
//! name    = length(varint) bytes zone(varint)        sorted
//! ```

use super::{NANOS_PER_SEC, civil_from_days, days_from_civil};
use std::sync::OnceLock;

static TABLE: &[u8] = include_bytes!("zones.bin");

const SECS_PER_DAY: i64 = 86_400;

/// A zone. Offsets are seconds east of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    first: i32,
    /// When, in seconds since the epoch, and the offset from there on. Ascending.
    changes: Vec<(i64, i32)>,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    standard: i32,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summer {
    offset: i32,
    begins: Day,
    ends: Day,
}

/// A weekday of a month, and seconds after its local midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Day {
    month: u8,
    week: u8,
    weekday: u8,
    seconds: i32,
}

impl Day {
    /// Seconds since the epoch, in local time.
    fn of_year(self, year: i64) -> i64 {
        let first = days_from_civil(year, self.month.into(), 1);
        // 1970-01-01 was a Thursday.
        let weekday = (first + 4).rem_euclid(7);
        let mut day = first + (i64::from(self.weekday) - weekday).rem_euclid(7) + (i64::from(self.week) - 1) * 7;
        while civil_from_days(day).1 != u32::from(self.month) {
            day -= 7;
        }
        day * SECS_PER_DAY + i64::from(self.seconds)
    }
}

impl Zone {
    /// `None` when there is no zone of that name.
    pub fn named(name: &str) -> Option<Self> {
        Places::of_table().find(name)
    }

    /// The offset at an instant in nanoseconds.
    pub fn offset(&self, nanos: i64) -> i32 {
        let secs = nanos.div_euclid(NANOS_PER_SEC);
        match self.changes.partition_point(|(at, _)| *at <= secs) {
            0 if !self.changes.is_empty() => self.first,
            at if at < self.changes.len() => self.changes[at - 1].1,
            _ => self.by_rule(secs),
        }
    }

    fn by_rule(&self, secs: i64) -> i32 {
        let last = self.changes.last();
        let before = last.map_or(self.first, |(_, offset)| *offset);
        let Rule { standard, summer: Some(summer) } = self.rule else {
            return if last.is_some() { before } else { self.rule.standard };
        };
        let (year, _, _) = civil_from_days((secs + i64::from(standard)).div_euclid(SECS_PER_DAY));
        let mut found: Option<(i64, i32)> = None;
        for year in year - 1..=year + 1 {
            let begins = (summer.begins.of_year(year) - i64::from(standard), summer.offset);
            let ends = (summer.ends.of_year(year) - i64::from(summer.offset), standard);
            for change in [begins, ends] {
                if change.0 <= secs && found.is_none_or(|(at, _)| at <= change.0) {
                    found = Some(change);
                }
            }
        }
        // What the rule says of times before the last change does not hold.
        match found.filter(|(at, _)| last.map_or(*at >= 0, |(last, _)| at > last)) {
            Some((_, offset)) => offset,
            None => before,
        }
    }

    /// The instant of a local time, given as nanoseconds as if it were UTC. One that comes twice is the earlier; one
    /// that is skipped is read with the offset before.
    pub fn to_utc(&self, local: i128) -> i128 {
        let at = |secs: i32| local - i128::from(secs) * i128::from(NANOS_PER_SEC);
        let clamp = |nanos: i128| nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let around = self.offset(clamp(at(0) - i128::from(SECS_PER_DAY * NANOS_PER_SEC)));
        if self.offset(clamp(at(around))) == around {
            return at(around);
        }
        let later = self.offset(clamp(at(0) + i128::from(SECS_PER_DAY * NANOS_PER_SEC)));
        if self.offset(clamp(at(later))) == later { at(later) } else { at(around) }
    }
}

/// Reads the table, which is known to be sound.
struct Reader {
    left: &'static [u8],
}

/// Where in the table things lie: found once, since the way to a zone leads through all before it.
struct Places {
    rules: Vec<Rule>,
    offsets: Vec<i32>,
    /// Where each zone begins.
    zones: Vec<Reader>,
    /// Sorted, with the number of the zone.
    names: Vec<(&'static [u8], usize)>,
}

impl Places {
    fn of_table() -> &'static Self {
        static PLACES: OnceLock<Places> = OnceLock::new();
        PLACES.get_or_init(|| Self::read(Reader { left: TABLE }))
    }

    fn read(mut reader: Reader) -> Self {
        let rules: Vec<Rule> = (0..reader.varint()).map(|_| reader.rule()).collect();
        let offsets: Vec<i32> = (0..reader.varint()).map(|_| reader.zigzag()).collect();
        let count = reader.varint();
        let zone = |_| {
            let place = Reader { left: reader.left };
            reader.zone(&rules, &offsets);
            place
        };
        let zones = (0..count).map(zone).collect();
        let count = reader.varint();
        let names = (0..count).map(|_| (reader.text(), reader.varint() as usize)).collect();
        Self { rules, offsets, zones, names }
    }

    fn find(&self, name: &str) -> Option<Zone> {
        let at = self.names.binary_search_by(|(known, _)| (*known).cmp(name.as_bytes())).ok()?;
        let Reader { left } = self.zones[self.names[at].1];
        Some(Reader { left }.zone(&self.rules, &self.offsets))
    }
}

impl Reader {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.left.split_first().expect("the table ends where its counts say");
        self.left = rest;
        *first
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return value;
            }
        }
    }

    fn text(&mut self) -> &'static [u8] {
        let len = self.varint() as usize;
        let (text, rest) = self.left.split_at(len);
        self.left = rest;
        text
    }

    fn zigzag(&mut self) -> i32 {
        let value = self.varint();
        (value >> 1) as i32 ^ -((value & 1) as i32)
    }

    fn day(&mut self) -> Day {
        Day { month: self.byte(), week: self.byte(), weekday: self.byte(), seconds: self.zigzag() }
    }

    fn rule(&mut self) -> Rule {
        let standard = self.zigzag();
        let summer = match self.byte() {
            0 => None,
            _ => Some(Summer { offset: self.zigzag(), begins: self.day(), ends: self.day() }),
        };
        Rule { standard, summer }
    }

    fn zone(&mut self, rules: &[Rule], offsets: &[i32]) -> Zone {
        let rule = rules[self.varint() as usize];
        let first = offsets[self.varint() as usize];
        let (mut changes, mut at) = (Vec::new(), 0);
        for _ in 0..self.varint() {
            let after = self.varint();
            at += if after & 1 == 1 { after >> 1 } else { (after >> 1) * 900 } as i64;
            changes.push((at, offsets[self.varint() as usize]));
        }
        Zone { first, changes, rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_the_table_is_found() {
        let names = &Places::of_table().names;
        assert!(names.len() > 400 && names.is_sorted(), "{}", names.len());
        for (name, _) in names {
            let name = std::str::from_utf8(name).unwrap();
            assert!(Zone::named(name).is_some(), "{name}");
        }
        assert_eq!(Zone::named("Europe/Atlantis"), None);
    }

    #[test]
    fn offsets_are_those_of_the_zone() {
        let check = |name: &str, secs: i64, hours: f64| {
            let zone = Zone::named(name).unwrap();
            assert_eq!(f64::from(zone.offset(secs * NANOS_PER_SEC)) / 3600.0, hours, "{name} {secs}");
        };
        check("Europe/Berlin", 1_679_792_399, 1.0);
        check("Europe/Berlin", 1_679_792_400, 2.0);
        check("Europe/Berlin", 1_698_541_199, 2.0);
        check("Europe/Berlin", 1_698_541_200, 1.0);
        check("Europe/Berlin", 4_118_000_000, 2.0);
        check("Europe/London", 0, 1.0);
        check("America/New_York", 0, -5.0);
        check("Asia/Kolkata", 1_679_788_800, 5.5);
        check("Asia/Tokyo", 1_679_788_800, 9.0);
        check("Australia/Lord_Howe", 1_704_067_200, 11.0);
        check("Australia/Lord_Howe", 1_719_792_000, 10.5);
        check("America/Sao_Paulo", 1_550_000_000, -2.0);
        check("America/Sao_Paulo", 1_700_000_000, -3.0);
        // No summer time from 2015 to 2022, though the rule of today has one.
        check("Africa/Cairo", 1_530_403_200, 2.0);
        check("Africa/Cairo", 1_688_169_600, 3.0);
        check("America/Grand_Turk", 1_450_000_000, -4.0);
        check("UTC", 5, 0.0);
        assert_eq!(Zone::named("Mars/Base"), None);
        assert_eq!(Zone::named("europe/berlin"), None);
    }

    #[test]
    fn local_times_become_instants() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let check = |local: i64, expected: i64| {
            let nanos = i128::from(NANOS_PER_SEC);
            assert_eq!(berlin.to_utc(i128::from(local) * nanos), i128::from(expected) * nanos, "{local}");
        };
        check(1_679_792_400 + 7_200, 1_679_792_400);
        check(1_679_788_800 + 3_600, 1_679_788_800);
        // 02:30 on the night that has none, and on the night that has two.
        check(1_679_797_800, 1_679_794_200);
        check(1_698_546_600, 1_698_539_400);
    }
}
