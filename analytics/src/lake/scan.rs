//! A table version as DataFusion scans it: a list of Parquet files, resolved once, pruned by what the partition columns say.
//!
//! Plain `DataSourceExec` over named files is also what a distributed engine can ship to its workers (D12). Besides their own
//! values, partitions by month bound the table's time column, so `WHERE occurred_at >= …` opens only the months it needs.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::{DataFile, Snapshot};

/// Name of the partition column that bounds the time column: `YYYY-MM`, UTC.
pub const MONTH: &str = "month";

/// A pinned version of a lake table.
#[derive(Debug)]
pub struct PinnedTable {
    snapshot: Snapshot,
    table_schema: TableSchema,
    /// The time column whose month is the partition column [`MONTH`].
    time_column: Option<&'static str>,
}

impl PinnedTable {
    /// The files of `snapshot`; `time_column` is what [`MONTH`] is the month of.
    pub fn new(snapshot: Snapshot, time_column: Option<&'static str>) -> Self {
        let (partition, file): (Vec<FieldRef>, Vec<FieldRef>) =
            snapshot.schema.fields().iter().cloned().partition(|field| snapshot.partition_columns.contains(field.name()));
        let table_schema = TableSchema::builder(Arc::new(Schema::new(file))).with_table_partition_cols(partition).build();
        Self { snapshot, table_schema, time_column }
    }

    /// The pinned version.
    pub const fn version(&self) -> u64 {
        self.snapshot.version
    }

    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&DataFile>> {
        let all: Vec<&DataFile> = self.snapshot.files.iter().collect();
        let Some(predicate) = self.physical(state, filters)? else { return Ok(all) };
        let Some(pruning) = PruningPredicateBuilder::new().with_file_schema(self.schema()).build(predicate) else { return Ok(all) };
        let kept = pruning.prune(&FileBounds { table: self, files: &all })?;
        Ok(all.into_iter().zip(kept).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    fn physical(&self, state: &dyn Session, filters: &[Expr]) -> Result<Option<Arc<dyn datafusion::physical_plan::PhysicalExpr>>> {
        let Some(all) = conjunction(filters.iter().cloned()) else { return Ok(None) };
        let schema = DFSchema::try_from(self.schema())?;
        state.create_physical_expr(all, &schema).map(Some)
    }

    fn partitioned(&self, file: &DataFile) -> Result<PartitionedFile> {
        let path = self.snapshot.root.join(&file.path);
        let path = object_store::path::Path::from_absolute_path(&path)
            .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
        let mut partitioned = PartitionedFile::new(path.to_string(), file.bytes);
        // The store decodes names once; a partition folder's own percent signs must survive it.
        partitioned.object_meta.location = path;
        let values = self.table_schema.table_partition_cols().iter().map(|field| self.partition_value(file, field.name()));
        Ok(partitioned.with_partition_values(values.collect()))
    }

    fn partition_value(&self, file: &DataFile, column: &str) -> ScalarValue {
        let index = self.snapshot.partition_columns.iter().position(|name| name == column);
        ScalarValue::Utf8(index.and_then(|index| file.partition[index].clone()))
    }
}

#[async_trait]
impl TableProvider for PinnedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table_schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows: Option<u64> = self.snapshot.files.iter().map(|file| file.rows).sum();
        let rows = rows.and_then(|rows| usize::try_from(rows).ok())?;
        Some(Statistics::new_unknown(&self.schema()).with_num_rows(Precision::Exact(rows)))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.prune(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema().project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        // Files never change, so what their footers say is kept from one cut's queries to the next's.
        let runtime = state.runtime_env();
        let store = runtime.object_store(ObjectStoreUrl::local_filesystem())?;
        let footers = CachedParquetFileReaderFactory::new(store, runtime.cache_manager.get_file_metadata_cache());
        let mut source = ParquetSource::new(self.table_schema.clone())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(footers));
        if let Some(predicate) = self.physical(state, filters)? {
            source = source.with_predicate(predicate);
        }
        let files = files.into_iter().map(|file| self.partitioned(file)).collect::<Result<Vec<_>>>()?;
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// What is known of each file without opening it.
struct FileBounds<'a> {
    table: &'a PinnedTable,
    files: &'a [&'a DataFile],
}

impl FileBounds<'_> {
    fn bounds(&self, column: &Column, of_month: impl Fn(&str) -> Option<i64>) -> Option<ArrayRef> {
        let partition = |name: &str| ScalarValue::iter_to_array(self.files.iter().map(|file| self.table.partition_value(file, name))).ok();
        if self.table.snapshot.partition_columns.contains(&column.name) {
            return partition(&column.name);
        }
        if self.table.time_column != Some(column.name.as_str()) {
            return None;
        }
        let month = self.table.snapshot.partition_columns.iter().position(|name| name == MONTH)?;
        let instants = self
            .files
            .iter()
            .map(|file| ScalarValue::TimestampMicrosecond(file.partition[month].as_deref().and_then(&of_month), Some("UTC".into())));
        ScalarValue::iter_to_array(instants).ok()
    }
}

impl PruningStatistics for FileBounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |month| month_bounds(month).map(|(first, _)| first))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |month| month_bounds(month).map(|(_, last)| last))
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// First and last microsecond of a month `YYYY-MM`, UTC.
fn month_bounds(month: &str) -> Option<(i64, i64)> {
    let first = chrono::NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    let next = first.checked_add_months(chrono::Months::new(1))?;
    let micros = |day: chrono::NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros();
    Some((micros(first), micros(next) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_bounded_by_its_first_and_last_microsecond() {
        assert_eq!(month_bounds("2024-12"), Some((1_733_011_200_000_000, 1_735_689_599_999_999)));
        assert_eq!(month_bounds("none"), None);
    }
}
