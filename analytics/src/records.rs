//! Table `records`: how it is laid out, and the positions committed with its rows.

use std::path::Path;

use contract::TopicPartition;

use crate::lake::{TableSpec, Written};

/// Position of a partition in `records` and `cells`.
pub fn position_name(partition: &TopicPartition) -> String {
    partition.to_string()
}

/// Position in `records` that counts the offsets of a partition at which no record stands: a broker's gaps, and what was gone
/// before the lake began.
pub fn skipped_name(partition: &TopicPartition) -> String {
    format!("skipped/{partition}")
}

/// The table in the lake.
pub fn spec(lake: &Path) -> TableSpec {
    TableSpec {
        name: "records".into(),
        root: lake.join("records"),
        schema: contract::schema::record_schema(),
        partition_columns: vec!["disposition".into(), "month".into()],
        bounded_columns: ["occurred_at", "log_partition", "log_offset", "revision"].map(Into::into).into(),
        written: written(),
        comment: "One row for every record of the log, whatever became of it / 日志中每条记录一行，含处置结果".into(),
    }
}

/// How the columns of `records` are written: this is paid for every event, and by [`crate::lake::compact`] once more.
fn written() -> Vec<(&'static str, Written)> {
    let of = |written: Written, columns: &[&'static str]| columns.iter().map(|column| (*column, written)).collect::<Vec<_>>();
    [
        of(Written::Rising, &["occurred_at", "ingested_at", "log_offset"]),
        of(Written::Plain, &["event_id", "case_id", "lon", "lat", "log_partition", "revision"]),
        of(
            Written::Names,
            &[
                "source",
                "kind",
                "stage",
                "channel",
                "request_kind",
                "category",
                "urgency",
                "unit_id",
                "observed_property",
                "value_unit",
                "address_id",
                "grid_id",
                "attributes.key_value.key",
                "attributes.key_value.value",
                "log_topic",
                "mapping_version",
                "located_by",
            ],
        ),
        of(Written::Opaque, &["address", "caller", "body_hash"]),
        // Of refused records, whole: each is different and may be a megabyte.
        of(Written::Long, &["payload"]),
    ]
    .concat()
}
