//! Memory: mimalloc. Queries ask for many small pieces on several threads, for which the C library's allocator, musl's
//! above all, takes longer.

use libmimalloc_sys::{mi_option_set, mi_option_t};
use std::ffi::c_long;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, versions 2 and 3.
const PURGE_DELAY: mi_option_t = 15;
/// How long freed memory is kept from the system. A second, the default, doubles what a server takes under load.
const MILLIS: c_long = 20;

/// Sets what mimalloc is to do otherwise than by default, before there are other threads.
#[allow(unsafe_code, reason = "the only way to set an option; see the safety comment")]
pub(crate) fn begin() {
    // SAFETY: it writes a number to a table of the allocator's. It must not run beside itself: `main` calls it first.
    unsafe { mi_option_set(PURGE_DELAY, MILLIS) }
}
