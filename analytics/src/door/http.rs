//! SQL over HTTP for the duty page and scripts: `POST /v1/sql` answers JSON, `GET /v1/grids.geojson` the map.
//!
//! Reached only through the page's address, which forwards; errors are RFC 9457 problem documents.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::json::ArrayWriter;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use datafusion::sql::parser::{DFParser, Statement};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::Digest;

use super::{Door, read_only};
use crate::metrics::chain;
use crate::session::World;

/// Most rows of an answer: a page shows hundreds; a download of more belongs on the PostgreSQL address.
const ROWS_MAX: usize = 100_000;
/// Most bytes of a request: the statement guard of the door's other side takes 64 KiB of text as well.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

pub(super) fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/v1/sql", post(sql))
        .route("/v1/grids.geojson", get(grids))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(door)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    sql: String,
}

#[derive(Debug)]
struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"title": self.title, "status": self.status.as_u16(), "detail": self.detail});
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}

fn refused(detail: impl Into<String>) -> Problem {
    Problem { status: StatusCode::BAD_REQUEST, title: "the statement was refused", detail: detail.into() }
}

async fn world(door: &Door) -> Result<Arc<World>, Problem> {
    door.world().await.map_err(|error| Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "the lake cannot be read",
        detail: chain(&error),
    })
}

async fn sql(State(door): State<Arc<Door>>, Json(request): Json<Request>) -> Result<Response, Problem> {
    let mut statements = DFParser::parse_sql(&request.sql).map_err(|error| refused(error.to_string()))?;
    let Some(Statement::Statement(statement)) = statements.pop_front().filter(|_| statements.is_empty()) else {
        return Err(refused("one SELECT statement is expected"));
    };
    if let Some(why) = read_only::refusal(&statement) {
        return Err(refused(why));
    }
    let world = world(&door).await?;
    let frame = world.frame(&request.sql).await.map_err(|error| refused(error.to_string()))?;
    let schema = Arc::clone(frame.schema().inner());
    let mut rows = frame.execute_stream().await.map_err(|error| refused(error.to_string()))?;
    let (mut batches, mut count) = (Vec::new(), 0);
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| refused(error.to_string()))?;
        count += batch.num_rows();
        if count > ROWS_MAX {
            return Err(refused(format!("the answer has more than {ROWS_MAX} rows: add LIMIT, or use the PostgreSQL address")));
        }
        batches.push(batch);
    }
    answer(&schema, &batches, count, &world).map_err(|error| refused(error.to_string()))
}

fn answer(schema: &Schema, batches: &[RecordBatch], count: usize, world: &World) -> Result<Response, Box<dyn std::error::Error>> {
    let mut out = Vec::new();
    let mut writer =
        arrow::json::writer::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow::json::writer::JsonArray>(&mut out);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    drop::<ArrayWriter<_>>(writer);
    let rows = if out.is_empty() { "[]".to_owned() } else { String::from_utf8(out)? };
    let columns: Vec<_> = schema.fields().iter().map(|field| json!({"name": field.name(), "type": type_name(field.data_type())})).collect();
    let cut = json!({"table_version": world.cut.records, "as_of": world.cut.as_of(), "committed_at": world.cut.committed_at});
    let body = serde_json::to_string(&Answer { columns, rows: RawValue::from_string(rows)?, row_count: count, cut })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

#[derive(serde::Serialize)]
struct Answer {
    columns: Vec<serde_json::Value>,
    rows: Box<RawValue>,
    row_count: usize,
    cut: serde_json::Value,
}

fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text",
        DataType::Boolean => "boolean",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::List(_) | DataType::LargeList(_) => "list",
        DataType::Struct(_) | DataType::Map(_, _) => "struct",
        data_type if data_type.is_integer() => "bigint",
        data_type if data_type.is_numeric() => "double",
        _ => "text",
    }
}

#[derive(Debug, Deserialize)]
struct Level {
    level: Option<String>,
}

/// The polygons of a level; `304` where the caller has them already. They change when a level is loaded again, which is seldom, and
/// are the largest answer the page asks for.
async fn grids(State(door): State<Arc<Door>>, Query(Level { level }): Query<Level>, headers: HeaderMap) -> Result<Response, Problem> {
    let world = world(&door).await?;
    let level = level.or_else(|| world.grids.finest_level().map(str::to_owned)).unwrap_or_default();
    let body = world.grids.to_geojson(&level);
    let tag = entity_tag(body.as_bytes());
    // A browser may keep them, and asks each time whether they are still these.
    let kept = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    Ok((kept, [(header::CONTENT_TYPE, "application/geo+json")], body).into_response())
}

/// The content's hash, cut to 128 bits. Not the grids' version: two lakes that are shown at one address one after the other may have
/// the same.
fn entity_tag(body: &[u8]) -> String {
    let hex: String = sha2::Sha256::digest(body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether the caller has what bears this tag: RFC 9110, 13.1.2, by weak comparison.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let asked = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    asked.map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygons_are_sent_again_only_when_they_are_others() {
        let tag = entity_tag(b"{}");
        let asking = |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
        assert_ne!(tag, entity_tag(b"{ }"));
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert!(has(&asking(&known), &tag), "{known}");
        }
        assert!(!has(&asking("\"other\""), &tag));
        assert!(!has(&HeaderMap::new(), &tag));
    }
}
