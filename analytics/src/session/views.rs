//! The views of the surface: what an analyst reads instead of the raw tables.

use datafusion::error::Result;
use datafusion::prelude::SessionContext;

/// Columns of the contract and provenance that every view of events shows.
const EVENT: &str = "event_id, source, kind, occurred_at, received_at, case_id, device_id, stage, channel, request_kind, category, urgency, unit_id, \
    observed_property, value, value_unit, address, address_id, caller, lon, lat, grid_id, deadline_at, attributes, ingested_at, log_topic, \
    log_partition, log_offset, mapping_version, revision, located_by";

/// The newest revision: an event whose id has a later body is left out. Row groups without revisions are never opened for the
/// inner query, because their statistics say revision = 0.
const NEWEST: &str = "AND NOT EXISTS (SELECT 1 FROM records AS newer WHERE newer.disposition = 'accepted' AND newer.revision > 0 \
    AND newer.source = records.source AND newer.event_id = records.event_id AND newer.revision > records.revision)";

/// Creates the views over `records`, `cell_parts` and `grids`; `revised` is whether `records` may hold a second body of an event.
pub(super) async fn create(session: &SessionContext, revised: bool) -> Result<()> {
    // Where nothing was revised a count need not read every id.
    let newest = if revised { NEWEST } else { "" };
    let views = [
        format!("CREATE VIEW events AS SELECT {EVENT} FROM records WHERE disposition = 'accepted' {newest}"),
        "CREATE VIEW hotline_calls AS SELECT event_id AS call_id, source, occurred_at AS called_at, received_at, channel, caller AS caller_pseudonym, \
         request_kind, category AS category_code, urgency, case_id, address AS address_text, address_id, lon, lat, grid_id, unit_id, deadline_at, attributes, \
         ingested_at FROM events WHERE kind = 'hotline_call'"
            .to_owned(),
        "CREATE VIEW grid_reports AS SELECT event_id AS report_id, source, occurred_at AS reported_at, received_at, category AS category_code, urgency, case_id, \
         address AS address_text, address_id, lon, lat, grid_id, unit_id, deadline_at, attributes, ingested_at FROM events WHERE kind = 'grid_report'"
            .to_owned(),
        "CREATE VIEW sensor_events AS SELECT event_id, source, occurred_at AS phenomenon_time, received_at AS result_time, device_id, observed_property, \
         value AS result, value_unit AS unit, urgency AS severity, lon, lat, grid_id, attributes, ingested_at FROM events WHERE kind = 'sensor_event'"
            .to_owned(),
        "CREATE VIEW case_steps AS SELECT event_id, case_id, source, stage, occurred_at AS at, unit_id, deadline_at, grid_id, category AS category_code, attributes, \
         ingested_at FROM events WHERE kind = 'case_step'"
            .to_owned(),
        "CREATE VIEW quarantine AS SELECT source, reason, reason_field, detail, payload, ingested_at, log_topic, log_partition, log_offset, mapping_version \
         FROM records WHERE disposition = 'quarantined'"
            .to_owned(),
        format!("CREATE VIEW late_events AS SELECT {EVENT} FROM records WHERE disposition = 'late'"),
        "CREATE VIEW unlocated AS SELECT event_id, source, kind, occurred_at, category, address, lon, lat, ingested_at FROM events \
         WHERE grid_id IS NULL AND device_id IS NULL AND kind <> 'case_step'"
            .to_owned(),
        "CREATE VIEW cells AS SELECT grid_id, category, source, kind, hour, sum(events) AS events, sum(voices) AS voices FROM cell_parts \
         GROUP BY grid_id, category, source, kind, hour HAVING sum(events) > 0"
            .to_owned(),
        zeros("grid_hours", "hour", "INTERVAL '1 hour'", "hour"),
        zeros("grid_days", "day", "INTERVAL '1 day'", "local_day(hour)"),
    ];
    for view in views {
        session.sql(&view).await?.collect().await?;
    }
    Ok(())
}

/// Views in schema `system` that are queries themselves.
pub(super) async fn create_system(session: &SessionContext) -> Result<()> {
    let feeds = "CREATE VIEW system.feeds AS SELECT source, count(*) AS records, \
         count(*) FILTER (WHERE disposition = 'accepted') AS accepted, count(*) FILTER (WHERE disposition = 'duplicate') AS duplicate, \
         count(*) FILTER (WHERE disposition = 'late') AS late, count(*) FILTER (WHERE disposition = 'quarantined') AS quarantined, \
         max(occurred_at) FILTER (WHERE disposition = 'accepted') AS last_event_at, max(ingested_at) AS last_ingested_at FROM records GROUP BY source";
    session.sql(feeds).await?.collect().await?;
    Ok(())
}

/// A view that spells out the bins without events: every grid of the finest level, every bin from the first to the last.
fn zeros(name: &str, bin: &str, step: &str, truncated: &str) -> String {
    format!(
        "CREATE VIEW {name} AS WITH counted AS (SELECT grid_id, {truncated} AS {bin}, sum(events) AS events, sum(voices) AS voices FROM cell_parts \
         WHERE kind IN ('hotline_call', 'grid_report') GROUP BY 1, 2), \
         bins AS (SELECT unnest(generate_series(min({bin}), max({bin}), {step})) AS {bin} FROM counted), \
         places AS (SELECT grid_id FROM grids WHERE finest) \
         SELECT places.grid_id, bins.{bin}, coalesce(counted.events, 0) AS events, coalesce(counted.voices, 0) AS voices \
         FROM places CROSS JOIN bins LEFT JOIN counted ON counted.grid_id = places.grid_id AND counted.{bin} = bins.{bin}"
    )
}
