//! Line protocol into a batch, on one thread.

use crate::{Devops, Table, best_secs};
use isopoint_core::dialect::influx::line_protocol::{Precision, parse};
use isopoint_core::model::WriteBatch;
use isopoint_core::time::Timestamp;
use std::hint::black_box;

pub(crate) fn run(table: &mut Table) {
    for (what, decimals) in [("whole numbers", false), ("two decimals", true)] {
        let mut devops = Devops::new(10, decimals);
        let mut body = Vec::new();
        let mut lines = 0;
        while lines < 5_000 {
            lines += devops.lines(&mut body);
        }
        let mut batch = WriteBatch::new();
        let precision = Precision::from_v1_name("ns").expect("it is one of the names");
        let secs = best_secs(40, || {
            batch.clear();
            let outcome = parse(black_box(&body), precision, Timestamp::EPOCH, &mut batch);
            assert_eq!((outcome.points, outcome.failed), (lines, 0));
        });
        let rate = format!("{:.0} MB/s", body.len() as f64 / secs / 1e6);
        table.row(format!("parse line protocol, 10 tags, 10 fields, {what}"), rate, "");
    }
}
