//! The addresses of the page and what stands behind each; the only place that lists them.

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::forward::{Bounds, Forward};
use crate::problem::Problem;
use crate::security::harden;
use crate::{DoorAddress, PageSettings, Readiness, assets};

/// A level's name is a word; what is longer is a mistake or an attack.
const QUERY_BYTES_MAX: usize = 512;

#[derive(Clone)]
struct Page {
    forward: Forward,
    readiness: Readiness,
    settings: PageSettings,
}

/// The page's addresses: the embedded page at `/`, `/livez`, `/readyz`, `GET /v1/page`, and `POST /v1/sql` and `GET /v1/grids.geojson`
/// handed on to the SQL door.
pub fn router(door: DoorAddress, readiness: Readiness, settings: PageSettings) -> Router {
    bounded(door, readiness, settings, Bounds::default())
}

pub(crate) fn bounded(door: DoorAddress, readiness: Readiness, settings: PageSettings, bounds: Bounds) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/v1/page", get(settings_of_page))
        .route("/v1/sql", post(sql).fallback(post_only))
        .route("/v1/grids.geojson", get(grids))
        .fallback(get(assets::file))
        .layer(map_response(harden))
        .with_state(Page { forward: Forward::new(door, bounds), readiness, settings })
}

async fn live() -> &'static str {
    "live\n"
}

async fn ready(State(page): State<Page>) -> Response {
    match page.readiness.ask() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not ready", reason).into_response(),
    }
}

async fn settings_of_page(State(page): State<Page>) -> Json<PageSettings> {
    Json(page.settings)
}

/// Only `application/json` is taken: a foreign web page cannot send it here without asking first, which we never allow.
async fn sql(State(page): State<Page>, headers: HeaderMap, body: Body) -> Response {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let detail = format!("content type {media:?} is not taken; send {{\"sql\":\"SELECT …\"}} as application/json");
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported media type", detail).into_response();
    }
    page.forward.hand_on(Method::POST, "/v1/sql", &headers, body).await
}

async fn post_only() -> Response {
    let detail = "send POST with {\"sql\":\"SELECT …\"} as application/json";
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", detail).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn grids(State(page): State<Page>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        let detail = format!("the query is {} bytes, at most {QUERY_BYTES_MAX}; it takes level=<name> only", query.len());
        return Problem::new(StatusCode::BAD_REQUEST, "query too long", detail).into_response();
    }
    let path = if query.is_empty() { "/v1/grids.geojson".to_owned() } else { format!("/v1/grids.geojson?{query}") };
    page.forward.hand_on(Method::GET, &path, &headers, Body::empty()).await
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use axum::body::to_bytes;
    use axum::http::Request;
    use axum::http::header::{CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, RETRY_AFTER};
    use serde_json::{Value, json};
    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tower::ServiceExt;

    use super::*;

    const SHORT: Bounds = Bounds {
        body_bytes_max: 64,
        body_time_max: Duration::from_millis(100),
        answer_time_max: Duration::from_millis(300),
        questions_max: 1,
    };

    /// A door that says what it was asked; `sleep` never answers, `bad` is refused as the real one refuses.
    async fn door() -> SocketAddr {
        async fn answer(body: String) -> Response {
            if body.contains("sleep") {
                std::future::pending::<()>().await;
            }
            if body.contains("bad") {
                return Problem::new(StatusCode::BAD_REQUEST, "statement refused", "column \"bad\" does not exist").into_response();
            }
            Json(json!({"asked": body})).into_response()
        }
        async fn polygons(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
            if headers.get(IF_NONE_MATCH).is_some() {
                return StatusCode::NOT_MODIFIED.into_response();
            }
            ([(ETAG, "\"v1\"")], Json(json!({"query": query}))).into_response()
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/sql", post(answer)).route("/v1/grids.geojson", get(polygons));
        tokio::spawn(async move { door_loop(listener, router).await });
        address
    }

    async fn door_loop(listener: TcpListener, router: Router) {
        crate::serve(listener, router, std::future::pending()).await.unwrap();
    }

    async fn page() -> Router {
        bounded(DoorAddress::fixed(door().await), Readiness::always(), PageSettings::default(), SHORT)
    }

    fn question(body: impl Into<Body>) -> Request<Body> {
        Request::post("/v1/sql").header(CONTENT_TYPE, "application/json").body(body.into()).unwrap()
    }

    fn look(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    async fn outcome(page: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let response = page.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (parts.status, parts.headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    #[tokio::test]
    async fn question_reaches_the_door_and_its_answer_comes_back() {
        let (status, headers, body) = outcome(&page().await, question(r#"{"sql":"SELECT 1"}"#)).await;
        assert_eq!((status, body), (StatusCode::OK, json!({"asked": r#"{"sql":"SELECT 1"}"#})));
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(headers["cache-control"], "no-store");
    }

    #[tokio::test]
    async fn refusal_of_the_door_passes_unchanged() {
        let (status, headers, body) = outcome(&page().await, question("bad")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["detail"], "column \"bad\" does not exist");
    }

    #[tokio::test]
    async fn door_that_is_away_is_a_503_with_retry_after_and_is_found_again_on_another_port() {
        let (moved, watched) = watch::channel(None);
        let page = bounded(DoorAddress::watched(watched), Readiness::always(), PageSettings::default(), SHORT);
        let (status, headers, body) = outcome(&page, question("{}")).await;
        assert_eq!((status, &body["title"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("SQL door is away")));
        assert_eq!(headers[RETRY_AFTER], "2");
        for _ in 0..2 {
            moved.send_replace(Some(door().await));
            assert_eq!(outcome(&page, question("{}")).await.0, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn door_that_refuses_connections_is_a_503() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let page = bounded(DoorAddress::fixed(nobody), Readiness::always(), PageSettings::default(), SHORT);
        assert_eq!(outcome(&page, question("{}")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn body_beyond_its_bounds_is_refused_before_the_door_sees_it() {
        let page = page().await;
        assert_eq!(outcome(&page, question("x".repeat(65))).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        let never = Body::from_stream(never_coming());
        assert_eq!(outcome(&page, question(never)).await.0, StatusCode::REQUEST_TIMEOUT);
    }

    /// A body that never comes.
    fn never_coming() -> impl futures::Stream<Item = Result<Vec<u8>, std::io::Error>> + Send {
        futures::stream::pending()
    }

    #[tokio::test]
    async fn silent_door_is_a_504_and_a_crowded_one_a_503() {
        let page = page().await;
        let (slow, crowded) = tokio::join!(outcome(&page, question("sleep")), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            outcome(&page, question("{}")).await
        });
        assert_eq!(slow.0, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!((crowded.0, &crowded.2["title"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("too many questions")));
        assert_eq!(outcome(&page, question("{}")).await.0, StatusCode::OK, "the place is free again");
    }

    #[tokio::test]
    async fn form_post_of_a_foreign_page_is_refused() {
        let request = Request::post("/v1/sql").header(CONTENT_TYPE, "text/plain").body(Body::from("{}")).unwrap();
        assert_eq!(outcome(&page().await, request).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(outcome(&page().await, look("/v1/sql")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn polygons_keep_their_level_and_their_tag() {
        let page = page().await;
        let (status, headers, body) = outcome(&page, look("/v1/grids.geojson?level=%E9%87%8C")).await;
        assert_eq!((status, body), (StatusCode::OK, json!({"query": "level=%E9%87%8C"})));
        let again = Request::get("/v1/grids.geojson").header(IF_NONE_MATCH, headers[ETAG].clone()).body(Body::empty()).unwrap();
        assert_eq!(outcome(&page, again).await.0, StatusCode::NOT_MODIFIED);
        assert_eq!(outcome(&page, look(&format!("/v1/grids.geojson?level={}", "x".repeat(600)))).await.0, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn readiness_is_asked_and_liveness_is_not() {
        let readiness = Readiness::new(|| Err("the lake is not open yet".into()));
        let page = bounded(DoorAddress::fixed(door().await), readiness, PageSettings::default(), SHORT);
        let (status, _, body) = outcome(&page, look("/readyz")).await;
        assert_eq!((status, &body["detail"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("the lake is not open yet")));
        assert_eq!(outcome(&page, look("/livez")).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn every_answer_forbids_inline_script_and_frames() {
        let page = page().await;
        for path in ["/", "/livez", "/v1/page", "/no/such", "/v1/sql"] {
            let (_, headers, _) = outcome(&page, look(path)).await;
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        }
    }

    #[tokio::test]
    async fn page_learns_the_time_zone_of_its_city() {
        let (_, _, body) = outcome(&page().await, look("/v1/page")).await;
        assert_eq!(body, json!({"time_zone": "Asia/Shanghai", "city_zh": "", "city_en": ""}));
    }
}
