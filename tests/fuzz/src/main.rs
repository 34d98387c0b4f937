//! One target of `isopoint_tests::fuzz` under libFuzzer: the one that `ISOPOINT_FUZZ_TARGET` names. Arguments are
//! libFuzzer's own; `cargo xtask fuzz` gives them.

#![no_main]

use isopoint_tests::fuzz::{Target, find};
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("ISOPOINT_FUZZ_TARGET").expect("ISOPOINT_FUZZ_TARGET names a target");
    find(&name).unwrap_or_else(|| panic!("there is no target {name}"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
