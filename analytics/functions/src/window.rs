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
    Arc::new(WindowUDF::from(Windowed { function, signature: function.datafusion_signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Windowed {
    function: &'static Function,
    signature: Signature,
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
        Ok(Arc::new(Field::new(arguments.name(), self.function.return_type(), true)))
    }

    fn partition_evaluator(&self, arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        if arguments.ignore_nulls() {
            return plan_err!("{} takes no IGNORE NULLS: it answers a NULL with NULL and a reason", self.function.name);
        }
        Ok(Box::new(Evaluator { function: self.function }))
    }
}

#[derive(Debug)]
struct Evaluator {
    function: &'static Function,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let answer = (self.function.evaluate)(&Arguments::new(self.function, columns, rows))?;
        if answer.len() != rows {
            return internal_err!("{} answered {} of {rows} rows", self.function.name, answer.len());
        }
        Ok(answer)
    }

    fn evaluate(&mut self, _columns: &[ArrayRef], _range: &Range<usize>) -> Result<ScalarValue> {
        internal_err!("{} is computed for whole partitions", self.function.name)
    }
}
