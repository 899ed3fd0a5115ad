//! Makes the functions known to a DataFusion session, by kind.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;
use datafusion_expr::{AggregateUDF, ScalarUDF, Signature, Volatility, WindowUDF};

use crate::function::{Function, Kind};
use crate::{FUNCTIONS, aggregate, scalar, window};

/// All scalar functions.
pub fn scalars() -> Vec<Arc<ScalarUDF>> {
    of_kind(&[Kind::Scalar]).map(scalar::scalar).collect()
}

/// All aggregates.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    of_kind(&[Kind::Aggregate, Kind::OrderedAggregate]).map(aggregate::aggregate).collect()
}

/// All window functions.
pub fn windows() -> Vec<Arc<WindowUDF>> {
    let known = Arc::default();
    of_kind(&[Kind::Window, Kind::OrderedWindow]).map(|function| window::window(function, &known)).collect()
}

/// Adds all functions to a session. Errors if the registry is read only.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in scalars() {
        registry.register_udf(function)?;
    }
    for function in aggregates() {
        registry.register_udaf(function)?;
    }
    for function in windows() {
        registry.register_udwf(function)?;
    }
    Ok(())
}

fn of_kind(kinds: &'static [Kind]) -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().copied().filter(|function| kinds.contains(&function.kind))
}

impl Function {
    /// What DataFusion is told: any types (they are coerced by us), the names of the arguments.
    pub(crate) fn datafusion_signature(&self) -> Signature {
        let names = self.arguments.iter().map(|argument| argument.name).collect();
        Signature::user_defined(Volatility::Immutable)
            .with_parameter_names(names)
            .expect("the names of the arguments differ: a test of the list says so")
    }
}
