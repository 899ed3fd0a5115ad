//! The only place that presents a [`Function`] to DataFusion as an aggregate.
//!
//! The rows of a group are kept and put in order when the answer is asked for: by the `ORDER BY` of the call, then by the
//! arguments themselves. So neither the order of arrival nor the number of partitions or batches can change a result.
//! The memory is the group's rows; it is reported to DataFusion, whose pool is the bound.

use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortColumn, SortOptions, concat, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::cast::{as_list_array, as_struct_array};
use datafusion_common::{Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature};

use crate::arguments::Arguments;
use crate::function::{Function, Kind};

/// The function as DataFusion knows it.
pub(crate) fn aggregate(function: &'static Function) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Aggregated { function, signature: function.datafusion_signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Aggregated {
    function: &'static Function,
    signature: Signature,
}

impl AggregateUDFImpl for Aggregated {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce(given)
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.function.return_type())
    }

    /// We sort for ourselves, so no `SortExec` is needed, but the ordering columns must reach us.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Beneficial
    }

    /// Rows that come in order are sorted all the same: an order by value still breaks their ties.
    fn with_beneficial_ordering(self: Arc<Self>, _in_order: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let types = arguments.input_fields.iter().chain(arguments.ordering_fields).map(|f| f.data_type().clone());
        let rows = DataType::List(Arc::new(Field::new_list_field(DataType::Struct(row_fields(types)), true)));
        Ok(vec![Arc::new(Field::new(format_state_name(arguments.name, "rows"), rows, true))])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let name = self.function.name;
        if arguments.is_distinct {
            return plan_err!("{name} takes no DISTINCT: every row counts");
        }
        if self.function.kind == Kind::OrderedAggregate && arguments.order_bys.is_empty() {
            return plan_err!("{name} needs the order of its values: write {}", self.function.signature());
        }
        let mut types: Vec<DataType> = arguments.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        for order in arguments.order_bys {
            types.push(order.expr.data_type(arguments.schema)?);
        }
        let orders = arguments.order_bys.iter().map(|o| o.options).collect();
        Ok(Box::new(Rows { function: self.function, fields: row_fields(types.into_iter()), orders, parts: Vec::new() }))
    }
}

fn row_fields(types: impl Iterator<Item = DataType>) -> Fields {
    types.enumerate().map(|(i, data_type)| Field::new(format!("c{i}"), data_type, true)).collect()
}

/// Parts to collect before they are put together, so that many small batches do not become many small arrays.
const PARTS_MAX: usize = 64;

/// The rows of a group: arguments, then ordering columns.
#[derive(Debug)]
struct Rows {
    function: &'static Function,
    fields: Fields,
    orders: Vec<SortOptions>,
    parts: Vec<StructArray>,
}

impl Rows {
    fn push(&mut self, part: StructArray) -> Result<()> {
        if !part.is_empty() {
            self.parts.push(part);
        }
        if self.parts.len() >= PARTS_MAX {
            self.gather()?;
        }
        Ok(())
    }

    /// All rows as one array; what was gathered is kept, so asking twice costs once.
    fn gather(&mut self) -> Result<StructArray> {
        if self.parts.is_empty() {
            return Ok(StructArray::new_null(self.fields.clone(), 0));
        }
        if self.parts.len() > 1 {
            let parts: Vec<&dyn Array> = self.parts.iter().map(|part| part as &dyn Array).collect();
            let all = as_struct_array(concat(&parts)?.as_ref())?.clone();
            self.parts = vec![all];
        }
        Ok(self.parts[0].clone())
    }

    fn sorted(&mut self) -> Result<Vec<ArrayRef>> {
        let rows = self.gather()?;
        let arguments = self.fields.len() - self.orders.len();
        let ordering = rows.columns()[arguments..].iter().zip(&self.orders);
        let by_order = ordering.map(|(values, options)| SortColumn { values: Arc::clone(values), options: Some(*options) });
        let by_value = rows.columns()[..arguments].iter().filter(|column| sortable(column.data_type()));
        let keys: Vec<SortColumn> =
            by_order.chain(by_value.map(|values| SortColumn { values: Arc::clone(values), options: None })).collect();
        let order = lexsort_to_indices(&keys, None)?;
        rows.columns()[..arguments].iter().map(|column| Ok(take(column, &order, None)?)).collect()
    }
}

/// Lists are options of the whole call (the same in every row): they need no order, and Arrow has none for them.
fn sortable(data_type: &DataType) -> bool {
    !data_type.is_nested() && !data_type.is_null()
}

impl Accumulator for Rows {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if columns.len() < self.fields.len() {
            return internal_err!("{} got {} of {} columns", self.function.name, columns.len(), self.fields.len());
        }
        self.push(StructArray::try_new(self.fields.clone(), columns[..self.fields.len()].to_vec(), None)?)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.gather()?;
        let field = Arc::new(Field::new_list_field(rows.data_type().clone(), true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths([rows.len()]), Arc::new(rows), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = as_list_array(&states[0])?;
        (0..lists.len()).filter(|i| lists.is_valid(*i)).try_for_each(|i| self.push(as_struct_array(&lists.value(i))?.clone()))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let columns = self.sorted()?;
        let rows = columns.first().map_or(0, |column| column.len());
        let answer = (self.function.evaluate)(&Arguments::new(self.function, &self.function.return_type(), &columns, rows))?;
        if answer.len() != 1 {
            return internal_err!("{} answered {} rows for one group", self.function.name, answer.len());
        }
        ScalarValue::try_from_array(&answer, 0)
    }

    fn size(&self) -> usize {
        // Groups share the buffers of the batch their rows came in: each counts its own rows of them, or a thousand groups of one batch
        // would be taken for a thousand batches, and refused for want of memory.
        let parts = self.parts.iter().map(|part| part.to_data().get_slice_memory_size().unwrap_or_else(|_| part.get_array_memory_size()));
        size_of_val(self) + parts.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array};

    use super::*;
    use crate::mann_kendall;

    /// Values and their time, to be taken in order of time.
    fn rows(descending: bool) -> Rows {
        let fields = row_fields([DataType::Float64, DataType::Int64].into_iter());
        Rows { function: &mann_kendall::FUNCTION, fields, orders: vec![SortOptions::new(descending, true)], parts: Vec::new() }
    }

    fn columns(rows: &[(f64, i64)]) -> Vec<ArrayRef> {
        let values: Float64Array = rows.iter().map(|r| Some(r.0)).collect();
        let times: Int64Array = rows.iter().map(|r| Some(r.1)).collect();
        vec![Arc::new(values), Arc::new(times)]
    }

    /// S of an answer.
    fn s(answer: &ScalarValue) -> String {
        let ScalarValue::Struct(fields) = answer else { panic!("{answer:?}") };
        ScalarValue::try_from_array(fields.column(0), 0).unwrap().to_string()
    }

    const RISING: [(f64, i64); 4] = [(4.0, 40), (1.0, 10), (3.0, 30), (2.0, 20)];

    #[test]
    fn rows_are_taken_in_the_order_of_the_call() {
        for (descending, expected) in [(false, "6"), (true, "-6")] {
            let mut group = rows(descending);
            group.update_batch(&columns(&RISING)).unwrap();
            assert_eq!(s(&group.evaluate().unwrap()), expected);
        }
    }

    #[test]
    fn parts_merged_in_any_order_give_one_answer() {
        let mut whole = rows(false);
        whole.update_batch(&columns(&RISING)).unwrap();
        let mut merged = rows(false);
        for row in &RISING {
            let mut part = rows(false);
            part.update_batch(&columns(&[*row])).unwrap();
            let state = part.state().unwrap();
            merged.merge_batch(&[state[0].to_array().unwrap()]).unwrap();
        }
        merged.merge_batch(&[rows(false).state().unwrap()[0].to_array().unwrap()]).unwrap();
        assert_eq!(merged.evaluate().unwrap(), whole.evaluate().unwrap());
        assert_eq!(merged.evaluate().unwrap(), whole.evaluate().unwrap(), "asking twice is allowed");
    }

    #[test]
    fn many_small_batches_are_gathered_and_counted() {
        let mut group = rows(false);
        for t in 0..1000 {
            group.update_batch(&columns(&[(t as f64, t)])).unwrap();
        }
        assert!(group.parts.len() <= PARTS_MAX);
        assert!(group.size() >= 16_000);
        assert_eq!(s(&group.evaluate().unwrap()), "499500");
    }

    #[test]
    fn groups_that_share_a_batch_share_its_size() {
        let batch: Vec<(f64, i64)> = (0..1000).map(|t| (t as f64, t)).collect();
        let batch = columns(&batch);
        let groups = (0..1000).map(|row| {
            let mut group = rows(false);
            group.update_batch(&batch.iter().map(|column| column.slice(row, 1)).collect::<Vec<_>>()).unwrap();
            group.size()
        });
        assert!(groups.sum::<usize>() < 1_000_000, "a thousand rows of two numbers");
    }

    #[test]
    fn a_group_without_rows_has_its_reason() {
        assert!(rows(false).evaluate().unwrap().to_string().contains("short_history"));
    }
}
