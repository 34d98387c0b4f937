//! Memory maps of block files, the one place with unsafe code.

use bytes::Bytes;
use std::fs::File;
use std::io;

/// The bytes of a whole file, mapped. An empty file is no bytes.
#[allow(unsafe_code, reason = "memmap2's only way; see the safety comment")]
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: a mapping is undefined behaviour only if the file is changed or cut while mapped. Block files are written
    // under a temporary name, synced and then renamed; nothing writes to one afterwards, and deleting one leaves its
    // pages until the map goes. The folder's lock keeps other servers out. A person who edits a live data folder by
    // hand can still break this; the engine checks every block's checksum before it believes it.
    let map = unsafe { memmap2::Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
