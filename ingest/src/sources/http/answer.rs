//! The only place that words the ingest port's answers: 202 with what was refused, or an RFC 9457 problem document.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use contract::Reason;
use contract::log::LogError;
use serde::Serialize;
use serde_json::json;

use crate::PublishError;

/// One refused record of a request.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) index: usize,
    pub(super) field: String,
    pub(super) reason: Reason,
    pub(super) detail: String,
}

/// A request that was not taken, as RFC 9457 has it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    retry_after_seconds: Option<u32>,
    close: bool,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after_seconds: None, close: false }
    }

    pub(super) fn too_large(bytes_max: usize, what: &str) -> Self {
        // The rest of the body is not read, so the connection cannot be used again.
        Self {
            close: true,
            ..Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body with {what} has at most {bytes_max} bytes; send less at once"))
        }
    }

    pub(super) fn too_many_records(records_max: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {records_max} records; send fewer at once"))
    }

    pub(super) fn media(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    pub(super) fn busy(status: StatusCode, detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(status, detail) }
    }

    pub(super) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The log pushed back (429) or failed (503). Retrying is safe: what was taken already is a duplicate then.
    pub(super) fn of_log(error: &PublishError) -> Self {
        match error.source {
            LogError::Full { .. } => Self::busy(StatusCode::TOO_MANY_REQUESTS, "the log is full at present; send again later", 1),
            _ => {
                tracing::error!(error = error as &(dyn std::error::Error + 'static), "log did not take the records of a request");
                Self::busy(StatusCode::SERVICE_UNAVAILABLE, "the log does not take records at present; send again later", 5)
            }
        }
    }

    pub(super) fn response(self) -> Response {
        let document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = json_response(self.status, "application/problem+json", &document);
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.close {
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        response
    }
}

/// 202, or 400 where every record was refused. Either way all of them are durable.
pub(super) fn published(accepted: usize, rejected: Vec<Refused>) -> Response {
    if accepted == 0 && !rejected.is_empty() {
        let document = json!({
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": format!("all {} records were refused; they are kept in quarantine", rejected.len()),
            "accepted": 0,
            "rejected": rejected,
        });
        return json_response(StatusCode::BAD_REQUEST, "application/problem+json", &document);
    }
    json_response(StatusCode::ACCEPTED, "application/json", &json!({"accepted": accepted, "rejected": rejected}))
}

fn json_response(status: StatusCode, media: &'static str, document: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media));
    response
}
