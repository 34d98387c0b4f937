//! What travels between a server and a replica.
//!
//! The tail is a run of frames:
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 4 | length of what follows, little-endian |
//! | 4 | 1 | kind: 1 points, 2 manifest, 3 clock |
//! | 5 | … | payload |
//!
//! | kind | payload |
//! |---|---|
//! | 1 points | generation of the memtable, 8 bytes little-endian; length of the policy's name, 2 bytes; the name; a batch as in the log |
//! | 2 manifest | see [`Manifest::encode`]: what the tail sends from now on is newer than these files |
//! | 3 clock | the server's now, 8 bytes little-endian nanoseconds; sent when nothing else was for a while |

use crate::catalog::{Named, NewName, Target};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::model::SeriesKey;
use crate::store::tombstone::Tombstone;
use serde_json::{Value, json};

/// Frames larger than this are refused: a batch is bounded by the body limit of a write.
pub const MAX_FRAME: usize = 256 << 20;

/// What is live in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub database: String,
    pub default_policy: String,
    /// In order of creation.
    pub policies: Vec<ManifestPolicy>,
    /// Points of memtables with a lower number are all in files.
    pub first_generation: u64,
    /// What of files is deleted that have not settled it.
    pub tombstones: Vec<Tombstone>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestPolicy {
    pub name: String,
    pub duration: i64,
    pub shard_duration: i64,
    pub replication: u32,
    /// By start.
    pub shards: Vec<ManifestShard>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestShard {
    pub id: u64,
    pub min_time: i64,
    pub max_time: i64,
    /// Oldest first.
    pub files: Vec<ManifestFile>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestFile {
    /// Path below `/sync/file/`; the name holds the content's hash.
    pub name: String,
    pub size: u64,
    /// The number of the last tombstone that left nothing behind in the file.
    pub settled: u64,
}

/// One frame of the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TailFrame<'a> {
    Points { generation: u64, policy: &'a str, batch: &'a [u8] },
    Manifest(Manifest),
    Clock(i64),
}

impl Manifest {
    /// For people and their tools. Times are decimal text: JSON's numbers end at 2^53.
    pub fn to_json(&self) -> String {
        let file = |file: &ManifestFile| json!({ "name": file.name, "size": file.size, "settled": file.settled });
        let shard = |shard: &ManifestShard| {
            json!({
                "id": shard.id,
                "min_time": shard.min_time.to_string(),
                "max_time": shard.max_time.to_string(),
                "files": shard.files.iter().map(file).collect::<Vec<_>>(),
            })
        };
        let policy = |policy: &ManifestPolicy| {
            json!({
                "name": policy.name,
                "duration": policy.duration.to_string(),
                "shard_duration": policy.shard_duration.to_string(),
                "replication": policy.replication,
                "shards": policy.shards.iter().map(shard).collect::<Vec<_>>(),
            })
        };
        json!({
            "database": self.database,
            "default_policy": self.default_policy,
            "first_generation": self.first_generation,
            "policies": self.policies.iter().map(policy).collect::<Vec<_>>(),
            "tombstones": self.tombstones.iter().map(tombstone_json).collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// Appends it as the tail has it. Numbers are varints (signed ones zigzag), texts a length and that many bytes,
    /// lists a count and their items:
    ///
    /// ```text
    /// database, default policy, first generation
    /// policies:   name, signed duration, signed shard duration, replication
    ///   shards:   id, signed min time, signed max time
    ///     files:  name, size, settled
    /// tombstones: as in the store's manifest (`store::tombstone`)
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_text(&self.database, out);
        write_text(&self.default_policy, out);
        varint::write(self.first_generation, out);
        varint::write(self.policies.len() as u64, out);
        for policy in &self.policies {
            write_text(&policy.name, out);
            varint::write_signed(policy.duration, out);
            varint::write_signed(policy.shard_duration, out);
            varint::write(policy.replication.into(), out);
            varint::write(policy.shards.len() as u64, out);
            for shard in &policy.shards {
                varint::write(shard.id, out);
                varint::write_signed(shard.min_time, out);
                varint::write_signed(shard.max_time, out);
                varint::write(shard.files.len() as u64, out);
                for file in &shard.files {
                    write_text(&file.name, out);
                    varint::write(file.size, out);
                    varint::write(file.settled, out);
                }
            }
        }
        varint::write(self.tombstones.len() as u64, out);
        for tombstone in &self.tombstones {
            tombstone.encode(out);
        }
    }

    /// What [`encode`](Self::encode) wrote, and nothing after it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let reader = &mut Reader::new(bytes);
        let mut manifest = Self { database: text(reader)?, default_policy: text(reader)?, ..Self::default() };
        manifest.first_generation = reader.varint(NUMBER)?;
        // A count is only believed item by item: no room is made for what is not there.
        for _ in 0..reader.varint(NUMBER)? {
            let mut policy = ManifestPolicy {
                name: text(reader)?,
                duration: reader.signed(NUMBER)?,
                shard_duration: reader.signed(NUMBER)?,
                replication: u32::try_from(reader.varint(NUMBER)?).map_err(|_| reader.error(NUMBER))?,
                shards: Vec::new(),
            };
            if policy.shard_duration <= 0 {
                return Err(reader.error("shard duration of a manifest is not above zero"));
            }
            for _ in 0..reader.varint(NUMBER)? {
                let mut shard = ManifestShard {
                    id: reader.varint(NUMBER)?,
                    min_time: reader.signed(NUMBER)?,
                    max_time: reader.signed(NUMBER)?,
                    files: Vec::new(),
                };
                for _ in 0..reader.varint(NUMBER)? {
                    let (name, size, settled) = (text(reader)?, reader.varint(NUMBER)?, reader.varint(NUMBER)?);
                    shard.files.push(ManifestFile { name, size, settled });
                }
                policy.shards.push(shard);
            }
            manifest.policies.push(policy);
        }
        for _ in 0..reader.varint(NUMBER)? {
            manifest.tombstones.push(Tombstone::decode(reader)?);
        }
        if reader.remaining() > 0 {
            return Err(reader.error("manifest has something after it"));
        }
        Ok(manifest)
    }
}

const NUMBER: &str = "number of a manifest";

fn write_text(text: &str, out: &mut Vec<u8>) {
    varint::write_bytes(text.as_bytes(), out);
}

fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.text("text of a manifest").map(str::to_owned)
}

fn tombstone_json(tombstone: &Tombstone) -> Value {
    let key = |key: &SeriesKey| String::from_utf8_lossy(key.as_bytes()).into_owned();
    let target = |target: &Target| {
        let series = target.series.as_ref().map(|keys| keys.iter().map(key).collect::<Vec<_>>());
        json!({ "measurement": target.measurement, "series": series })
    };
    json!({
        "number": tombstone.number,
        "min_time": tombstone.range.min.to_string(),
        "max_time": tombstone.range.max.to_string(),
        "targets": tombstone.targets.iter().map(target).collect::<Vec<_>>(),
        "fields": tombstone.fields,
        "rename": tombstone.rename.as_ref().map(renamed),
    })
}

fn renamed(name: &NewName) -> Value {
    let what = match name.what {
        Named::Measurement => "measurement",
        Named::Tag => "tag",
        Named::Field => "field",
    };
    json!({ "what": what, "measurement": name.measurement, "from": name.from, "to": name.to })
}

/// Appends a frame. A policy's name is at most 255 bytes (the catalog checks it).
pub fn write_frame(frame: &TailFrame<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match frame {
        TailFrame::Points { generation, policy, batch } => {
            out.push(1);
            out.extend_from_slice(&generation.to_le_bytes());
            out.extend_from_slice(&(policy.len() as u16).to_le_bytes());
            out.extend_from_slice(policy.as_bytes());
            out.extend_from_slice(batch);
        }
        TailFrame::Manifest(manifest) => {
            out.push(2);
            manifest.encode(out);
        }
        TailFrame::Clock(now) => {
            out.push(3);
            out.extend_from_slice(&now.to_le_bytes());
        }
    }
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// The first whole frame of `bytes` and how many bytes it took; `None` when more bytes are needed.
pub fn read_frame(bytes: &[u8]) -> Result<Option<(TailFrame<'_>, usize)>, DecodeError> {
    let bad = |what| DecodeError { what, offset: 0 };
    let Some((len, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes(*len) as usize;
    if len > MAX_FRAME {
        return Err(bad("tail frame is too long"));
    }
    let Some(body) = rest.get(..len) else { return Ok(None) };
    let (kind, payload) = body.split_first().ok_or_else(|| bad("tail frame is empty"))?;
    let frame = match kind {
        1 => points(payload).ok_or_else(|| bad("tail frame of points is damaged"))?,
        2 => TailFrame::Manifest(Manifest::decode(payload)?),
        3 => {
            let now = payload.try_into().map_err(|_| bad("tail frame holds no clock"))?;
            TailFrame::Clock(i64::from_le_bytes(now))
        }
        _ => return Err(bad("tail frame is of an unknown kind")),
    };
    Ok(Some((frame, 4 + len)))
}

fn points(payload: &[u8]) -> Option<TailFrame<'_>> {
    let (generation, rest) = payload.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (policy, batch) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    Some(TailFrame::Points {
        generation: u64::from_le_bytes(*generation),
        policy: std::str::from_utf8(policy).ok()?,
        batch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TimeRange;

    fn manifest() -> Manifest {
        Manifest {
            database: "d".into(),
            default_policy: "autogen".into(),
            first_generation: 7,
            policies: vec![ManifestPolicy {
                name: "autogen".into(),
                duration: 0,
                shard_duration: 604_800_000_000_000,
                replication: 1,
                shards: vec![ManifestShard {
                    id: 3,
                    min_time: i64::MIN + 2,
                    max_time: 9_007_199_254_740_993,
                    files: vec![ManifestFile { name: "db1/rp1/0/ab.blk".into(), size: 12, settled: 1 }],
                }],
            }],
            tombstones: vec![Tombstone {
                number: 2,
                database: 0,
                range: TimeRange::ALL,
                targets: vec![
                    Target { measurement: "m".into(), series: None },
                    Target { measurement: "n".into(), series: Some(vec![SeriesKey::new("n", &[("a", "\u{1}")])]) },
                ],
                fields: vec!["v".into()],
                rename: None,
            }],
        }
    }

    #[test]
    fn frames_come_back_whole_and_only_whole() {
        let frames = [
            TailFrame::Points { generation: 9, policy: "autogen", batch: b"xyz" },
            TailFrame::Manifest(manifest()),
            TailFrame::Clock(-5),
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            write_frame(frame, &mut bytes);
        }
        let mut rest = &bytes[..];
        for frame in &frames {
            let (read, used) = read_frame(rest).unwrap().unwrap();
            assert_eq!(&read, frame);
            assert_eq!(read_frame(&rest[..used - 1]), Ok(None));
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_cut_or_grown_manifest_is_refused_and_a_flipped_one_does_no_harm() {
        let mut bytes = Vec::new();
        manifest().encode(&mut bytes);
        assert_eq!(Manifest::decode(&bytes), Ok(manifest()));
        for end in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_ne!(Manifest::decode(&flipped), Ok(manifest()), "bit {at}");
        }
        bytes.push(0);
        assert!(Manifest::decode(&bytes).is_err());
    }

    #[test]
    fn the_manifest_for_people_is_json() {
        let read: Value = serde_json::from_str(&manifest().to_json()).unwrap();
        assert_eq!(read["policies"][0]["shards"][0]["max_time"], "9007199254740993");
        assert_eq!(read["tombstones"][0]["targets"][0]["measurement"], "m");
    }

    #[test]
    fn rubbish_is_refused() {
        for bytes in [&b"\0\0\0\0"[..], b"\x01\0\0\0\x09", b"\x02\0\0\0\x01\0", b"\x02\0\0\0\x02{", b"\xff\xff\xff\xff"]
        {
            assert!(read_frame(bytes).is_err(), "{bytes:?}");
        }
    }
}
