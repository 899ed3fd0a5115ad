//! The only place that presents a [`Function`] to DataFusion as a window function.
//!
//! All rows of a partition are computed at once and the frame is not used, so neither frame nor batch size can matter.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, WindowUDF, WindowUDFImpl};

use crate::arguments::Arguments;
use crate::function::Function;
use crate::neighbours::KnownMap;

/// The function as DataFusion knows it.
pub(crate) fn window(function: &'static Function, known: &Arc<KnownMap>) -> Arc<WindowUDF> {
    let (signature, returns, known) = (function.datafusion_signature(), function.return_type(), Arc::clone(known));
    Arc::new(WindowUDF::from(Windowed { function, signature, returns, known }))
}

#[derive(Debug)]
struct Windowed {
    function: &'static Function,
    signature: Signature,
    returns: DataType,
    /// Shared by all functions of a session: they are called for the same maps.
    known: Arc<KnownMap>,
}

/// All but the function follows from it, or changes no answer.
impl PartialEq for Windowed {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Windowed {}

impl Hash for Windowed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
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
        Ok(Box::new(Evaluator { function: self.function, returns: self.returns.clone(), known: Arc::clone(&self.known) }))
    }
}

#[derive(Debug)]
struct Evaluator {
    function: &'static Function,
    returns: DataType,
    known: Arc<KnownMap>,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let arguments = Arguments::new(self.function, &self.returns, columns, rows).knowing(&self.known);
        let answer = (self.function.evaluate)(&arguments)?;
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

    fn evaluator(function: &'static Function) -> Evaluator {
        Evaluator { function, returns: function.return_type(), known: Arc::default() }
    }

    /// Every window function over a partition of NULLs of the types it asks for.
    #[test]
    fn a_partition_of_nulls_has_an_answer_a_row() {
        for function in FUNCTIONS.iter().filter(|f| window_kind(f)) {
            let types = function.coerce(&vec![DataType::Null; function.arguments.len()]).unwrap();
            for rows in [0, 1, 3] {
                let columns: Vec<ArrayRef> = types.iter().map(|t| arrow::array::new_null_array(t, rows)).collect();
                let answer = evaluator(function).evaluate_all(&columns, rows).unwrap();
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
        let answer = evaluator(ears).evaluate_all(&[values], 9).unwrap();
        assert_eq!(answer.len(), 9);
    }
}
