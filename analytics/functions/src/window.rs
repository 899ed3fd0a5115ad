//! The only place that presents a [`Function`] to DataFusion as a window function.
//!
//! All rows of a partition are computed at once and the frame is not used, so neither frame nor batch size can matter.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, WindowUDF, WindowUDFImpl};

use crate::arguments::Arguments;
use crate::function::Function;

/// The function as DataFusion knows it.
pub(crate) fn window(function: &'static Function) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(Windowed { function, signature: function.datafusion_signature(), returns: function.return_type() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Windowed {
    function: &'static Function,
    signature: Signature,
    returns: DataType,
}

impl WindowUDFImpl for Windowed {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce(given)
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), self.returns.clone(), true)))
    }

    fn partition_evaluator(&self, arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        if arguments.ignore_nulls() {
            return plan_err!("{} takes no IGNORE NULLS: it answers a NULL with NULL and a reason", self.function.name);
        }
        Ok(Box::new(Evaluator { function: self.function, returns: self.returns.clone() }))
    }
}

#[derive(Debug)]
struct Evaluator {
    function: &'static Function,
    returns: DataType,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let answer = (self.function.evaluate)(&Arguments::new(self.function, &self.returns, columns, rows))?;
        if answer.len() != rows {
            return internal_err!("{} answered {} of {rows} rows", self.function.name, answer.len());
        }
        Ok(answer)
    }

    fn evaluate(&mut self, _columns: &[ArrayRef], _range: &Range<usize>) -> Result<ScalarValue> {
        internal_err!("{} is computed for whole partitions", self.function.name)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Float64Array;

    use super::*;
    use crate::FUNCTIONS;

    /// Every window function over a partition of NULLs of the types it asks for.
    #[test]
    fn a_partition_of_nulls_has_an_answer_a_row() {
        for function in FUNCTIONS.iter().filter(|f| window_kind(f)) {
            let types = function.coerce(&vec![DataType::Null; function.arguments.len()]).unwrap();
            for rows in [0, 1, 3] {
                let columns: Vec<ArrayRef> = types.iter().map(|t| arrow::array::new_null_array(t, rows)).collect();
                let answer = Evaluator { function, returns: function.return_type() }.evaluate_all(&columns, rows).unwrap();
                assert_eq!((answer.len(), answer.data_type()), (rows, &function.return_type()), "{}", function.name);
            }
        }
    }

    fn window_kind(function: &Function) -> bool {
        matches!(function.kind, crate::Kind::Window | crate::Kind::OrderedWindow)
    }

    #[test]
    fn trailing_options_may_be_left_out() {
        let ears = FUNCTIONS.iter().find(|f| f.name == "ears_c1").unwrap();
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 9]));
        let answer = Evaluator { function: ears, returns: ears.return_type() }.evaluate_all(&[values], 9).unwrap();
        assert_eq!(answer.len(), 9);
    }
}
