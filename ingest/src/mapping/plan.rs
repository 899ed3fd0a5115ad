//! The only place that says DataFusion about a mapping: the SQL is planned once for each header, checked to look at one row at a time, and kept
//! as physical expressions that are evaluated on a batch without starting a query.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::SchemaError;
use datafusion::common::config::Dialect;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, Query, SelectItem, SetExpr, Statement, TableFactor, visit_expressions};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::MappingError;
use super::events::check_columns;
use crate::feeds::Feed;
use crate::nearest::hint;

/// Column of `raw`: the row's number in the input, from 1.
pub(super) const ROW_NUMBER: &str = "row_number";
/// Column of `raw`: the input's name.
pub(super) const FILE_NAME: &str = "file_name";

/// A mapping compiled for one header.
#[derive(Debug)]
pub(super) struct Plan {
    /// The columns of `raw` it reads.
    pub(super) input: SchemaRef,
    steps: Vec<Vec<(String, Arc<dyn PhysicalExpr>)>>,
}

/// What a mapping's text names.
pub(super) struct Names {
    /// Names it reads and gives no meaning itself: columns of `raw`.
    pub(super) columns: BTreeSet<String>,
    /// Names it gives and reads: mostly columns of its own sub-queries, but `trim(a) AS a` reads a column of `raw` as well.
    pub(super) ambiguous: BTreeSet<String>,
}

/// The names in a mapping. Which of them are columns of `raw` decides what JSON rows are read for.
pub(super) fn names(feed: &str, sql: &str) -> Result<Names, MappingError> {
    let problem = |problem: String| MappingError::Sql { feed: feed.to_owned(), problem, source: None };
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| problem(error.to_string()))?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err(problem("it must be one SELECT … FROM raw".to_owned()));
    };
    let (mut read, mut given) = (BTreeSet::new(), BTreeSet::new());
    names_given(query, &mut given);
    let visited: ControlFlow<()> = visit_expressions(query, |expr| {
        let ident = match expr {
            SqlExpr::Identifier(ident) => Some(ident),
            SqlExpr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        read.extend(ident.map(column_name));
        ControlFlow::Continue(())
    });
    debug_assert!(visited.is_continue(), "every expression is looked at");
    read.retain(|name| name != ROW_NUMBER && name != FILE_NAME);
    let (ambiguous, columns) = read.into_iter().partition(|name| given.contains(name));
    Ok(Names { columns, ambiguous })
}

/// Collects the aliases a query and its sub-queries give.
fn names_given(query: &Query, given: &mut BTreeSet<String>) {
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        names_given(&table.query, given);
    }
    match &*query.body {
        SetExpr::Query(inner) => names_given(inner, given),
        SetExpr::Select(select) => {
            for item in &select.projection {
                if let SelectItem::ExprWithAlias { alias, .. } = item {
                    given.insert(column_name(alias));
                }
            }
            for table in &select.from {
                if let TableFactor::Derived { subquery, .. } = &table.relation {
                    names_given(subquery, given);
                }
            }
        }
        _ => {}
    }
}

fn column_name(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

impl Plan {
    pub(super) fn compile(feed: &Feed, columns: &[String], file: &str, functions: Vec<ScalarUDF>) -> Result<Self, MappingError> {
        let sql = feed.mapping.as_deref().unwrap_or_default();
        let failed = |error| explain(&feed.name, file, columns, error);
        let state = session(columns, functions).map_err(failed)?;
        // Planning over an in-memory catalog waits for nothing, so blocking on it is not blocking.
        let logical = futures::executor::block_on(state.create_logical_plan(sql)).map_err(failed)?;
        let refused = |problem: String| MappingError::Sql { feed: feed.name.clone(), problem, source: None };
        check_repeatable(&logical).map_err(refused)?;
        let optimized = state.optimize(&logical).map_err(failed)?;
        check_columns(feed, optimized.schema().as_arrow())?;
        let mut steps = Vec::new();
        let input = collect(&state, &optimized, &mut steps).map_err(|fault| match fault {
            Unfit::Shape(problem) => refused(problem),
            Unfit::Engine(error) => failed(*error),
        })?;
        Ok(Self { input, steps })
    }

    pub(super) fn evaluate(&self, input: &RecordBatch) -> DataFusionResult<RecordBatch> {
        let rows = input.num_rows();
        let mut batch = input.clone();
        for step in &self.steps {
            let column = |(name, expr): &(String, Arc<dyn PhysicalExpr>)| {
                let array = expr.evaluate(&batch)?.into_array(rows)?;
                Ok((Field::new(name, array.data_type().clone(), true), array))
            };
            let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) =
                step.iter().map(column).collect::<DataFusionResult<Vec<_>>>()?.into_iter().unzip();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
        }
        Ok(batch)
    }
}

fn session(columns: &[String], functions: Vec<ScalarUDF>) -> DataFusionResult<SessionState> {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
    // One kind of text through the whole mapping: views would be copied when the events take their strings.
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    for function in functions {
        context.register_udf(function);
    }
    context.register_table("raw", Arc::new(EmptyTable::new(super::raw_schema(columns))))?;
    Ok(context.state())
}

enum Unfit {
    Shape(String),
    Engine(Box<DataFusionError>),
}

impl From<DataFusionError> for Unfit {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(Box::new(error))
    }
}

/// Collects the projections from the scan upwards and answers the columns the scan reads. Any other operator could drop, join or double rows.
fn collect(state: &SessionState, plan: &LogicalPlan, steps: &mut Vec<Vec<(String, Arc<dyn PhysicalExpr>)>>) -> Result<SchemaRef, Unfit> {
    let advice = match plan {
        LogicalPlan::Projection(projection) => {
            let input = collect(state, &projection.input, steps)?;
            let below = projection.input.schema();
            let physical =
                |(expr, field): (&Expr, &Arc<Field>)| Ok((field.name().clone(), state.create_physical_expr(expr.clone(), below)?));
            steps.push(projection.expr.iter().zip(projection.schema.fields()).map(physical).collect::<DataFusionResult<_>>()?);
            return Ok(input);
        }
        LogicalPlan::SubqueryAlias(alias) => return collect(state, &alias.input, steps),
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
            let fields = scan.projected_schema.fields().clone();
            return Ok(Arc::new(Schema::new(fields)));
        }
        LogicalPlan::TableScan(_) | LogicalPlan::Filter(_) => "WHERE would make rows vanish; give them a reject_reason instead",
        LogicalPlan::Limit(_) => "LIMIT would make rows vanish",
        LogicalPlan::Sort(_) => "ORDER BY has no meaning, rows keep their order",
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) | LogicalPlan::Window(_) => {
            "it must look at one row at a time, without aggregates, windows or DISTINCT"
        }
        LogicalPlan::Join(_) | LogicalPlan::Union(_) | LogicalPlan::Subquery(_) => {
            "it must look at one row at a time, without joins, unions or sub-queries"
        }
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => "it must select FROM raw and keep every row",
        _ => "it must be a plain SELECT … FROM raw",
    };
    Err(Unfit::Shape(advice.to_owned()))
}

/// A row mapped again must become the same event, or a retry would count twice.
fn check_repeatable(plan: &LogicalPlan) -> Result<(), String> {
    let mut found = None;
    let visited = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr {
                    let clock = ["now", "current_date", "current_time", "current_timestamp", "today"].contains(&call.func.name());
                    if clock || call.func.signature().volatility == Volatility::Volatile {
                        found = Some(call.func.name().to_owned());
                        return Ok(TreeNodeRecursion::Stop);
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    match (visited, found) {
        (_, Some(name)) => Err(format!("{name}() gives another answer each time; a row mapped again must become the same event")),
        (Err(error), None) => Err(error.to_string()),
        (Ok(_), None) => Ok(()),
    }
}

fn explain(feed: &str, file: &str, columns: &[String], error: DataFusionError) -> MappingError {
    if let DataFusionError::SchemaError(schema_error, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, .. } = &**schema_error
    {
        let column = field.name().to_owned();
        let hint = hint(&column, columns.iter().map(String::as_str));
        return MappingError::MissingColumn { feed: feed.to_owned(), file: file.to_owned(), column, hint };
    }
    let problem = error.strip_backtrace();
    MappingError::Sql { feed: feed.to_owned(), problem, source: Some(Box::new(error)) }
}
