//! Schema `system`: the product explains itself in SQL.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use contract::schema;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::error::Result;
use functions::FunctionDoc;
use functions::Language::{En, Zh};

use super::memory_table;
use crate::cut::Cut;
use crate::jobs::results::JobTables;

/// The tables of `system` that are not views.
pub(super) fn schema(cut: &Cut, jobs: &JobTables, lake: &Path) -> Result<Arc<dyn SchemaProvider>> {
    let tables = MemorySchemaProvider::new();
    for (name, batch) in [
        ("offsets", offsets(cut)?),
        ("commits", commits(cut, lake)?),
        ("watermarks", watermarks(cut)?),
        ("functions", functions()?),
        ("jobs", jobs.describe()?),
        ("quarantine_reasons", reasons()?),
    ] {
        tables.register_table(name.to_owned(), memory_table(batch)?)?;
    }
    Ok(Arc::new(tables))
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn offsets(cut: &Cut) -> Result<RecordBatch> {
    let split = |name: &String| {
        name.rsplit_once('/').map_or((name.clone(), 0), |(topic, partition)| (topic.to_owned(), partition.parse().unwrap_or(0)))
    };
    let rows: Vec<((String, i64), u64)> = cut.offsets.iter().map(|(name, next)| (split(name), *next)).collect();
    Ok(RecordBatch::try_from_iter([
        ("log_topic", text(rows.iter().map(|((topic, _), _)| topic.as_str()))),
        ("log_partition", Arc::new(Int64Array::from_iter_values(rows.iter().map(|((_, partition), _)| *partition))) as ArrayRef),
        ("next_offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, next)| next.cast_signed())))),
    ])?)
}

fn watermarks(cut: &Cut) -> Result<RecordBatch> {
    let at = TimestampMicrosecondArray::from_iter_values(cut.watermarks.values().map(|at| at.timestamp_micros())).with_timezone("UTC");
    Ok(RecordBatch::try_from_iter([("source", text(cut.watermarks.keys().map(String::as_str))), ("watermark", Arc::new(at) as ArrayRef)])?)
}

/// The versions this world is pinned at.
fn commits(cut: &Cut, lake: &Path) -> Result<RecordBatch> {
    let paths = [lake.join("records"), lake.join("cells")].map(|path| path.display().to_string());
    let at = TimestampMicrosecondArray::from_iter_values([cut.committed_at.timestamp_micros(); 2]).with_timezone("UTC");
    let as_of = TimestampMicrosecondArray::from_iter([cut.as_of().map(|at| at.timestamp_micros()); 2]).with_timezone("UTC");
    Ok(RecordBatch::try_from_iter([
        ("table_name", text(["records", "cells"].into_iter())),
        ("version", Arc::new(Int64Array::from_iter_values([cut.records.cast_signed(), cut.cells.cast_signed()])) as ArrayRef),
        ("committed_at", Arc::new(at)),
        ("as_of", Arc::new(as_of)),
        ("path", text(paths.iter().map(String::as_str))),
    ])?)
}

/// The functions in the words of their pages.
fn functions() -> Result<RecordBatch> {
    let all = functions::documentation();
    let column = |of: fn(&FunctionDoc) -> &str| text(all.iter().map(of));
    let made =
        |of: &dyn Fn(&FunctionDoc) -> String| Arc::new(all.iter().map(|function| Some(of(function))).collect::<StringArray>()) as ArrayRef;
    Ok(RecordBatch::try_from_iter([
        ("name", column(|function| function.name)),
        ("kind", column(|function| function.kind)),
        ("signature", column(|function| &function.signature)),
        ("question_en", column(|function| function.words.question.en)),
        ("question_zh", column(|function| function.words.question.zh)),
        ("explanation_en", column(|function| function.words.explanation.en)),
        ("explanation_zh", column(|function| function.words.explanation.zh)),
        ("formula", column(|function| function.words.formula)),
        ("arguments_en", made(&|function| function.arguments_text(En))),
        ("arguments_zh", made(&|function| function.arguments_text(Zh))),
        ("results_en", made(&|function| function.results_text(En))),
        ("results_zh", made(&|function| function.results_text(Zh))),
        ("nulls_en", made(&|function| function.undefined_text(En))),
        ("nulls_zh", made(&|function| function.undefined_text(Zh))),
        ("cautions_en", made(&|function| function.cautions_text(En))),
        ("cautions_zh", made(&|function| function.cautions_text(Zh))),
        ("example", column(|function| function.words.example.statement)),
        ("literature", made(&|function| function.words.literature.join("\n"))),
    ])?)
}

fn reasons() -> Result<RecordBatch> {
    let all: Vec<_> = schema::reasons().collect();
    Ok(RecordBatch::try_from_iter([
        ("reason", text(all.iter().map(|(name, _, _)| *name))),
        ("en", text(all.iter().map(|(_, en, _)| *en))),
        ("zh", text(all.iter().map(|(_, _, zh)| *zh))),
    ])?)
}
