//! Rows on standard output: a table for people, csv, json and ndjson for programs.

use std::io::{IsTerminal, Write};

use analytics::metrics::chain;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::json::{ArrayWriter, LineDelimitedWriter};
use arrow::util::pretty::pretty_format_batches;

use crate::cli::Format;
use crate::failure::Failure;

/// Prints rows; a table on a terminal and csv otherwise, unless `format` says so.
pub(crate) fn print(rows: &[RecordBatch], format: Option<Format>) -> Result<(), Failure> {
    let out = std::io::stdout();
    let format = format.unwrap_or(if out.is_terminal() { Format::Table } else { Format::Csv });
    let mut out = std::io::BufWriter::new(out.lock());
    write(rows, format, &mut out).and_then(|()| out.flush().map_err(Into::into)).or_else(|error| {
        // `gridwatch sql … | head` closes our output early; that is no failure.
        let closed = chain(error.as_ref()).contains("Broken pipe");
        if closed { Ok(()) } else { Err(Failure::machine("could not print", error.as_ref())) }
    })
}

fn write(rows: &[RecordBatch], format: Format, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    match format {
        Format::Table => writeln!(out, "{}", pretty_format_batches(rows)?)?,
        Format::Csv => {
            let flat = rows.iter().map(flat).collect::<Result<Vec<_>, _>>()?;
            let mut writer = arrow::csv::Writer::new(out);
            flat.iter().try_for_each(|batch| writer.write(batch))?;
        }
        Format::Json => {
            let mut writer = ArrayWriter::new(out);
            writer.write_batches(&rows.iter().collect::<Vec<_>>())?;
            writer.finish()?;
        }
        Format::Ndjson => {
            let mut writer = LineDelimitedWriter::new(out);
            writer.write_batches(&rows.iter().collect::<Vec<_>>())?;
            writer.finish()?;
        }
    }
    Ok(())
}

/// csv knows no lists and structs: they are shown as text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        if !matches!(field.data_type(), DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(_, _)) {
            return Ok((field.name().clone(), std::sync::Arc::clone(column)));
        }
        let options = arrow::util::display::FormatOptions::default();
        let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options)?;
        let shown = arrow::array::StringArray::from_iter_values((0..column.len()).map(|row| formatter.value(row).to_string()));
        Ok((field.name().clone(), std::sync::Arc::new(shown) as arrow::array::ArrayRef))
    });
    RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>, arrow::error::ArrowError>>()?)
}

/// Rows of text under these headings.
pub(crate) fn texts(headings: &[&str], rows: &[Vec<String>]) -> Result<RecordBatch, Failure> {
    let columns = headings.iter().enumerate().map(|(index, heading)| {
        let column = arrow::array::StringArray::from_iter_values(rows.iter().map(|row| row[index].as_str()));
        (*heading, std::sync::Arc::new(column) as arrow::array::ArrayRef)
    });
    RecordBatch::try_from_iter(columns).map_err(|error| Failure::machine("could not lay out rows", &error))
}
