//! `why(grid, category, as_of)`: what the rows of `hotspots` and `surges` about a grid and category are made of, as rows that add up.
//!
//! A table function, because a view takes no arguments: it reads the three, sees that there are such a grid and category, and
//! otherwise is a query like a job's. What parts a number has is said by `why/hotspots.sql` and `why/surges.sql`, how it is put into
//! words by `why/words.sql`. Within a detector, period, measure and aspect the column `contribution` adds up to `total`: of aspect
//! `neighbour` to the numerator of Gi*, so that `total / scale` is the job's `z`; of `summary`, `category`, `hour`, `day`, `channel` and
//! `grid` to `events - baseline`; of `baseline` to the baseline, of `location` and `lateness` to the events. Unlike in the jobs' tables
//! a grid that is neither hot nor surging has rows too. The text of aspect `summary` is what the duty page shows.
//!
//! It computes from the tables of its world, as of the newest run of each job where no instant is given: at most 45 days of the grid's
//! own events, and 35 of the map's cells, which the mean of Gi* needs. Nothing is kept.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;

use super::answering::{self, Holds, Question};
use super::{CATALOG, sql_instant};

/// Name of the function.
pub(super) const NAME: &str = "why";

const USAGE: &str =
    "write why('grid', 'category') or why('grid', 'category', TIMESTAMP '2026-01-31T08:00:00Z'); '*' is all categories, or the whole city";
/// Most names an error lists.
const NAMED_MAX: usize = 12;

/// The jobs it explains, each by the query of its name.
const DETECTORS: [(&str, &str); 2] = [("hotspots", include_str!("why/hotspots.sql")), ("surges", include_str!("why/surges.sql"))];
const WORDS: &str = include_str!("why/words.sql");

/// Adds the function to a session.
pub(super) fn register(session: &SessionContext) {
    session.register_udtf(NAME, Arc::new(Why));
}

/// The columns of its rows; `functions` says what each means.
const COLUMNS: [(&str, Holds); 17] = [
    ("detector", Holds::Text),
    ("period", Holds::Text),
    ("measure", Holds::Text),
    ("aspect", Holds::Text),
    ("part", Holds::Text),
    ("name_zh", Holds::Text),
    ("name_en", Holds::Text),
    ("value", Holds::Number),
    ("expected", Holds::Number),
    ("contribution", Holds::Number),
    ("share", Holds::Number),
    ("total", Holds::Number),
    ("scale", Holds::Number),
    ("text_zh", Holds::Text),
    ("text_en", Holds::Text),
    ("as_of", Holds::Instant),
    ("table_version", Holds::Integer),
];

#[derive(Debug)]
struct Why;

impl TableFunctionImpl for Why {
    fn call_with_args(&self, arguments: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let (grid, category, as_of) = match arguments.exprs() {
            [grid, category] => (grid, category, None),
            [grid, category, as_of] => (grid, category, answering::instant(as_of, NAME, USAGE)?),
            other => return plan_err!("why takes two or three arguments, not {}: {USAGE}", other.len()),
        };
        let asked = Asked { grid: text(grid, "grid")?, category: text(category, "category")?, as_of };
        Ok(answering::table(asked, &COLUMNS))
    }
}

fn text(argument: &Expr, name: &str) -> Result<String> {
    match argument {
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(Some(text)) => Ok(text.to_owned()),
            _ => plan_err!("the {name} of why is a text, not {value}: {USAGE}"),
        },
        // Whose rows they are must be known before anything is read: neither a column nor a parameter says it then.
        other => plan_err!("the {name} of why is a text in the statement itself, not {other}: {USAGE}"),
    }
}

/// One call.
#[derive(Debug)]
struct Asked {
    grid: String,
    category: String,
    as_of: Option<DateTime<Utc>>,
}

#[async_trait]
impl Question for Asked {
    const NAME: &'static str = NAME;

    async fn statement(&self, state: &SessionState) -> Result<String> {
        let lake = Lake { state };
        let mut parts = Vec::new();
        for (job, query) in DETECTORS {
            let as_of = match self.as_of {
                Some(at) => at,
                None => lake.newest(job).await?,
            };
            self.check(&lake, as_of).await?;
            parts.push(format!("SELECT * FROM ({}) AS {job}", self.filled(query, &[("as_of", &sql_instant(as_of))])));
        }
        let version = lake.version().await?.map_or_else(|| "NULL".to_owned(), |version| version.to_string());
        Ok(self.filled(WORDS, &[("table_version", &version), ("parts", &format!("({})", parts.join(" UNION ALL ")))]))
    }
}

impl Asked {
    fn filled(&self, query: &str, others: &[(&str, &str)]) -> String {
        let (grid, category) = (literal(&self.grid), literal(&self.category));
        let own = [("grid", grid.as_str()), ("category", category.as_str())];
        filled(query, &own.iter().chain(others).copied().collect::<Vec<_>>())
    }

    /// Refuses what is not known, naming what is: zeros for a name mistyped would read as calm.
    async fn check(&self, lake: &Lake<'_>, as_of: DateTime<Utc>) -> Result<()> {
        let (grid, category) = (literal(&self.grid), literal(&self.category));
        let known = ["*", "unlocated"].contains(&self.grid.as_str())
            || !lake.names(&format!("SELECT grid_id FROM grids WHERE grid_id = {grid}")).await?.is_empty();
        if !known {
            let named = lake
                .names(&format!("SELECT grid_id FROM grids WHERE name_zh = {grid} OR name_en = {grid} ORDER BY 1 LIMIT {NAMED_MAX}"))
                .await?;
            if !named.is_empty() {
                return plan_err!("why takes the grid_id of a grid; {grid} is the name of {}", named.join(", "));
            }
            let some = lake.names(&format!("SELECT grid_id FROM grids ORDER BY finest DESC, grid_id LIMIT {NAMED_MAX}")).await?;
            return plan_err!(
                "no grid has the id {grid}; there are {}, … in table grids, '*' for the whole city, and 'unlocated'",
                some.join(", ")
            );
        }
        let cells = "FROM cell_parts WHERE kind IN ('hotline_call', 'grid_report')";
        let of_category = format!("SELECT category {cells} AND coalesce(category, 'unknown') = {category} LIMIT 1");
        if self.category != "*" && lake.rows(&of_category).await?.iter().all(|batch| batch.num_rows() == 0) {
            let at = sql_instant(as_of);
            let usual = format!(
                "SELECT coalesce(category, 'unknown') AS category {cells} AND hour > {at} - INTERVAL '45 days' AND hour <= {at} \
                 GROUP BY 1 ORDER BY sum(events) DESC, 1 LIMIT {NAMED_MAX}"
            );
            return plan_err!("nothing ever came in about {category}; there are {}, and '*' for all", lake.names(&usual).await?.join(", "));
        }
        Ok(())
    }
}

/// The tables a call is answered from.
struct Lake<'s> {
    state: &'s SessionState,
}

impl Lake<'_> {
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let plan = self.state.create_logical_plan(sql).await?;
        let plan = self.state.create_physical_plan(&plan).await?;
        collect(plan, self.state.task_ctx()).await
    }

    /// The first column as texts.
    async fn names(&self, sql: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for batch in self.rows(sql).await? {
            let column = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
            names.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(names)
    }

    /// Whether the session is of a lake; that of a job's cases is not.
    fn exists(&self) -> bool {
        let catalog = self.state.catalog_list().catalog(CATALOG);
        catalog.and_then(|catalog| catalog.schema("system")).is_some_and(|system| system.table_exist("commits"))
    }

    /// The city's clock at the newest run of a job; the lake's where it has not run.
    async fn newest(&self, job: &str) -> Result<DateTime<Utc>> {
        let both = format!(
            "SELECT coalesce((SELECT max(as_of) FROM system.jobs WHERE job = '{job}'), (SELECT max(as_of) FROM system.commits)) AS as_of"
        );
        let rows = if self.exists() { self.rows(&both).await? } else { Vec::new() };
        let micros = rows.iter().find_map(|batch| {
            let at = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            (!at.is_empty() && at.is_valid(0)).then(|| at.value(0))
        });
        match micros.and_then(DateTime::from_timestamp_micros) {
            Some(at) => Ok(at),
            None => plan_err!("nothing has come in yet, so there is no time to explain: {USAGE}"),
        }
    }

    async fn version(&self) -> Result<Option<i64>> {
        if !self.exists() {
            return Ok(None);
        }
        let rows = self.rows("SELECT version FROM system.commits WHERE table_name = 'records'").await?;
        Ok(rows.iter().find(|batch| batch.num_rows() > 0).map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0)))
    }
}

/// A text as a SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The query with each `:name` replaced by its value, in one pass: what a value holds is not looked at again.
fn filled(query: &str, values: &[(&str, &str)]) -> String {
    let mut pieces = query.split(':');
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(piece.len());
        let (name, rest) = piece.split_at(end);
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => whole += value,
            None => whole.extend([":", name]),
        }
        whole += rest;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_put_in_once_and_cannot_leave_its_quotes() {
        let values = [("grid", literal("it's :category")), ("category", literal("*"))];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(filled("a = :grid AND :category = b AND ':00' = c", &values), "a = 'it''s :category' AND '*' = b AND ':00' = c");
    }

    #[test]
    fn its_columns_are_those_of_its_documentation() {
        let all = functions::documentation();
        let described = all.iter().find(|function| function.name == NAME).unwrap();
        let names: Vec<_> = described.results.iter().filter_map(|result| result.name).collect();
        assert_eq!(names, COLUMNS.map(|(name, _)| name));
    }

    /// A value with a line end in a comment would end the comment.
    #[test]
    fn nothing_is_put_into_a_comment() {
        for query in DETECTORS.map(|(_, query)| query).into_iter().chain([WORDS]) {
            for line in query.lines().filter(|line| line.contains("--")) {
                let comment = line.split_once("--").unwrap().1;
                assert_eq!(filled(comment, &["grid", "category", "as_of", "parts", "table_version"].map(|name| (name, ""))), comment);
            }
        }
    }
}
