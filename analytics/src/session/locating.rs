//! The grid dimension in SQL: table `grids`, and `grid_at(lon, lat)` and `address_grid(text)`, which are what locating uses.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use contract::grids::GridSet;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

/// Table `grids`: the dimension, and whether a grid is of the finest level, where statistics are computed.
pub(super) fn with_finest(grids: &GridSet) -> Result<RecordBatch> {
    let batch = grids.to_batch();
    let levels = arrow::compute::cast(batch.column_by_name("level").expect("grids have a level"), &DataType::Utf8)?;
    let finest: BooleanArray =
        levels.as_string::<i32>().iter().map(|level| Some(level.is_some() && level == grids.finest_level())).collect();
    let fields =
        batch.schema().fields().iter().cloned().chain([Arc::new(Field::new("finest", DataType::Boolean, false))]).collect::<Vec<_>>();
    let columns = batch.columns().iter().cloned().chain([Arc::new(finest) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Registers both over `grids`.
pub(super) fn register(session: &SessionContext, grids: &Arc<GridSet>) {
    let points = Arc::clone(grids);
    let grid_at = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let (lon, lat) = (arrays[0].as_primitive::<Float64Type>(), arrays[1].as_primitive::<Float64Type>());
        let found = lon.iter().zip(lat).map(|point| point.0.zip(point.1).and_then(|(lon, lat)| points.grid_at(lon, lat)));
        Ok(ColumnarValue::Array(Arc::new(found.collect::<StringArray>()) as ArrayRef))
    };
    session.register_udf(create_udf(
        "grid_at",
        vec![DataType::Float64, DataType::Float64],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(grid_at),
    ));
    let names = Arc::clone(grids);
    let address_grid = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let addresses = arrays[0].as_string::<i32>();
        let found = (0..addresses.len()).map(|row| addresses.is_valid(row).then(|| names.address_grid(addresses.value(row))).flatten());
        Ok(ColumnarValue::Array(Arc::new(found.collect::<StringArray>()) as ArrayRef))
    };
    session.register_udf(create_udf("address_grid", vec![DataType::Utf8], DataType::Utf8, Volatility::Immutable, Arc::new(address_grid)));
}
