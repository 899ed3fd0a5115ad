//! `gridwatch sql`: one statement or a prompt, over the lake itself or a running door.

use std::sync::Arc;

use analytics::metrics::chain;
use analytics::session::{World, Worlds};
use arrow::array::RecordBatch;
use rustyline::error::ReadlineError;
use tokio_postgres::SimpleQueryMessage;

use crate::cli::{Place, SqlOptions};
use crate::failure::Failure;
use crate::{output, pipeline};

/// Where statements are run.
enum Engine {
    Lake(Box<Worlds>),
    Door(tokio_postgres::Client),
}

/// Runs the command.
pub(crate) async fn run(options: SqlOptions) -> Result<(), Failure> {
    let statement = match (&options.statement, &options.file) {
        (Some(statement), _) => Some(statement.clone()),
        (None, Some(path)) => {
            Some(std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("could not read \"{}\": {error}", path.display())))?)
        }
        (None, None) => None,
    };
    let mut engine = open(&options.rows.place, options.url.as_deref()).await?;
    match statement {
        Some(statement) => output::print(&engine.rows(&statement).await?, options.rows.format),
        None => prompt(&mut engine, &options).await,
    }
}

async fn open(place: &Place, url: Option<&str>) -> Result<Engine, Failure> {
    if let Some(url) = url {
        let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(|error| Failure::away(&format!("could not connect to {url}"), &error))?;
        tokio::spawn(connection);
        return Ok(Engine::Door(client));
    }
    pipeline::existing(place)?;
    let worlds = Worlds::open(&place.lake(), pipeline::session(place)?).await;
    Ok(Engine::Lake(Box::new(worlds.map_err(|error| Failure::machine("could not open the lake", &error))?)))
}

impl Engine {
    async fn rows(&mut self, statement: &str) -> Result<Vec<RecordBatch>, Failure> {
        match self {
            Self::Lake(worlds) => {
                let world: Arc<World> = worlds.newest().await.map_err(|error| Failure::machine("could not open the lake", &error))?;
                world.query(statement).await.map_err(|error| Failure::refused(chain(&error)))
            }
            Self::Door(client) => {
                let messages = client.simple_query(statement).await.map_err(|error| Failure::refused(chain(&error)))?;
                texts(&messages)
            }
        }
    }
}

/// The door's simple protocol answers text, which is what is printed anyway.
fn texts(messages: &[SimpleQueryMessage]) -> Result<Vec<RecordBatch>, Failure> {
    let mut headings: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => headings = columns.iter().map(|column| column.name().to_owned()).collect(),
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect::<Vec<_>>())
            }
            _ => {}
        }
    }
    if headings.is_empty() {
        return Ok(Vec::new());
    }
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    Ok(vec![output::texts(&headings, &rows)?])
}

async fn prompt(engine: &mut Engine, options: &SqlOptions) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::machine("could not open the prompt", error);
    let mut editor = rustyline::DefaultEditor::new().map_err(|error| failed(&error))?;
    let history = options.rows.place.data_dir.join("sql-history");
    // A first prompt has no history yet.
    drop(editor.load_history(&history));
    let mut statement = String::new();
    loop {
        let line = match editor.readline(if statement.is_empty() { "gridwatch> " } else { "        -> " }) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                statement.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(failed(&error)),
        };
        if statement.is_empty() && matches!(line.trim(), "exit" | "quit" | "\\q") {
            break;
        }
        statement.push_str(&line);
        statement.push('\n');
        if !line.trim_end().ends_with(';') {
            continue;
        }
        let whole = std::mem::take(&mut statement);
        // History is a convenience: a full disk must not end the prompt.
        drop(editor.add_history_entry(whole.trim()));
        drop(editor.save_history(&history));
        match engine.rows(&whole).await {
            Ok(rows) => output::print(&rows, options.rows.format)?,
            Err(failure) => drop(failure.report()),
        }
    }
    Ok(())
}
