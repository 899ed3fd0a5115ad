//! Table `cells`: events of one grid, category, source, kind and hour, kept as mergeable partial sums.
//!
//! Derived from committed rows of `records` alone. Whoever commits rows writes the parts of their cells into files beside them and names
//! those in the same commit ([`Prepared`]); a commit of `cells` adds them, and says in its positions which version and offsets of `records`
//! it covers. What is missing after a crash between the two is added later, or computed from `records`, never from the log. A revision
//! takes its former body out of its former cell: sums may hold negative parts, their totals never do.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use contract::Offsets;
use deciding::cells::{batch, schema};
use deciding::parts::CellParts;
use serde::{Deserialize, Serialize};

use crate::consume::{ConsumeError, positions};
use crate::lake::delta::{LooseFiles, Writer};
use crate::lake::{Positions, TableSpec, Written};

pub mod missing;

/// Position under which a commit of `cells` names the version of `records` it covers.
pub const RECORDS_VERSION: &str = "records";

/// Positions of a commit of `cells` that covers a version of `records`, which reached these offsets.
pub fn covering(version: u64, reached: &Offsets) -> Positions {
    let version = (RECORDS_VERSION.to_owned(), version.cast_signed());
    positions(reached).into_iter().chain([version]).collect()
}

/// The table in the lake.
pub fn spec(lake: &Path) -> TableSpec {
    TableSpec {
        name: "cells".into(),
        root: lake.join("cells"),
        schema: schema(),
        partition_columns: vec!["month".into()],
        bounded_columns: vec!["hour".into()],
        written: written(),
        comment: "Partial sums of events by grid, category, source, kind and hour; add them up / 网格小时累计（需求和）".into(),
    }
}

/// How the columns of `cells` are written: there are nearly as many rows as events.
fn written() -> Vec<(&'static str, Written)> {
    let sums = ["events", "voices"].map(|column| (column, Written::Plain));
    let names = ["grid_id", "category", "source", "kind"].map(|column| (column, Written::Names));
    // Rows stand in the order of hours.
    [("hour", Written::Rising)].into_iter().chain(sums).chain(names).collect()
}

/// What a commit of `records` says of the cells of its rows: whoever decided those has written the parts of their cells into files, which
/// whoever derives adds to `cells`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepared {
    /// The parts.
    pub files: LooseFiles,
    /// Newest accepted `occurred_at` by source.
    pub newest: Newest,
}

impl Prepared {
    /// As it is noted in the commit of the rows.
    pub fn note(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("names, numbers and instants are JSON")
    }
}

/// Newest accepted `occurred_at` by source.
pub type Newest = BTreeMap<String, DateTime<Utc>>;

/// Adds up what was decided and writes it into files of `cells`.
///
/// # Errors
/// The store fails.
pub async fn prepare(writer: &Writer, pieces: Vec<CellParts>) -> Result<LooseFiles, ConsumeError> {
    let rows = tokio::task::spawn_blocking(move || batch(&pieces)).await?;
    Ok(writer.write(vec![rows]).await?)
}

/// Takes over an instant of a source that is later than what is known of it.
pub(crate) fn later(newest: &mut Newest, source: String, at: DateTime<Utc>) {
    let known = newest.entry(source).or_insert(at);
    *known = at.max(*known);
}
