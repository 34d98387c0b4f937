//! The groups of several inputs, one after the other.

use super::cursor::{Ask, Cursor, Header, Source};
use crate::order::sort_dedup;
use crate::time::TimeRange;
use std::sync::Arc;

pub(super) struct UnionSource {
    inputs: Vec<Arc<dyn Source>>,
    groups: Vec<Header>,
    /// The input of each group, and its number there.
    origins: Vec<(u32, u32)>,
}

impl UnionSource {
    pub(super) fn new(inputs: Vec<Arc<dyn Source>>, reversed: bool) -> Self {
        let (mut groups, mut origins) = (Vec::new(), Vec::new());
        let mut add = |input: usize| {
            for (at, header) in inputs[input].groups().iter().enumerate() {
                groups.push(Header { input, ..header.clone() });
                origins.push((input as u32, at as u32));
            }
        };
        if reversed {
            (0..inputs.len()).rev().for_each(&mut add)
        } else {
            (0..inputs.len()).for_each(&mut add)
        }
        Self { inputs, groups, origins }
    }
}

impl Source for UnionSource {
    fn groups(&self) -> &[Header] {
        &self.groups
    }

    fn tag_keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.inputs.iter().flat_map(|input| input.tag_keys()).collect();
        sort_dedup(&mut keys);
        keys
    }

    fn open(&self, group: usize, ask: &Ask) -> Box<dyn Cursor> {
        let (input, at) = self.origins[group];
        self.inputs[input as usize].open(at as usize, ask)
    }

    fn extent(&self, group: usize) -> Option<TimeRange> {
        let (input, at) = self.origins[group];
        self.inputs[input as usize].extent(at as usize)
    }
}
