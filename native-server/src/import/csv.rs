//! CSV rows as line protocol.
//!
//! The first row names the columns. One column is the time, some are tags, all others are fields; what a field's column
//! holds is told by its values: `true`/`false`, numbers, else text. Empty cells are left out.

use isopoint_core::time::{Civil, NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_SEC, parse_rfc3339};
use std::io::Read;

/// How columns become points.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "CSV")]
pub(crate) struct Mapping {
    /// Measurement of every row [default: the file's name]
    #[arg(long, value_name = "NAME")]
    pub measurement: Option<String>,
    /// Column that holds the time [default: the first of time, timestamp, date, datetime]
    #[arg(long, value_name = "COLUMN")]
    pub time_column: Option<String>,
    /// How the time is written [default: told by the first row]
    #[arg(long, value_name = "FORMAT")]
    pub time_format: Option<TimeFormat>,
    /// Columns that are tags, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    pub tags: Vec<String>,
    /// Columns that are fields, separated by commas [default: all others]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    pub fields: Vec<String>,
    /// Columns that stay text although they look like numbers
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    pub text: Vec<String>,
    /// Tags to add to every row, as key=value, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "KEY=VALUE,…")]
    pub with_tag: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TimeFormat {
    /// 2023-03-01T00:00:00Z
    Rfc3339,
    /// 2023-03-01 or 2023-03-01 00:00:00 or 2023-03-01T00:00:00, in UTC; / for - is read too
    Civil,
    /// Jan 1 2000
    MonthDayYear,
    UnixS,
    UnixMs,
    UnixUs,
    UnixNs,
}

/// Rows as lines.
pub(crate) struct Lines {
    reader: csv::Reader<Box<dyn Read>>,
    record: csv::StringRecord,
    /// Escaped measurement and fixed tags, with the comma or blank that follows left out.
    prefix: String,
    time: usize,
    format: Option<TimeFormat>,
    tags: Vec<(usize, String)>,
    fields: Vec<Field>,
}

struct Field {
    column: usize,
    name: String,
    text: bool,
}

impl Lines {
    pub(crate) fn new(reader: Box<dyn Read>, mapping: &Mapping, stem: &str) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
        let header = reader.headers().map_err(|error| error.to_string())?.clone();
        let find = |name: &str| {
            header.iter().position(|column| column == name).ok_or_else(|| {
                format!("there is no column {name:?}; the file has {}", header.iter().collect::<Vec<_>>().join(", "))
            })
        };
        let time = match &mapping.time_column {
            Some(name) => find(name)?,
            None => ["time", "timestamp", "date", "datetime"]
                .iter()
                .find_map(|name| header.iter().position(|column| column.eq_ignore_ascii_case(name)))
                .ok_or("which column is the time? Say it with --time-column")?,
        };
        let mut tags = mapping
            .tags
            .iter()
            .map(|name| Ok((find(name)?, escape(name, ",= "))))
            .collect::<Result<Vec<_>, String>>()?;
        tags.sort_by(|left, right| left.1.cmp(&right.1));
        let chosen = match mapping.fields.is_empty() {
            true => {
                (0..header.len()).filter(|column| *column != time && tags.iter().all(|tag| tag.0 != *column)).collect()
            }
            false => mapping.fields.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()?,
        };
        let fields = chosen
            .into_iter()
            .map(|column| Field {
                column,
                name: escape(&header[column], ",= "),
                text: mapping.text.iter().any(|name| *name == header[column]),
            })
            .collect();
        let mut prefix = escape(mapping.measurement.as_deref().unwrap_or(stem), ", ");
        for tag in &mapping.with_tag {
            let (key, value) = tag.split_once('=').ok_or_else(|| format!("--with-tag takes key=value, not {tag:?}"))?;
            prefix.push_str(&format!(",{}={}", escape(key, ",= "), escape(value, ",= ")));
        }
        Ok(Self { reader, record: csv::StringRecord::new(), prefix, time, format: mapping.time_format, tags, fields })
    }

    /// Appends lines until `body` is about `size` long or the file ends; gives how many.
    pub(crate) fn fill(&mut self, body: &mut Vec<u8>, size: usize) -> Result<u64, String> {
        let mut lines = 0;
        while body.len() < size {
            if !self.reader.read_record(&mut self.record).map_err(|error| error.to_string())? {
                break;
            }
            let start = body.len();
            if self.line(body)? {
                lines += 1;
            } else {
                body.truncate(start);
            }
        }
        Ok(lines)
    }

    /// Whether the row has a field at all.
    fn line(&mut self, body: &mut Vec<u8>) -> Result<bool, String> {
        let row = self.record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| self.record.get(column).unwrap_or_default();
        let text = cell(self.time);
        let format = match self.format {
            Some(format) => format,
            None => *self.format.insert(
                TimeFormat::told_by(text)
                    .ok_or_else(|| format!("line {row}: {text:?} is no time I know; see --time-format"))?,
            ),
        };
        let time =
            format.read(text).ok_or_else(|| format!("line {row}: {text:?} is not a time of the format {format:?}"))?;
        body.extend_from_slice(self.prefix.as_bytes());
        for (column, name) in &self.tags {
            let value = cell(*column);
            if !value.is_empty() {
                body.extend_from_slice(format!(",{name}={}", escape(value, ",= ")).as_bytes());
            }
        }
        let mut separator = b' ';
        for field in &self.fields {
            let value = cell(field.column);
            if value.is_empty() {
                continue;
            }
            body.push(separator);
            separator = b',';
            body.extend_from_slice(field.name.as_bytes());
            body.push(b'=');
            if !field.text && (is_number(value) || matches!(value, "true" | "false")) {
                body.extend_from_slice(value.as_bytes());
            } else {
                body.push(b'"');
                body.extend_from_slice(value.replace('\\', "\\\\").replace('"', "\\\"").as_bytes());
                body.push(b'"');
            }
        }
        body.extend_from_slice(format!(" {time}\n").as_bytes());
        Ok(separator == b',')
    }
}

impl TimeFormat {
    fn told_by(text: &str) -> Option<Self> {
        let number = text.parse::<i64>().ok().map(|_| match text.trim_start_matches('-').len() {
            0..=11 => Self::UnixS,
            12..=14 => Self::UnixMs,
            15..=17 => Self::UnixUs,
            _ => Self::UnixNs,
        });
        number.or_else(|| {
            [Self::Rfc3339, Self::Civil, Self::MonthDayYear].into_iter().find(|format| format.read(text).is_some())
        })
    }

    /// Nanoseconds since the epoch.
    fn read(self, text: &str) -> Option<i64> {
        let scaled = |unit: i64| text.parse::<i64>().ok()?.checked_mul(unit);
        match self {
            Self::Rfc3339 => parse_rfc3339(text).map(|(nanos, _)| nanos),
            Self::UnixS => scaled(NANOS_PER_SEC),
            Self::UnixMs => scaled(NANOS_PER_MILLI),
            Self::UnixUs => scaled(NANOS_PER_MICRO),
            Self::UnixNs => scaled(1),
            Self::Civil => {
                let text = text.replace('/', "-").replacen(' ', "T", 1);
                let full = match text.len() {
                    10 => format!("{text}T00:00:00Z"),
                    16 => format!("{text}:00Z"),
                    _ => format!("{text}Z"),
                };
                parse_rfc3339(&full).map(|(nanos, _)| nanos)
            }
            Self::MonthDayYear => {
                let mut parts = text.split_whitespace();
                let name = parts.next()?;
                const MONTHS: [&str; 12] =
                    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
                let month = MONTHS.iter().position(|month| name.starts_with(month))? as u32 + 1;
                let day = parts.next()?.trim_end_matches(',').parse().ok().filter(|day| (1..=31).contains(day))?;
                let year = parts.next()?.parse().ok()?;
                Civil { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0 }.to_nanos()
            }
        }
    }
}

/// A float in line protocol's own form.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn escape(text: &str, special: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if special.contains(letter) {
            out.push('\\');
        }
        // Line protocol has no way to write one in a name.
        out.push(if letter == '\n' { ' ' } else { letter });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(csv: &'static str, mapping: &Mapping) -> Result<String, String> {
        let mut lines = Lines::new(Box::new(csv.as_bytes()), mapping, "weather")?;
        let mut body = Vec::new();
        lines.fill(&mut body, 1 << 20)?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn rows_become_lines() {
        let mapping = Mapping { tags: vec!["location".into()], ..Mapping::default() };
        let csv = "location,date,rain,sky\nNew York,2012-01-01,0.5,\"drizzle, \"\"light\"\"\"\nOslo,2012-01-02,,\n,2012-01-03,1,fog\n";
        let expected = "weather,location=New\\ York rain=0.5,sky=\"drizzle, \\\"light\\\"\" 1325376000000000000\n\
                        weather rain=1,sky=\"fog\" 1325548800000000000\n";
        assert_eq!(lines(csv, &mapping).unwrap(), expected);
    }

    #[test]
    fn times_are_told_apart() {
        for (text, nanos) in [
            ("2000-01-01", 946_684_800_000_000_000),
            ("2000/01/01 00:00", 946_684_800_000_000_000),
            ("2000-01-01T00:00:00", 946_684_800_000_000_000),
            ("2000-01-01T01:00:00+01:00", 946_684_800_000_000_000),
            ("Jan 1 2000", 946_684_800_000_000_000),
            ("946684800", 946_684_800_000_000_000),
            ("946684800000", 946_684_800_000_000_000),
        ] {
            assert_eq!(TimeFormat::told_by(text).unwrap().read(text), Some(nanos), "{text}");
        }
        assert_eq!(TimeFormat::told_by("yesterday"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let missing = Mapping { time_column: Some("when".into()), ..Mapping::default() };
        assert!(lines("date,x\n", &missing).unwrap_err().contains("\"when\"; the file has date, x"));
        assert!(lines("date,x\nsoon,1\n", &Mapping::default()).unwrap_err().contains("line 2: \"soon\""));
    }
}
