//! A world as it was: `records`, `events` and `cell_parts` hold only what had arrived by an instant that the caller moves.
//!
//! What a back-test looks at. An event arrived when its source received it (`received_at`; where a feed does not say, when it occurred),
//! so that a detector never knows what nobody knew yet. Cells are summed up anew from the events by the hour of their arrival and held in
//! memory: look at whole hours. Caution: of an event that was revised there is only the newest body, as if it had come first.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::Kind;
use contract::grids::GridSet;
use contract::schema::time_type;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use deciding::rows::voices;

use super::{SessionError, SessionSettings, World, Worlds, locating, views, with_functions};
use crate::cut::Cut;
use crate::lake::Snapshot;
use crate::lake::scan::PinnedTable;

/// All that ever arrived, to make worlds of its past from.
#[derive(Debug)]
pub struct Past {
    settings: SessionSettings,
    runtime: Arc<RuntimeEnv>,
    cut: Cut,
    grids: Arc<GridSet>,
    records: Snapshot,
    revised: bool,
    cells: Arc<MemTable>,
}

/// The instant at which a world of the past stands.
#[derive(Debug, Clone)]
pub struct Standing(Arc<AtomicI64>);

impl Standing {
    /// From the next statement on the world holds what had arrived at `at`.
    pub fn move_to(&self, at: DateTime<Utc>) {
        self.0.store(at.timestamp_micros(), Ordering::Release);
    }
}

impl Worlds {
    /// The past of the newest world; worlds made of it run each query on one thread, so that several can run side by side.
    ///
    /// # Errors
    /// The lake cannot be read.
    pub async fn past(&mut self) -> Result<Past, SessionError> {
        let world = self.newest().await?;
        let kinds: Vec<String> = Kind::ALL.into_iter().map(|kind| format!("WHEN '{}' THEN {}", kind.as_str(), voices(kind))).collect();
        let arrivals = format!(
            "SELECT grid_id, category, source, kind, hour, arrived_at, count(*) AS events, sum(voice) AS voices FROM ( \
             SELECT grid_id, category, source, kind, date_trunc('hour', occurred_at) AS hour, CASE kind {} ELSE 0 END AS voice, \
             date_trunc('hour', coalesce(received_at, occurred_at) - INTERVAL '1 microsecond') + INTERVAL '1 hour' AS arrived_at FROM events) AS arrivals \
             GROUP BY grid_id, category, source, kind, hour, arrived_at",
            kinds.join(" ")
        );
        let frame = world.frame(&arrivals).await?;
        let columns = Arc::clone(frame.schema().inner());
        let cells: Vec<RecordBatch> = frame.collect().await?;
        Ok(Past {
            settings: SessionSettings { threads: 1, ..self.settings.clone() },
            runtime: Arc::clone(&self.runtime),
            cut: world.cut.clone(),
            grids: Arc::clone(&world.grids),
            records: self.records.snapshot()?,
            revised: self.records.may_exceed("revision", 0)?,
            cells: Arc::new(MemTable::try_new(columns, vec![cells])?),
        })
    }
}

impl Past {
    /// A world of the past, and what moves it; it begins in 1970, before anything arrived.
    ///
    /// # Errors
    /// Its tables could not be set up.
    pub async fn world(&self) -> Result<(World, Standing), SessionError> {
        let session = with_functions(&self.settings, Arc::clone(&self.runtime))?;
        let standing = Standing(Arc::new(AtomicI64::new(0)));
        let stands_at = Arc::clone(&standing.0);
        let read = move |_: &[ColumnarValue]| {
            let at = stands_at.load(Ordering::Acquire);
            Ok::<_, DataFusionError>(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()))))
        };
        // Stable: planned as a constant, so that partitions of later months are not opened.
        session.register_udf(create_udf("looked_at", Vec::new(), time_type(), Volatility::Stable, Arc::new(read)));
        locating::register(&session, &self.grids);
        session.register_batch("grids", locating::with_finest(&self.grids)?)?;
        session.register_table("arriving_records", Arc::new(PinnedTable::new(self.records.clone(), Some("occurred_at"))))?;
        session.register_table("arriving_cells", Arc::clone(&self.cells) as _)?;
        for view in [
            "CREATE VIEW records AS SELECT * FROM arriving_records WHERE coalesce(received_at, occurred_at, ingested_at) <= looked_at()",
            "CREATE VIEW cell_parts AS SELECT grid_id, category, source, kind, hour, events, voices FROM arriving_cells WHERE arrived_at <= looked_at()",
        ] {
            session.sql(view).await?.collect().await?;
        }
        views::create(&session, self.revised).await?;
        Ok((World { session, cut: self.cut.clone(), grids: Arc::clone(&self.grids) }, standing))
    }
}
