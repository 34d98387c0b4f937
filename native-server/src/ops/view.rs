//! A folder as it stands, opened to be read: nothing in it is changed, and nobody is kept from it.

use super::Failure;
use crate::host::{clock, files::Files};
use bytes::Bytes;
use isopoint_core::store::{
    ByteRange, FileName, Recovery, RecoveryReport, RecoveryStep, Snapshot, Store, StoreConfig, StoreError,
};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How often a folder that changes under the reader is listed again.
const TRIES: usize = 50;

/// Files and their lengths at one moment.
pub(super) type Listing = Vec<(FileName, u64)>;

pub(super) struct View {
    pub(super) files: Files,
    pub(super) listing: Listing,
    pub(super) snapshot: Snapshot,
    pub(super) report: RecoveryReport,
    /// The store behind the snapshot; what it asks for is left undone.
    _store: Box<Store>,
}

/// Why a folder could not be opened.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(io::Error),
    Store(StoreError),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

impl View {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        consistent(path, |files, listing| {
            let (mut store, report) = recover(listing, |range| files.read_grown(range))?;
            let snapshot = store.snapshot();
            Ok(Self { files: Files::new(path), listing: listing.clone(), snapshot, report, _store: store })
        })?
        .map_err(|error| Failure::folder(format!("{shown}: {error}; `isopoint repair` says what can be saved")))
    }
}

/// Gives `read` a listing that stood still, again while a server changes the folder under it. `Err` outside: there is
/// no data folder; inside: what `read` met at last.
pub(super) fn consistent<T>(
    path: &Path,
    mut read: impl FnMut(&Files, &Listing) -> Result<T, Unreadable>,
) -> Result<Result<T, Unreadable>, Failure> {
    let no_folder = |why: String| Failure::folder(format!("{} is no data folder: {why}", path.display()));
    let list = || Files::new(path).list();
    let mut last = Err(Unreadable::Io(io::Error::other("it changes all the time; try again when less is written")));
    for attempt in 0..TRIES {
        let listing = list().map_err(|error| no_folder(error.to_string()))?;
        if !listing.iter().any(|(file, _)| *file == FileName::version()) {
            return Err(no_folder("it has no VERSION".into()));
        }
        // A segment that another has followed grows no more: once a listing repeats, its lengths are those of one moment.
        if settled(&listing, &list().map_err(|error| no_folder(error.to_string()))?) {
            match read(&Files::new(path), &listing) {
                Ok(read) => return Ok(Ok(read)),
                Err(error) => last = Err(error),
            }
            // What failed is there to stay when the folder is as it was.
            if list().is_ok_and(|now| now == listing) {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(10 * attempt.min(10) as u64));
    }
    Ok(last)
}

/// Whether nothing but the end of the last segment changed from one listing to the next.
fn settled(before: &Listing, after: &Listing) -> bool {
    let last = before.iter().filter_map(|(file, _)| file.as_wal()).max();
    before.len() == after.len()
        && before.iter().zip(after).all(|((file, len), (again, now))| {
            file == again && (len == now || file.as_wal().is_some() && file.as_wal() == last)
        })
}

/// Opens the store of a listing.
pub(super) fn recover(
    listing: &Listing,
    mut read: impl FnMut(&ByteRange) -> io::Result<Bytes>,
) -> Result<(Box<Store>, RecoveryReport), Unreadable> {
    let mut recovery = Recovery::new(StoreConfig::default(), clock::now(), listing.iter().cloned());
    loop {
        match recovery.step().map_err(Unreadable::Store)? {
            RecoveryStep::Need(ranges) => {
                let bytes = ranges.iter().map(&mut read).collect::<io::Result<Vec<_>>>().map_err(Unreadable::Io)?;
                recovery.supply(bytes);
            }
            RecoveryStep::Done(store, report) => return Ok((store, report)),
        }
    }
}

/// The manifest of a listing: its name and its bytes as long as the listing says.
pub(super) fn manifest(files: &Files, listing: &Listing) -> Result<(FileName, u64, Bytes), Unreadable> {
    let newest = listing.iter().filter_map(|(file, len)| Some((file.as_manifest()?, file, *len))).max();
    let Some((number, file, len)) = newest else {
        return Err(Unreadable::Store(StoreError::Missing { file: FileName::manifest(1).to_string() }));
    };
    let range = ByteRange { file: file.clone(), offset: 0, len: u32::try_from(len).unwrap_or(u32::MAX) };
    Ok((file.clone(), number, files.read_grown(&range).map_err(Unreadable::Io)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_segment_may_grow() {
        let list = |lens: [u64; 3]| {
            let names = [FileName::manifest(1), FileName::wal(1), FileName::wal(2)];
            names.into_iter().zip(lens).collect::<Listing>()
        };
        assert!(settled(&list([1, 2, 3]), &list([1, 2, 9])));
        assert!(!settled(&list([1, 2, 3]), &list([1, 3, 3])));
        assert!(!settled(&list([1, 2, 3]), &list([2, 2, 3])));
        assert!(!settled(&list([1, 2, 3]), &list([1, 2, 3])[..2].to_vec()));
    }
}
