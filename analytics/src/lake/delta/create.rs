//! Making a table, and holding one that stands against what it is to be.

use arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::StructType;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::{DeltaTable, DeltaTableError, TableProperty};

use crate::lake::{LakeError, TableSpec};

pub(super) async fn create(spec: &TableSpec) -> Result<DeltaTable, DeltaTableError> {
    let kernel: StructType = spec.schema.as_ref().try_into_kernel()?;
    let mut builder = CreateBuilder::new()
        .with_location(url::Url::from_directory_path(&spec.root).map_err(|()| DeltaTableError::generic("the folder is not absolute"))?)
        .with_table_name(&spec.name)
        .with_comment(&spec.comment)
        .with_columns(kernel.fields().cloned())
        .with_configuration_property(TableProperty::DataSkippingStatsColumns, Some(spec.bounded_columns.join(",")));
    if !spec.partition_columns.is_empty() {
        builder = builder.with_partition_columns(&spec.partition_columns);
    }
    builder.await
}

/// The spec, if the table has its columns.
pub(super) fn check_columns(spec: TableSpec, found: &SchemaRef) -> Result<TableSpec, LakeError> {
    let names = |schema: &Schema| schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect::<Vec<_>>();
    let (wanted, found) = (names(&spec.schema), names(found));
    let missing: Vec<_> = wanted.iter().filter(|column| !found.contains(column)).cloned().collect();
    if missing.is_empty() && wanted.len() == found.len() {
        return Ok(spec);
    }
    Err(LakeError::SchemaDiffers {
        table: spec.name,
        path: spec.root.display().to_string(),
        detail: format!("wanted {missing:?} of {} columns, found {} columns", wanted.len(), found.len()),
    })
}
