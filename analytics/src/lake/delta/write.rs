//! Rows into Parquet files.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::partition;
use deltalake_core::kernel::Add;
use deltalake_core::parquet::basic::{Compression, Encoding, ZstdLevel};
use deltalake_core::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use deltalake_core::parquet::schema::types::ColumnPath;
use deltalake_core::writer::{DeltaWriter, RecordBatchWriter, WriteMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Table, spec_name, store_error};
use crate::lake::{LakeError, TableSpec, Written};

/// Rows of one partition that lie together, on the average of a batch, for them to be written where they lie; where they are fewer the
/// batch is sorted apart, which copies it.
const STRETCH_ROWS: usize = 8;

/// Pieces of rows that may wait to be encoded, beside the ones that are.
const PIECES_WAITING: usize = 1;

impl Table {
    /// Writes files of this table while others, or it, commit to it.
    pub fn writer(&self) -> Writer {
        Writer { table: self.table.clone(), spec: self.spec.clone() }
    }

    /// Writes rows into files.
    pub(super) async fn write(&self, rows: Vec<RecordBatch>, packing: Packing) -> Result<LooseFiles, LakeError> {
        write(&self.table, &self.spec, rows, packing).await
    }
}

/// Writes files of a table, whatever version it stands at.
#[derive(Debug)]
pub struct Writer {
    table: DeltaTable,
    spec: TableSpec,
}

impl Writer {
    /// Begins files for one commit.
    ///
    /// # Errors
    /// The table cannot be written by us.
    pub fn begin(&self) -> Result<NewFiles, LakeError> {
        NewFiles::begin(&self.table, &self.spec, Packing::Quick)
    }

    /// Writes rows into files.
    ///
    /// # Errors
    /// The store fails, or a batch has other columns than the table.
    pub async fn write(&self, rows: Vec<RecordBatch>) -> Result<LooseFiles, LakeError> {
        write(&self.table, &self.spec, rows, Packing::Quick).await
    }
}

async fn write(table: &DeltaTable, spec: &TableSpec, rows: Vec<RecordBatch>, packing: Packing) -> Result<LooseFiles, LakeError> {
    if rows.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(LooseFiles::default());
    }
    let mut files = NewFiles::begin(table, spec, packing)?;
    files.add(rows).await;
    files.finish().await
}

/// Files that are written and that no version of their table holds yet. Who commits them may be another process than the one that wrote
/// them; where nobody does, they go with the files that crashes leave ([`Table::vacuum`]).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LooseFiles(pub(super) Vec<Add>);

impl LooseFiles {
    /// Takes in others.
    pub fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

/// Files on their way: rows are encoded while more of them are decided. Unless they are finished nothing of them stays.
#[derive(Debug)]
pub struct NewFiles {
    /// Of the table: its name and folder.
    table: (String, String),
    /// Rows, or that no more come.
    rows: mpsc::Sender<Option<Vec<RecordBatch>>>,
    written: JoinHandle<Result<Vec<Add>, DeltaTableError>>,
}

impl NewFiles {
    fn begin(table: &DeltaTable, spec: &TableSpec, packing: Packing) -> Result<Self, LakeError> {
        let failed = |source| store_error(&spec_name(spec), "begin files of", source);
        let mut writer = RecordBatchWriter::for_table(table).map_err(failed)?.with_writer_properties(writer_properties(spec, packing));
        let names = spec.partition_columns.clone();
        let (rows, mut given) = mpsc::channel(PIECES_WAITING);
        let writing = async move {
            while let Some(rows) = given.recv().await {
                match rows {
                    Some(rows) => encode(&mut writer, rows, &names).await?,
                    None => return writer.flush().await,
                }
            }
            Ok(Vec::new())
        };
        // A thread of its own: encoding takes the processor for long, and its buffers, of megabytes, are used again by the thread that
        // used them before.
        let runtime = Handle::current();
        let written = spawn_blocking(move || runtime.block_on(writing));
        Ok(Self { table: spec_name(spec), rows, written })
    }

    /// Adds rows; each batch has the table's columns. What goes wrong with them is told when the files are finished.
    pub async fn add(&mut self, rows: Vec<RecordBatch>) {
        // Not taken where encoding has failed.
        drop(self.rows.send(Some(rows)).await);
    }

    /// Waits until all rows are written.
    ///
    /// # Errors
    /// The store fails, or a batch has other columns than the table.
    pub async fn finish(self) -> Result<LooseFiles, LakeError> {
        drop(self.rows.send(None).await);
        let written = self.written.await.map_err(|error| DeltaTableError::generic(error.to_string())).flatten();
        written.map(LooseFiles).map_err(|source| store_error(&self.table, "write rows of", source))
    }
}

async fn encode(writer: &mut RecordBatchWriter, rows: Vec<RecordBatch>, partition_columns: &[String]) -> Result<(), DeltaTableError> {
    let schema = writer.arrow_schema();
    for batch in rows {
        let columns = schema.fields().iter().map(|field| batch.column_by_name(field.name()).cloned()).collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| DeltaTableError::generic("a batch lacks a column of the table"))?;
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let Some(stretches) = stretches(&batch, partition_columns) else {
            writer.write(batch).await?;
            continue;
        };
        for (rows, values) in stretches {
            let partition = partition_columns.iter().cloned().zip(values.into_iter().map(Into::into)).collect();
            writer.write_partition(rows, &partition, WriteMode::Default).await?;
        }
    }
    Ok(())
}

/// The batch as stretches of rows of one partition each, with the values of its columns; `None` where it has to be sorted apart.
fn stretches(batch: &RecordBatch, columns: &[String]) -> Option<Vec<(RecordBatch, Vec<String>)>> {
    let keys: Vec<ArrayRef> = columns.iter().map(|column| batch.column_by_name(column).cloned()).collect::<Option<_>>()?;
    let text = |key| AsArray::as_string_opt::<i32>(key).filter(|texts| texts.null_count() == 0);
    let texts: Vec<&StringArray> = keys.iter().map(text).collect::<Option<_>>()?;
    let ranges = partition(&keys).ok()?.ranges();
    let few = ranges.len() <= 1 + batch.num_rows() / STRETCH_ROWS;
    let stretch = |range: std::ops::Range<usize>| {
        (batch.slice(range.start, range.len()), texts.iter().map(|texts| texts.value(range.start).to_owned()).collect())
    };
    few.then(|| ranges.into_iter().map(stretch).collect())
}

/// How closely files are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Snappy, and that only where much is gained, for files that compaction writes anew before long.
    Quick,
    /// zstd at its quickest level, a third smaller, for files that stay.
    Close,
}

fn writer_properties(spec: &TableSpec, packing: Packing) -> WriterProperties {
    let (compression, bounds) = match packing {
        // Of few files that are soon merged no reader skips much by more than the bounds the table's log says.
        Packing::Quick => (Compression::SNAPPY, EnabledStatistics::None),
        Packing::Close => (Compression::ZSTD(ZstdLevel::try_new(1).expect("zstd has a level 1")), EnabledStatistics::Page),
    };
    let packed = WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(bounds)
        // A page of the first version is put together once more before it is packed.
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_encoding(Encoding::PLAIN);
    let column = |properties: WriterPropertiesBuilder, (path, written): &(&str, Written)| {
        let path = ColumnPath::new(path.split('.').map(ToOwned::to_owned).collect());
        let properties = match written {
            Written::Names | Written::Opaque | Written::Long => {
                properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
            }
            Written::Plain | Written::Rising => properties,
        };
        let properties = match (packing, written) {
            (Packing::Quick, Written::Plain | Written::Rising | Written::Opaque) => {
                properties.set_column_compression(path.clone(), Compression::UNCOMPRESSED)
            }
            _ => properties,
        };
        match written {
            Written::Names => properties,
            Written::Plain | Written::Opaque | Written::Long => properties.set_column_dictionary_enabled(path, false),
            Written::Rising => {
                properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
            }
        }
    };
    let bounded = |properties: WriterPropertiesBuilder, column: &String| match packing {
        Packing::Quick => properties.set_column_statistics_enabled(ColumnPath::from(column.as_str()), EnabledStatistics::Chunk),
        Packing::Close => properties,
    };
    let written = spec.written.iter().fold(packed, column);
    spec.bounded_columns.iter().fold(written, bounded).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(parts: &[(&str, usize)]) -> RecordBatch {
        let months: StringArray = parts.iter().flat_map(|(month, rows)| std::iter::repeat_n(Some(*month), *rows)).collect();
        RecordBatch::try_from_iter([("month", Arc::new(months) as ArrayRef)]).unwrap()
    }

    fn stretched(parts: &[(&str, usize)]) -> Option<Vec<(usize, String)>> {
        let found = stretches(&batch(parts), &["month".to_owned()])?;
        Some(found.into_iter().map(|(rows, mut values)| (rows.num_rows(), values.remove(0))).collect())
    }

    #[test]
    fn rows_of_a_partition_are_written_where_they_lie_unless_partitions_alternate() {
        assert_eq!(stretched(&[("2026-01", 40)]), Some(vec![(40, "2026-01".into())]));
        let between = [("2026-01", 20), ("none", 1), ("2026-01", 19)];
        assert_eq!(stretched(&between), Some(between.map(|(month, rows)| (rows, month.into())).to_vec()));
        assert_eq!(stretched(&[("2026-01", 1)]), Some(vec![(1, "2026-01".into())]));
        assert_eq!(stretched(&[("2026-01", 1), ("2026-02", 1)].repeat(20)), None);
        assert!(stretches(&batch(&[("2026-01", 9)]), &[]).is_none(), "a table without partitions is not taken apart");
    }
}
