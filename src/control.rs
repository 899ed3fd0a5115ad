//! How commands reach the `up` that runs on their data folder: a socket in that folder, so whoever may read the folder may ask.
//!
//! `up` holds the log alone; `replay` and `check` on the same folder are carried out by it, and it answers in JSON lines.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};

use crate::failure::Failure;
use crate::replay::{Outcome, Plan};
use crate::up::Running;

/// The socket of a data folder.
pub(crate) fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Serves the folder's socket until it fails.
pub(crate) async fn serve(listener: UnixListener, running: Arc<Running>) -> std::io::Result<()> {
    let router = Router::new().route("/replay", post(replay)).route("/check", post(check)).with_state(running);
    axum::serve(listener, router).await
}

/// One line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// How far it has come.
    Progress {
        /// Rows.
        rows: u64,
        /// Bytes read.
        bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// It is done.
    Done(Value),
    /// It failed, with the sentence.
    Failed(String),
}

async fn replay(State(running): State<Arc<Running>>, Json(plan): Json<Plan>) -> Response {
    let (sender, lines) = tokio::sync::mpsc::channel::<Line>(16);
    tokio::spawn(async move {
        let last = match running.replay(&plan, &sender).await {
            Ok(outcome) => Line::Done(json!(outcome)),
            Err(sentence) => Line::Failed(sentence),
        };
        // The asking command may have gone away; the records stay.
        drop(sender.send(last).await);
    });
    let lines = futures::stream::unfold(lines, |mut lines| async move {
        let line = lines.recv().await?;
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(bytes)), lines))
    });
    Response::new(Body::from_stream(lines))
}

async fn check(State(running): State<Arc<Running>>) -> Json<Value> {
    match running.check().await {
        Ok(findings) => Json(json!(Line::Done(json!(findings)))),
        Err(sentence) => Json(json!(Line::Failed(sentence))),
    }
}

/// Whether an `up` runs on the folder.
pub(crate) async fn is_running(data_dir: &Path) -> bool {
    UnixStream::connect(socket(data_dir)).await.is_ok()
}

/// Asks the `up` of a folder and hears each line of its answer; the last one is the answer.
pub(crate) async fn ask(data_dir: &Path, path: &str, body: &Value, mut heard: impl FnMut(&Line)) -> Result<Value, Failure> {
    let lost = |error: &dyn std::error::Error| Failure::away("the gridwatch that runs on this data folder went away", error);
    let stream = UnixStream::connect(socket(data_dir)).await.map_err(|error| lost(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", "gridwatch")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    let request = request.map_err(|error| lost(&error))?;
    let mut answer = sender.send_request(request).await.map_err(|error| lost(&error))?.into_body();
    let mut waiting = Vec::new();
    while let Some(frame) = answer.frame().await {
        waiting.extend_from_slice(frame.map_err(|error| lost(&error))?.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            if let Some(value) = take(&line, &mut heard)? {
                return Ok(value);
            }
        }
    }
    take(&waiting, &mut heard)?.ok_or_else(|| lost(&std::io::Error::from(std::io::ErrorKind::UnexpectedEof)))
}

fn take(line: &[u8], heard: &mut impl FnMut(&Line)) -> Result<Option<Value>, Failure> {
    match serde_json::from_slice(line) {
        Ok(Line::Done(value)) => Ok(Some(value)),
        Ok(Line::Failed(sentence)) => Err(Failure::machine("the running gridwatch could not do it", &std::io::Error::other(sentence))),
        Ok(progress @ Line::Progress { .. }) => {
            heard(&progress);
            Ok(None)
        }
        Err(_) => Ok(None),
    }
}

/// What a replay ended with, as the table a person sees.
pub(crate) fn outcome(value: Value) -> Result<Outcome, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::machine("could not read the answer", &error))
}
