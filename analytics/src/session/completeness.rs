//! `completeness_curve(as_of)`: within how many hours what share of each source's events is received.
//!
//! The only place that knows what "complete" means: the jobs ask it which days have all but 5 % of their events, and `why` judges the same
//! days. A table function, because a view takes no instant, and a back-test asks as of each look. The estimate stands in
//! `completeness.sql`; its cases are in `completeness/cases.slt`.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;

use super::answering::{self, Holds, Question};
use super::sql_instant;

/// Name of the function.
pub(super) const NAME: &str = "completeness_curve";

const USAGE: &str = "write completeness_curve(TIMESTAMP '2026-01-31T08:00:00Z')";
const CURVE: &str = include_str!("completeness.sql");

/// The columns of its rows; `functions` says what each means.
const COLUMNS: [(&str, Holds); 6] = [
    ("source", Holds::Text),
    ("hours", Holds::Integer),
    ("events", Holds::Integer),
    ("at_risk", Holds::Integer),
    ("share", Holds::Number),
    ("complete_hours", Holds::Integer),
];

/// Adds the function to a session.
pub(super) fn register(session: &SessionContext) {
    session.register_udtf(NAME, Arc::new(Completeness));
}

#[derive(Debug)]
struct Completeness;

impl TableFunctionImpl for Completeness {
    fn call_with_args(&self, arguments: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let [as_of] = arguments.exprs() else {
            return plan_err!("{NAME} takes one argument, not {}: {USAGE}", arguments.exprs().len());
        };
        match answering::instant(as_of, NAME, USAGE)? {
            Some(as_of) => Ok(answering::table(Curve { as_of }, &COLUMNS)),
            None => plan_err!("the as_of of {NAME} is NULL: {USAGE}"),
        }
    }
}

/// One call.
#[derive(Debug)]
struct Curve {
    as_of: DateTime<Utc>,
}

#[async_trait]
impl Question for Curve {
    const NAME: &'static str = NAME;

    async fn statement(&self, _: &SessionState) -> Result<String> {
        Ok(CURVE.replace(":as_of", &sql_instant(self.as_of)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_columns_are_those_of_its_documentation() {
        let all = functions::documentation();
        let described = all.iter().find(|function| function.name == NAME).unwrap();
        let names: Vec<_> = described.results.iter().filter_map(|result| result.name).collect();
        assert_eq!(names, COLUMNS.map(|(name, _)| name));
    }
}
