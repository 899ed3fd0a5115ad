//! Calls a function as DataFusion does, without a session: columns in, a column out.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, ListBuilder, StringArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::compute::{SortOptions, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion_common::{Result, ScalarValue, config::ConfigOptions};
use datafusion_expr::function::{AccumulatorArgs, PartitionEvaluatorArgs};
use datafusion_expr::{Accumulator, ColumnarValue, ScalarFunctionArgs};
use datafusion_physical_expr::{PhysicalExpr, PhysicalSortExpr, expressions::Column};
use proptest::prelude::ProptestConfig;

/// A thousand cases, and no file of failures: the message holds the case.
pub(crate) fn thousand() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) }
}

pub(crate) fn numbers(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

pub(crate) fn known(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    numbers(values.into_iter().map(Some))
}

pub(crate) fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<Int64Array>())
}

pub(crate) fn booleans(values: impl IntoIterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<BooleanArray>())
}

pub(crate) fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(crate) fn text_lists(lists: impl IntoIterator<Item = Option<Vec<String>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in lists {
        list.iter().flatten().for_each(|text| builder.values().append_value(text));
        builder.append(list.is_some());
    }
    Arc::new(builder.finish())
}

/// The same list of numbers in each row.
pub(crate) fn number_lists(list: &[f64], rows: usize) -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(
        (0..rows).map(|_| Some(list.iter().map(|x| Some(*x)).collect::<Vec<_>>())),
    ))
}

/// Rows of columns, in this order.
pub(crate) fn taken(columns: &[ArrayRef], order: &[u32]) -> Vec<ArrayRef> {
    let order = UInt32Array::from(order.to_vec());
    columns.iter().map(|column| take(column, &order, None).unwrap()).collect()
}

/// A window function over one partition.
pub(crate) fn window(name: &str, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let function = functions::windows().into_iter().find(|f| f.name() == name).unwrap();
    function.partition_evaluator_factory(PartitionEvaluatorArgs::default())?.evaluate_all(columns, rows)
}

/// A scalar function over one batch.
pub(crate) fn scalar(name: &str, columns: &[ArrayRef]) -> Result<ArrayRef> {
    let function = functions::scalars().into_iter().find(|f| f.name() == name).unwrap();
    let fields = fields(columns);
    let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
    let rows = columns[0].len();
    let call = ScalarFunctionArgs {
        args: columns.iter().map(|column| ColumnarValue::Array(Arc::clone(column))).collect(),
        arg_fields: fields,
        number_rows: rows,
        return_field: Arc::new(Field::new("r", function.return_type(&types)?, true)),
        config_options: Arc::new(ConfigOptions::default()),
    };
    function.invoke_with_args(call)?.into_array(rows)
}

fn fields(columns: &[ArrayRef]) -> Vec<FieldRef> {
    columns.iter().enumerate().map(|(i, column)| Arc::new(Field::new(format!("c{i}"), column.data_type().clone(), true))).collect()
}

/// An aggregate over one group whose rows come in batches to several partitions, whose states are then merged.
pub(crate) struct Group<'a> {
    pub(crate) name: &'a str,
    /// Arguments, then the column of `ORDER BY` if the function is ordered.
    pub(crate) columns: &'a [ArrayRef],
    pub(crate) ordered: bool,
}

impl Group<'_> {
    fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        let function = functions::aggregates().into_iter().find(|f| f.name() == self.name).unwrap();
        let arguments = self.columns.len() - usize::from(self.ordered);
        let fields = fields(self.columns);
        let types: Vec<DataType> = self.columns[..arguments].iter().map(|column| column.data_type().clone()).collect();
        let schema = Schema::new(fields.iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>());
        let column = |i: usize| Arc::new(Column::new(&format!("c{i}"), i)) as Arc<dyn PhysicalExpr>;
        let order = self.ordered.then(|| PhysicalSortExpr::new(column(arguments), SortOptions::new(false, false)));
        let orders: Vec<PhysicalSortExpr> = order.into_iter().collect();
        let expressions: Vec<_> = (0..arguments).map(column).collect();
        function.accumulator(AccumulatorArgs {
            return_field: Arc::new(Field::new("r", function.return_type(&types)?, true)),
            schema: &schema,
            ignore_nulls: false,
            order_bys: &orders,
            is_reversed: false,
            name: self.name,
            is_distinct: false,
            exprs: &expressions,
            expr_fields: &fields[..arguments],
        })
    }

    /// All rows at once.
    pub(crate) fn whole(&self) -> Result<ArrayRef> {
        let mut all = self.accumulator()?;
        all.update_batch(self.columns)?;
        all.evaluate()?.to_array()
    }

    /// Rows in batches of `batch`, dealt to `partitions`, whose states are merged from the last to the first.
    pub(crate) fn dealt(&self, partitions: usize, batch: usize) -> Result<ArrayRef> {
        let mut parts = (0..partitions).map(|_| self.accumulator()).collect::<Result<Vec<_>>>()?;
        let rows = self.columns[0].len();
        for (i, start) in (0..rows).step_by(batch.max(1)).enumerate() {
            let length = batch.max(1).min(rows - start);
            let columns: Vec<ArrayRef> = self.columns.iter().map(|column| column.slice(start, length)).collect();
            parts[i % partitions].update_batch(&columns)?;
        }
        let mut all = self.accumulator()?;
        for part in parts.iter_mut().rev() {
            all.merge_batch(&[part.state()?[0].to_array()?])?;
        }
        all.evaluate()?.to_array()
    }
}

/// An aggregate over all rows at once, in any order.
pub(crate) fn aggregate(name: &str, columns: &[ArrayRef]) -> Result<ArrayRef> {
    Group { name, columns, ordered: false }.whole()
}

/// An aggregate over values in the order they stand in.
pub(crate) fn in_order(name: &str, columns: &[ArrayRef]) -> Result<ArrayRef> {
    let mut columns = columns.to_vec();
    columns.push(integers((0_i64..).take(columns[0].len())));
    Group { name, columns: &columns, ordered: true }.whole()
}

/// The named results: of a struct a column, of a list of structs that of its first list.
pub(crate) fn part(answer: &ArrayRef, name: &str) -> ArrayRef {
    let rows = answer.as_any().downcast_ref::<ListArray>().map_or_else(|| Arc::clone(answer), |list| list.value(0));
    let rows: &StructArray = rows.as_any().downcast_ref().unwrap();
    Arc::clone(rows.column_by_name(name).unwrap())
}

pub(crate) fn floats(column: &ArrayRef) -> Vec<Option<f64>> {
    column.as_any().downcast_ref::<Float64Array>().unwrap().iter().collect()
}

pub(crate) fn wholes(column: &ArrayRef) -> Vec<Option<i64>> {
    column.as_any().downcast_ref::<Int64Array>().unwrap().iter().collect()
}

pub(crate) fn flags(column: &ArrayRef) -> Vec<Option<bool>> {
    column.as_any().downcast_ref::<BooleanArray>().unwrap().iter().collect()
}

pub(crate) fn strings(column: &ArrayRef) -> Vec<Option<String>> {
    column.as_any().downcast_ref::<StringArray>().unwrap().iter().map(|text| text.map(str::to_owned)).collect()
}

/// Columns with rows of nothing before them, cut off again: what a batch looks like behind another.
pub(crate) fn behind_others(columns: &[ArrayRef]) -> Vec<ArrayRef> {
    let shifted = |column: &ArrayRef| {
        let nothing = ScalarValue::try_new_null(column.data_type()).unwrap().to_array_of_size(3).unwrap();
        concat(&[nothing.as_ref(), column.as_ref()]).unwrap().slice(3, column.len())
    };
    columns.iter().map(shifted).collect()
}
