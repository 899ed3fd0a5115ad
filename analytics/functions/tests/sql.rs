//! Runs the `cases.slt` of every function in a DataFusion session, at several batch sizes and partition counts: the answers
//! must not depend on either.

#![expect(clippy::unwrap_used, reason = "a test stops where its session cannot be made")]

use std::path::Path;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::{SessionConfig, SessionContext};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

struct Session(SessionContext);

impl Session {
    fn new(batch_rows: usize, partitions: usize) -> Self {
        let config = SessionConfig::new().with_batch_size(batch_rows).with_target_partitions(partitions);
        let mut context = SessionContext::new_with_config(config);
        functions::register(&mut context).unwrap();
        Self(context)
    }
}

#[async_trait::async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>> {
        let batches = self.0.sql(sql).await?.collect().await?;
        let Some(first) = batches.first() else { return Ok(DBOutput::StatementComplete(0)) };
        let types = vec![DefaultColumnType::Any; first.num_columns()];
        let rows = batches.iter().map(rows).collect::<Result<Vec<_>>>()?;
        Ok(DBOutput::Rows { types, rows: rows.concat() })
    }

    async fn shutdown(&mut self) {}
}

fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|c| Ok(ArrayFormatter::try_new(c, &options)?)).collect::<Result<Vec<_>>>()?;
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()).collect())
}

/// What is wrong with the first case of a file that does not hold; empty if all hold.
async fn failure(cases: &Path, batch_rows: usize, partitions: usize) -> String {
    let mut runner = Runner::new(|| async move { Ok(Session::new(batch_rows, partitions)) });
    match runner.run_file_async(cases).await {
        Ok(()) => String::new(),
        Err(error) => format!("\nat batches of {batch_rows}, {partitions} partitions: {}\n", error.display(false)),
    }
}

#[tokio::test]
async fn cases_of_every_function_hold_at_any_batch_size_and_partition_count() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files: Vec<_> =
        functions::FUNCTIONS.iter().map(|f| workspace.join(f.source.trim_end_matches(".rs")).join("cases.slt")).collect();
    files.dedup();
    let mut failures = String::new();
    for file in files {
        for (batch_rows, partitions) in [(8192, 1), (2, 3)] {
            failures += &failure(&file, batch_rows, partitions).await;
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[tokio::test]
async fn register_adds_every_function_of_the_list() {
    let session = Session::new(8192, 1);
    let state = session.0.state();
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
