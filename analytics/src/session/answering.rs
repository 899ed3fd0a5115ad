//! What the table functions of the session share: arguments that stand in the statement itself, and a query of ours as the answer.
//!
//! A table function is a table whose rows a query computes when it is scanned. Its columns are declared before, so the query's are cast to
//! them; filters and columns asked for are handed to the query, whose plan the optimizer then cuts down.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use contract::schema::time_type;
use datafusion::catalog::Session;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast};
use datafusion::physical_plan::ExecutionPlan;

/// What a column holds.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    Text,
    Number,
    Integer,
    Instant,
}

/// The schema of a function's rows. Comments stay out of it: the plan behind has none, and an aggregate compares the two.
pub(super) fn schema(columns: &[(&str, Holds)]) -> SchemaRef {
    let data_type = |holds| match holds {
        Holds::Text => DataType::Utf8,
        Holds::Number => DataType::Float64,
        Holds::Integer => DataType::Int64,
        Holds::Instant => time_type(),
    };
    let fields: Vec<Field> = columns.iter().map(|(name, holds)| Field::new(*name, data_type(*holds), true)).collect();
    Arc::new(Schema::new(fields))
}

/// The argument `as_of` of `function`; `None` for NULL. `usage` says how to write the call.
pub(super) fn instant(argument: &Expr, function: &str, usage: &str) -> Result<Option<DateTime<Utc>>> {
    let Expr::Literal(value, _) = argument else {
        return plan_err!("the as_of of {function} is an instant in the statement itself, not {argument}: {usage}");
    };
    let refused = || DataFusionError::Plan(format!("the as_of of {function} is an instant, not {value}: {usage}"));
    let micros = value.cast_to(&time_type()).map_err(|_| refused())?.to_array()?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    if micros.is_null(0) {
        return Ok(None);
    }
    DateTime::from_timestamp_micros(micros.value(0)).map(Some).ok_or_else(refused)
}

/// The state of the session that scans, in which the query is planned.
pub(super) fn state<'s>(session: &'s dyn Session, function: &str) -> Result<&'s SessionState> {
    match session.as_any().downcast_ref::<SessionState>() {
        Some(state) => Ok(state),
        None => exec_err!("{function} is answered in a session of gridwatch only"),
    }
}

/// The rows of `statement`, in the columns declared.
pub(super) async fn plan(
    state: &SessionState,
    statement: &str,
    columns: &SchemaRef,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = state.create_logical_plan(statement).await?;
    let typed: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .zip(columns.fields())
        .map(|(column, field)| cast(Expr::Column(column), field.data_type().clone()).alias(field.name()))
        .collect();
    let mut rows = LogicalPlanBuilder::from(plan).project(typed)?;
    if let Some(filter) = conjunction(filters.to_vec()) {
        rows = rows.filter(filter)?;
    }
    if let Some(projection) = projection {
        rows = rows.select(projection.iter().copied())?;
    }
    state.create_physical_plan(&rows.build()?).await
}
