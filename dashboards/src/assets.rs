//! The embedded page: the only place that knows `web/dist`. Files are served as they were built, the compressed twin where the browser takes it.
//!
//! `web/dist` may be absent when the crate is compiled (someone works on the pipeline and has no Node): the crate still compiles and says
//! on its page how to build it.

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

/// File names under `assets/` carry a hash of their content, so a browser may keep them for ever.
const HASHED: &str = "assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>gridwatch: page not built</title>\
<h1>The duty page is not in this binary</h1>\
<p>It was compiled without <code>dashboards/web/dist</code>. Build the page, then the binary again:</p>\
<pre>cd dashboards/web\nnpm ci\nnpm run build\ncd ../..\ncargo build --release</pre>\
<p><code>make up</code> does both. SQL works without the page: <code>POST /v1/sql</code>.</p></html>";

/// Answers every path that is not part of the interface with a file of the page.
pub(crate) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Dist::get(path) {
        Some(file) => found(path, &file, &headers),
        None if path == "index.html" => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
        None => {
            Problem::new(StatusCode::NOT_FOUND, "no such page", format!("nothing is served at {:?}; the duty page is at /", uri.path()))
                .into_response()
        }
    }
}

fn found(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = entity_tag(file);
    let cache = if path.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN };
    let common =
        [(CACHE_CONTROL, HeaderValue::from_static(cache)), (ETAG, tag.clone()), (VARY, HeaderValue::from_static("accept-encoding"))];
    if headers.get(IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let compressed = if takes_gzip(headers) { Dist::get(&format!("{path}.gz")) } else { None };
    let encoding = compressed.is_some().then(|| (CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    let body = Body::from(compressed.map_or_else(|| file.data.to_vec(), |twin| twin.data.into_owned()));
    let mut response = (common, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, content_type(file));
    response.headers_mut().extend(encoding);
    response
}

/// The content's hash, cut to 128 bits: enough to tell two builds apart. Weak, because the compressed twin bears it too.
fn entity_tag(file: &EmbeddedFile) -> HeaderValue {
    let hex: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("W/\"{hex}\"")).expect("hex digits in quotes are a header value")
}

fn content_type(file: &EmbeddedFile) -> HeaderValue {
    let mime = file.metadata.mimetype();
    let text = if mime.starts_with("text/") { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn asking(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(encoding))])
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        assert!(takes_gzip(&asking("br, gzip;q=0.8")));
        assert!(!takes_gzip(&asking("gzip;q=0, br")));
        assert!(!takes_gzip(&asking("identity")));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn page_is_served_or_says_how_to_build_it() {
        let response = file(Uri::from_static("/"), HeaderMap::new()).await;
        let built = Dist::get("index.html").is_some();
        assert_eq!(response.status(), if built { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE });
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(if built { "<script type=\"module\"" } else { "npm run build" }), "{text}");
    }

    #[tokio::test]
    async fn unknown_path_is_named_in_the_refusal() {
        let response = file(Uri::from_static("/no/such"), HeaderMap::new()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("/no/such"));
    }

    #[tokio::test]
    async fn hashed_files_are_kept_for_ever_and_the_page_is_asked_again() {
        let Some(script) = Dist::iter().find(|path| path.ends_with(".js")) else {
            // Past the test's capture, which hides what a test that passes prints.
            std::io::stderr().write_all(b"skipped: the page is not built (npm run build in dashboards/web)\n").unwrap();
            return;
        };
        let response = file(format!("/{script}").parse().unwrap(), asking("gzip")).await;
        assert_eq!(response.headers()[CACHE_CONTROL], FOR_EVER);
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        let page = file(Uri::from_static("/"), HeaderMap::new()).await;
        assert_eq!(page.headers()[CACHE_CONTROL], ASK_AGAIN);
        assert!(page.headers().get(CONTENT_ENCODING).is_none());
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, page.headers()[ETAG].clone())]);
        assert_eq!(file(Uri::from_static("/"), known).await.status(), StatusCode::NOT_MODIFIED);
    }
}
