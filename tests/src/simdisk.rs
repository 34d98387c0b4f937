//! A disk that forgets and lies as real ones do, and the small random source that decides when.

use bytes::Bytes;
use isopoint_core::store::{Action, ByteRange, Event, FileName};
use std::collections::BTreeMap;

/// SplitMix64: the same numbers for the same seed.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Below `bound`; 0 for 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound.max(1) as u64) as usize
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What goes wrong with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// It fails, perhaps after doing some of it, or all.
    Fail,
    /// The program or the machine stops in the middle; some of it is done, or all.
    Stop,
}

/// Files as the program sees them, and as they would be found after the power went.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    files: BTreeMap<FileName, SimFile>,
    /// No room: whatever needs some fails.
    pub full: bool,
}

#[derive(Clone, Debug, Default)]
struct SimFile {
    /// `None`: deleted, or not there.
    live: Option<Vec<u8>>,
    /// `None`: not durably there.
    durable: Option<Vec<u8>>,
}

impl SimDisk {
    /// Does an action that is neither `Run` nor `Ack`.
    pub fn act(&mut self, action: &Action, fault: Fault, random: &mut Random) -> Event {
        let fault = match action {
            Action::Append { .. } | Action::Put { .. } if self.full && fault == Fault::None => Fault::Fail,
            _ => fault,
        };
        let good = fault == Fault::None;
        let id = match action {
            Action::Append { id, file, bytes } => {
                let len = if good { bytes.len() } else { random.below(bytes.len() + 1) };
                let file = self.files.entry(file.clone()).or_default();
                if len > 0 || good || random.percent(50) {
                    file.live.get_or_insert_default().extend(&bytes[..len]);
                }
                *id
            }
            Action::Sync { id, file } => {
                if let Some(file) = self.files.get_mut(file)
                    && (good || random.percent(50))
                {
                    file.durable.clone_from(&file.live);
                }
                *id
            }
            Action::Truncate { id, file, len } => {
                if let Some(file) = self.files.get_mut(file)
                    && (good || random.percent(50))
                {
                    let len = usize::try_from(*len).expect("a file in memory");
                    for bytes in file.live.iter_mut().chain(&mut file.durable) {
                        bytes.truncate(len);
                    }
                }
                *id
            }
            Action::Put { id, file, bytes } => {
                if good || random.percent(30) {
                    let bytes = Some(bytes.to_vec());
                    self.files.insert(file.clone(), SimFile { live: bytes.clone(), durable: bytes });
                } else {
                    let part = Some(bytes[..random.below(bytes.len() + 1)].to_vec());
                    let name = FileName::new(format!("{file}.tmp"));
                    self.files.insert(name, SimFile { live: part.clone(), durable: part });
                }
                *id
            }
            Action::Delete { id, file } => {
                if let Some(file) = self.files.get_mut(file)
                    && (good || random.percent(50))
                {
                    file.live = None;
                }
                *id
            }
            Action::Rename { id, from, to } => {
                if good || random.percent(30) {
                    let bytes = self.files.remove(from).and_then(|file| file.live);
                    self.files.insert(to.clone(), SimFile { live: bytes.clone(), durable: bytes });
                }
                *id
            }
            Action::Run { .. } | Action::Ack { .. } | Action::Publish { .. } | Action::PublishDelete { .. } => {
                unreachable!("not the disk's")
            }
        };
        if good { Event::Done(id) } else { Event::Failed(id, "No space left on device".into()) }
    }

    /// The machine stops: what was not synced is lost, kept, cut or garbled, as it comes.
    pub fn lose_power(&mut self, random: &mut Random) {
        for file in self.files.values_mut() {
            let found = match (file.durable.take(), file.live.take()) {
                (durable, live) if durable == live => live,
                // Deleted, but perhaps not for good.
                (durable, None) => durable.filter(|_| random.percent(50)),
                (None, Some(live)) => random.percent(60).then(|| garble(0, live, random)),
                (Some(durable), Some(live)) => Some(garble(durable.len(), live, random)),
            };
            file.live.clone_from(&found);
            file.durable = found;
        }
        self.files.retain(|_, file| file.live.is_some());
    }

    /// Every file the program sees, with its length.
    pub fn list(&self) -> Vec<(FileName, u64)> {
        let live = |(name, file): (&FileName, &SimFile)| Some((name.clone(), file.live.as_ref()?.len() as u64));
        self.files.iter().filter_map(live).collect()
    }

    pub fn read(&self, range: &ByteRange) -> Bytes {
        let start = usize::try_from(range.offset).expect("a file in memory");
        let live = self.files.get(&range.file).and_then(|file| file.live.as_ref());
        let live = live.unwrap_or_else(|| panic!("{} is read but not there", range.file));
        Bytes::copy_from_slice(&live[start..start + range.len as usize])
    }
}

/// What is found of a file whose first `durable` bytes are safe.
fn garble(durable: usize, mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let tail = bytes.len().saturating_sub(durable);
    match random.below(4) {
        0 => bytes.truncate(durable),
        1 => bytes.truncate(durable + random.below(tail + 1)),
        2 if tail > 0 => {
            let at = durable + random.below(tail);
            bytes[at] ^= 1 << random.below(8);
        }
        3 if tail > 0 => {
            // A page that was allocated and never written.
            let at = durable + random.below(tail);
            let end = (at + random.below(64)).min(bytes.len());
            bytes[at..end].fill(0);
        }
        _ => {}
    }
    bytes
}
