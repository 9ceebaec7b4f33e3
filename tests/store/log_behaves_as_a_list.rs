//! Whatever is done to it in whatever order, the log holds what a plain list would.

use std::collections::VecDeque;
use std::path::Path;

use bytes::Bytes;
use eureka_raft::store::log::{LogRecord, LogStorage};
use proptest::prelude::*;

use crate::support::{Node, append, open, read_all, record};

/// One thing done to a log. Positions are taken modulo what is there.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<usize>),
    Truncate(u64),
    TruncateAll,
    Purge(u64),
    PurgeBeyond(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![9 => 0..600_usize, 1 => 6_000..30_000_usize];
    prop_oneof![
        8 => proptest::collection::vec(length, 1..70).prop_map(Step::Append),
        3 => any::<u64>().prop_map(Step::Truncate),
        1 => Just(Step::TruncateAll),
        3 => any::<u64>().prop_map(Step::Purge),
        1 => (0..50_u64).prop_map(Step::PurgeBeyond),
        2 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    purged: Option<u64>,
    records: VecDeque<LogRecord>,
    generation: u8,
}

impl Model {
    fn next(&self) -> u64 {
        let behind_purged = self.purged.map_or(0, |purged| purged + 1);
        self.records
            .back()
            .map_or(behind_purged, |last| last.index + 1)
    }

    /// An index held, chosen by `at`.
    fn held(&self, at: u64) -> Option<u64> {
        let first = self.records.front()?.index;
        Some(first + at % self.records.len() as u64)
    }

    fn purge(&mut self, upto: u64) {
        self.purged = Some(upto);
        self.records.retain(|record| record.index > upto);
    }
}

fn take(step: &Step, model: &mut Model, node: Node, dir: &Path) -> Node {
    match step {
        Step::Append(lengths) => {
            model.generation = model.generation.wrapping_add(1);
            let records = (model.next()..).zip(lengths);
            let records = records.map(|(i, len)| record(i, model.generation, *len));
            let records: Vec<_> = records.collect();
            node.log
                .append(records.clone(), Box::new(|result| result.unwrap()));
            model.records.extend(records);
        }
        Step::Truncate(at) => {
            if let Some(last_kept) = model.held(*at) {
                node.log.truncate_after(last_kept);
                model.records.retain(|record| record.index <= last_kept);
            }
        }
        Step::TruncateAll => {
            node.log.truncate_all();
            model.records.clear();
        }
        Step::Purge(at) => {
            if let Some(upto) = model.held(*at) {
                node.log.purge_upto(upto, Bytes::from(upto.to_string()));
                model.purge(upto);
            }
        }
        Step::PurgeBeyond(by) => {
            let upto = model.next() + by;
            node.log.purge_upto(upto, Bytes::from(upto.to_string()));
            model.purge(upto);
        }
        Step::Reopen => {
            append(&node.log, Vec::new()).unwrap();
            drop(node);
            return open(dir).unwrap();
        }
    }
    node
}

fn check(model: &Model, node: &Node) {
    let bounds = node.log.bounds().unwrap();
    let noted = model
        .purged
        .map(|upto| (upto, Bytes::from(upto.to_string())));
    assert_eq!(bounds.purged, noted);
    assert_eq!(
        bounds.first,
        model.records.front().map(|record| record.index)
    );
    assert_eq!(bounds.last, model.records.back().map(|record| record.index));
    assert_eq!(read_all(&node.log), Vec::from(model.records.clone()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_log_holds_what_a_list_would(steps in proptest::collection::vec(step(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let mut model = Model::default();
        let mut node = open(dir.path()).unwrap();
        for step in &steps {
            node = take(step, &mut model, node, dir.path());
            check(&model, &node);
        }
        node = take(&Step::Reopen, &mut model, node, dir.path());
        check(&model, &node);
    }
}
