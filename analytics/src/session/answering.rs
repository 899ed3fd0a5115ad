//! What the table functions of the session share: arguments that stand in the statement itself, and a query of ours as the answer.
//!
//! A table function is a table whose rows a query computes when it is scanned. Its columns are declared before, so the query's are cast to
//! them; filters and columns asked for are handed to the query, whose plan the optimizer then cuts down.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contract::schema::time_type;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast};
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
fn schema(columns: &[(&str, Holds)]) -> SchemaRef {
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

/// What a call asks: becomes a statement when the table is scanned.
#[async_trait]
pub(super) trait Question: fmt::Debug + Send + Sync + 'static {
    /// Name of the function.
    const NAME: &'static str;

    /// The query behind the call, planned in the session that scans.
    async fn statement(&self, state: &SessionState) -> Result<String>;
}

/// The rows of one call.
#[derive(Debug)]
struct Answer<Q> {
    question: Q,
    columns: SchemaRef,
}

/// The table that answers a question, in the columns declared.
pub(super) fn table(question: impl Question, columns: &[(&str, Holds)]) -> Arc<dyn TableProvider> {
    Arc::new(Answer { question, columns: schema(columns) })
}

#[async_trait]
impl<Q: Question> TableProvider for Answer<Q> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// What is not asked for is not computed: the optimizer sees the filter in the query behind.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return exec_err!("{} is answered in a session of gridwatch only", Q::NAME);
        };
        let plan = state.create_logical_plan(&self.question.statement(state).await?).await?;
        let typed: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .zip(self.columns.fields())
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
}
