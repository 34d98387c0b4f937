//! A command as it lies in the log.
//!
//! ```text
//! u8 kind   1 create database   text name, u8 has policy, [options]
//!           2 drop database     text name
//!           3 create policy     text database, text name, options, u8 default
//!           4 alter policy      text database, text name, changes, u8 default
//!           5 drop policy       text database, text name
//!           6 documents         text space, varint revision, varint changes, each: text key, u8 put, [bytes]
//!           7 delete            see `delete`
//!           8 drop shard        varint id
//!           9 delete fields     as 7, then varint fields, texts
//!          10 rename            text database, see `rename`
//! options   u8 has name, [text]; changes
//! changes   duration, replication, shard duration, each: u8 given, [varint]
//! ```

use super::delete::Delete;
use super::documents::DocumentChanges;
use super::rename::{NewName, Rename};
use super::{Command, PolicyChanges, PolicyOptions};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};

impl Command {
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = |text: &str, out: &mut Vec<u8>| varint::write_bytes(text.as_bytes(), out);
        match self {
            Self::CreateDatabase { name, policy } => {
                out.push(1);
                text(name, out);
                out.push(u8::from(policy.is_some()));
                if let Some(options) = policy {
                    encode_options(options, out);
                }
            }
            Self::DropDatabase { name } => {
                out.push(2);
                text(name, out);
            }
            Self::CreatePolicy { database, name, options, default } => {
                out.push(3);
                text(database, out);
                text(name, out);
                encode_options(options, out);
                out.push(u8::from(*default));
            }
            Self::AlterPolicy { database, name, changes, default } => {
                out.push(4);
                text(database, out);
                text(name, out);
                encode_changes(changes.duration, changes.replication, changes.shard_duration, out);
                out.push(u8::from(*default));
            }
            Self::DropPolicy { database, name } => {
                out.push(5);
                text(database, out);
                text(name, out);
            }
            Self::Documents(changes) => {
                out.push(6);
                changes.encode(out);
            }
            Self::Delete(delete) => {
                out.push(if delete.fields.is_empty() { 7 } else { 9 });
                delete.encode(out);
            }
            Self::Rename(rename) => {
                out.push(10);
                text(&rename.database, out);
                rename.name.encode(out);
            }
            Self::DropShard { id } => {
                out.push(8);
                varint::write(*id, out);
            }
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = reader.byte("command")?;
        let text = |reader: &mut Reader<'_>| reader.text("name").map(str::to_owned);
        Ok(match kind {
            1 => {
                let name = text(reader)?;
                let policy = if decode_flag(reader)? { Some(decode_options(reader)?) } else { None };
                Self::CreateDatabase { name, policy }
            }
            2 => Self::DropDatabase { name: text(reader)? },
            3 => Self::CreatePolicy {
                database: text(reader)?,
                name: text(reader)?,
                options: decode_options(reader)?,
                default: decode_flag(reader)?,
            },
            4 => {
                let (database, name) = (text(reader)?, text(reader)?);
                let (duration, replication, shard_duration) = decode_changes(reader)?;
                let changes = PolicyChanges { duration, replication, shard_duration };
                Self::AlterPolicy { database, name, changes, default: decode_flag(reader)? }
            }
            5 => Self::DropPolicy { database: text(reader)?, name: text(reader)? },
            6 => Self::Documents(DocumentChanges::decode(reader)?),
            7 => Self::Delete(Delete::decode(reader, false)?),
            9 => Self::Delete(Delete::decode(reader, true)?),
            10 => Self::Rename(Rename { database: text(reader)?, name: NewName::decode(reader)? }),
            8 => Self::DropShard { id: reader.varint("shard id")? },
            _ => return Err(reader.error("unknown command")),
        })
    }
}

fn encode_options(options: &PolicyOptions, out: &mut Vec<u8>) {
    out.push(u8::from(options.name.is_some()));
    if let Some(name) = &options.name {
        varint::write_bytes(name.as_bytes(), out);
    }
    encode_changes(options.duration, options.replication, options.shard_duration, out);
}

fn decode_options(reader: &mut Reader<'_>) -> Result<PolicyOptions, DecodeError> {
    let name = if decode_flag(reader)? { Some(reader.text("name")?.to_owned()) } else { None };
    let (duration, replication, shard_duration) = decode_changes(reader)?;
    Ok(PolicyOptions { name, duration, replication, shard_duration })
}

fn encode_changes(duration: Option<i64>, replication: Option<u32>, shard_duration: Option<i64>, out: &mut Vec<u8>) {
    for value in [duration, replication.map(i64::from), shard_duration] {
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            varint::write_signed(value, out);
        }
    }
}

fn decode_changes(reader: &mut Reader<'_>) -> Result<(Option<i64>, Option<u32>, Option<i64>), DecodeError> {
    let mut next = || -> Result<Option<i64>, DecodeError> {
        if decode_flag(reader)? { reader.signed("number").map(Some) } else { Ok(None) }
    };
    let (duration, replication, shard_duration) = (next()?, next()?, next()?);
    let replication = match replication.map(u32::try_from) {
        None => None,
        Some(Ok(replication)) => Some(replication),
        Some(Err(_)) => return Err(reader.error("replication out of range")),
    };
    Ok((duration, replication, shard_duration))
}

fn decode_flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.byte("flag")? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.error("flag neither 0 nor 1")),
    }
}
