//! Groups merged by time, the last member winning.

use super::cursor::Source;
use super::group::listed_groups;
use super::table::Table;
use super::tables::{TablesSource, Work};
use crate::order;
use crate::plan::Listed;
use std::sync::Arc;

pub(super) fn source(input: Arc<dyn Source>, listed: Vec<Listed>) -> Arc<dyn Source> {
    let (groups, members) = listed_groups(input.groups(), &listed);
    Arc::new(TablesSource::new(vec![input], groups, Box::new(Merged { members })))
}

struct Merged {
    members: Vec<Vec<u32>>,
}

impl Work for Merged {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let tables = inputs.into_iter().next().unwrap_or_default();
        let merge = |members: &Vec<u32>| {
            let Some(first) = members.first() else { return Table::default() };
            let mut all = tables[*first as usize].clone();
            if members.len() == 1 {
                return all;
            }
            members[1..].iter().for_each(|member| all.extend(&tables[*member as usize].rows()));
            // Stable: of rows of one time the last member's comes last.
            let mut places: Vec<u32> = (0..all.len() as u32).collect();
            order::sort(&mut places, &mut |a, b| all.times[a as usize].cmp(&all.times[b as usize]));
            let mut kept: Vec<u32> = Vec::with_capacity(places.len());
            for place in places {
                if kept.last().is_some_and(|last| all.times[*last as usize] == all.times[place as usize]) {
                    kept.pop();
                }
                kept.push(place);
            }
            let mut out = all.emptied();
            out.gather(&all.rows(), &kept);
            out
        };
        self.members.iter().map(merge).collect()
    }
}
