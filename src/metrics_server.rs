//! The address of `/metrics`.

use analytics::metrics::Metrics;
use axum::Router;
use axum::http::header;
use axum::routing::get;

/// The route.
pub(crate) fn router(metrics: Metrics) -> Router {
    let answer = move || {
        let text = metrics.text();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    Router::new().route("/metrics", get(answer))
}
