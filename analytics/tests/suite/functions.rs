//! Every function answers its `cases.slt`, in the session analysts use.

use std::path::Path;

use analytics::session::{SessionSettings, without_tables};

use crate::slt::{answer, cases};

#[tokio::test]
async fn cases_of_every_function_hold_at_any_batch_size_and_partition_count() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: Vec<_> =
        functions::FUNCTIONS.iter().map(|function| workspace.join(function.source.trim_end_matches(".rs")).join("cases.slt")).collect();
    files.dedup();
    // Computed in the session, whose table of events it reads.
    files.push(workspace.join("analytics/src/session/completeness/cases.slt"));
    let mut failures = Vec::new();
    for file in files {
        for (batch_rows, threads) in [(8_192, 1), (2, 3)] {
            let settings = SessionSettings { threads, time_zone: "UTC".into(), ..SessionSettings::default() };
            let session = without_tables(&settings).unwrap();
            answer(&session, &format!("SET datafusion.execution.batch_size = {batch_rows}")).await.unwrap();
            for case in cases(&file) {
                if let Err(why) = case.hold(&session, Ok(case.sql.clone())).await {
                    failures.push(format!("{}:{} at batches of {batch_rows}, {threads} threads: {why}", file.display(), case.line));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn register_adds_every_function_of_the_list() {
    let session = without_tables(&SessionSettings::default()).unwrap();
    let state = session.state();
    for function in functions::FUNCTIONS {
        let name = function.name;
        let known = state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name);
        assert!(known, "{name} is not registered");
    }
    let count = functions::scalars().len() + functions::aggregates().len() + functions::windows().len();
    assert_eq!(count, functions::FUNCTIONS.len());
}
