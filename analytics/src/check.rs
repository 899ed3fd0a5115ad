//! `gridwatch check`: is every record of the log a row of the lake, once, and does what is derived agree with it?
//!
//! Recomputes from the tables and the log; believes nothing the pipeline says about itself.

use std::path::Path;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use contract::TopicPartition;
use contract::log::{EventLog, LogError, every_partition};
use datafusion::error::DataFusionError;
use futures::future::try_join_all;

use crate::cells;
use crate::lake::LakeError;
use crate::lake::delta::Table;
use crate::records::{self, position_name};
use crate::session::{SessionError, SessionSettings, World, Worlds};

/// What the check needs from outside went wrong.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The lake.
    #[error("could not open the lake")]
    Session(#[from] SessionError),
    /// A table.
    #[error("could not read a table")]
    Lake(#[from] LakeError),
    /// A query.
    #[error("could not read the lake")]
    Query(#[from] DataFusionError),
    /// The log.
    #[error("could not read the log")]
    Log(#[from] LogError),
}

/// One rule and what was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// Whether it holds.
    pub holds: bool,
    /// The numbers compared.
    pub detail: String,
}

/// Checks every rule. Without `log` (another process holds it) the rules about the log are left out and said to be.
///
/// # Errors
/// The lake or the log cannot be read at all.
pub async fn run(lake: &Path, log: Option<&dyn EventLog>) -> Result<Vec<Finding>, CheckError> {
    let mut worlds = Worlds::open(lake, SessionSettings::default()).await?;
    let world = worlds.newest().await?;
    let mut findings = vec![dispositions(&world).await?, offsets_once(&world).await?, ids_once(&world).await?, cells_agree(&world).await?];
    findings.push(same_offsets(lake, &world).await?);
    match log {
        Some(log) => {
            // All at once: a broker takes its time to say that a partition holds no more.
            let partitions = every_partition(log, &contract::topic::ALL).await?;
            let compared = try_join_all(partitions.iter().map(|partition| log_agrees(&world, log, partition))).await?;
            findings.extend(compared.into_iter().flatten());
        }
        None => findings.push(found("rows of records = records of the log", true, "not compared: no log was given".into())),
    }
    Ok(findings)
}

async fn numbers(world: &World, sql: &str) -> Result<Vec<i64>, CheckError> {
    let batches = world.session.sql(sql).await?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(Vec::new()) };
    let number = |column| arrow::compute::cast(column, &DataType::Int64).map(|column| column.as_primitive::<Int64Type>().value(0));
    batch.columns().iter().map(|column| number(column).map_err(|error| DataFusionError::from(error).into())).collect()
}

async fn dispositions(world: &World) -> Result<Finding, CheckError> {
    let counts = numbers(
        world,
        "SELECT count(*), count(*) FILTER (WHERE disposition = 'accepted'), count(*) FILTER (WHERE disposition = 'duplicate'), \
         count(*) FILTER (WHERE disposition = 'late'), count(*) FILTER (WHERE disposition = 'quarantined'), \
         count(*) FILTER (WHERE disposition = 'quarantined' AND (reason IS NULL OR payload IS NULL)) FROM records",
    )
    .await?;
    let [all, accepted, duplicate, late, quarantined, unexplained] = counts[..] else {
        return Ok(found("every row has one disposition", false, "no answer".into()));
    };
    let detail = format!(
        "{all} records = {accepted} accepted + {duplicate} duplicate + {late} late + {quarantined} quarantined ({unexplained} without reason or payload)"
    );
    let holds = all == accepted + duplicate + late + quarantined && unexplained == 0;
    Ok(found("every row has one disposition, refused ones their reason and payload", holds, detail))
}

async fn offsets_once(world: &World) -> Result<Finding, CheckError> {
    let twice =
        numbers(world, "SELECT count(*) FROM (SELECT 1 FROM records GROUP BY log_topic, log_partition, log_offset HAVING count(*) > 1)")
            .await?;
    Ok(none_of("each record of the log is one row", "offsets with several rows", &twice))
}

async fn ids_once(world: &World) -> Result<Finding, CheckError> {
    let twice = numbers(world, "SELECT count(*) FROM (SELECT 1 FROM records WHERE disposition = 'accepted' GROUP BY source, event_id, revision HAVING count(*) > 1)").await?;
    Ok(none_of("ids are unique among accepted events", "ids accepted twice", &twice))
}

async fn cells_agree(world: &World) -> Result<Finding, CheckError> {
    let differing = numbers(
        world,
        "WITH counted AS (SELECT grid_id, category, source, kind, date_trunc('hour', occurred_at) AS hour, count(*) AS events FROM events GROUP BY 1, 2, 3, 4, 5), \
         both_sides AS (SELECT grid_id, category, source, kind, hour, events AS counted, 0 AS kept FROM counted \
         UNION ALL SELECT grid_id, category, source, kind, hour, 0 AS counted, events AS kept FROM cell_parts) \
         SELECT count(*) FROM (SELECT 1 FROM both_sides GROUP BY grid_id, category, source, kind, hour HAVING sum(counted) <> sum(kept))",
    )
    .await?;
    Ok(none_of("cells = recomputation from events", "cells that differ", &differing))
}

fn found(rule: &str, holds: bool, detail: String) -> Finding {
    Finding { rule: rule.to_owned(), holds, detail }
}

fn none_of(rule: &str, what: &str, counts: &[i64]) -> Finding {
    let count = counts.first().copied();
    found(rule, count == Some(0), format!("{} {what}", count.map_or_else(|| "unknown".to_owned(), |count| count.to_string())))
}

async fn same_offsets(lake: &Path, world: &World) -> Result<Finding, CheckError> {
    let (mut records, mut cells) = (Table::open(records::spec(lake)).await?, Table::open(cells::spec(lake)).await?);
    records.refresh(Some(world.cut.records)).await?;
    cells.refresh(Some(world.cut.cells)).await?;
    let mut differing = Vec::new();
    for name in world.cut.offsets.keys() {
        let (one, two) = (records.position(name).await?, cells.position(name).await?);
        if one != two {
            differing.push(format!("{name}: records {one:?}, cells {two:?}"));
        }
    }
    let detail = if differing.is_empty() { format!("{} partitions", world.cut.offsets.len()) } else { differing.join("; ") };
    Ok(found("records and cells cover the same offsets", differing.is_empty(), detail))
}

/// Compares one partition's kept records with its rows; nothing is said of partitions that hold neither.
async fn log_agrees(world: &World, log: &dyn EventLog, partition: &TopicPartition) -> Result<Option<Finding>, CheckError> {
    let rule = "rows of records = records of the log";
    let (first, end) = log.watermarks(&partition.topic, partition.partition).await?;
    let next = world.cut.offsets.get(&position_name(partition)).copied().unwrap_or(0);
    if end == 0 && next == 0 {
        return Ok(None);
    }
    if next < first || next > end {
        let detail = format!("{partition}: the lake stands at {next}, the log holds {first}..{end}");
        return Ok(Some(found("offsets are continuous with the log", false, detail)));
    }
    let (mut at, mut count, mut sum) = (first, 0_i64, 0_i64);
    while at < next {
        let batch = log.fetch(&partition.topic, partition.partition, at, 16 * 1024 * 1024, Duration::ZERO).await?;
        let kept = batch.records.iter().filter(|record| record.offset < next);
        for record in kept {
            count += 1;
            sum += record.offset.cast_signed();
        }
        if batch.next <= at {
            break;
        }
        at = batch.next;
    }
    let rows = numbers(
        world,
        &format!(
            "SELECT count(*), coalesce(sum(log_offset), 0) FROM records WHERE log_topic = '{}' AND log_partition = {} AND log_offset >= {first}",
            partition.topic, partition.partition
        ),
    )
    .await?;
    let detail = format!(
        "{partition}: {count} records of the log up to offset {next}, {} rows; {} records wait",
        rows.first().copied().unwrap_or(0),
        end - next
    );
    Ok(Some(found(rule, rows == [count, sum], detail)))
}
