//! The only place that presents a [`Function`] to DataFusion as a scalar function.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Result, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

use crate::arguments::Arguments;
use crate::function::Function;

/// The function as DataFusion knows it.
pub(crate) fn scalar(function: &'static Function) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Rowwise { function, signature: function.datafusion_signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rowwise {
    function: &'static Function,
    signature: Signature,
}

impl ScalarUDFImpl for Rowwise {
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

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&call.args)?;
        // Constants alone come as arrays of one row, whatever the batch; DataFusion repeats an array of one row only if it
        // is told that it is a constant.
        let constant = call.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = columns.first().map_or(call.number_rows, |column| column.len());
        let answer = (self.function.evaluate)(&Arguments::new(self.function, &self.function.return_type(), &columns, rows))?;
        if answer.len() != rows {
            return internal_err!("{} answered {} of {rows} rows", self.function.name, answer.len());
        }
        if constant && rows == 1 {
            return Ok(ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(answer))
    }
}
