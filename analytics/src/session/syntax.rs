//! What our SQL has beyond DataFusion's: two rewrites of the syntax tree between parsing a statement and planning it.
//!
//! `named_arguments` for calls with names, and `(f(…)).z`, PostgreSQL's way to read one field of a struct, which DataFusion
//! knows only as `(f(…))['z']`. Each works wherever an expression stands: in views, subqueries, windows, GROUP BY; names in `FROM why(…)` too.

use std::borrow::Cow;
use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Subscript, TableFactor, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::named_arguments;

/// Makes a parsed statement one that DataFusion plans.
///
/// # Errors
/// A call names arguments that do not fit its function.
pub fn complete(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => rewrite(statement.as_mut()).map(drop),
        Statement::Explain(explain) => complete(&mut explain.statement),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => rewrite(query.as_mut()).map(drop),
            CopyToSource::Relation(_) => Ok(()),
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
    }
}

/// The same for the text of statements, where a library that parses for itself stands between us and the planner.
///
/// A text that has neither of the two, or that does not parse, is left to that library as it came.
///
/// # Errors
/// As [`complete`].
pub fn complete_text(sql: &str) -> Result<Cow<'_, str>> {
    // Clients send many small statements of their own; those have neither sign, and they need no second parser.
    if !sql.contains("=>") && !sql.contains(").") {
        return Ok(Cow::Borrowed(sql));
    }
    let Ok(mut statements) = Parser::parse_sql(&PostgreSqlDialect {}, sql) else { return Ok(Cow::Borrowed(sql)) };
    if !rewrite(&mut statements)? {
        return Ok(Cow::Borrowed(sql));
    }
    let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
    Ok(Cow::Owned(texts.join("; ")))
}

/// Whether anything was changed.
fn rewrite(tree: &mut impl VisitMut) -> Result<bool> {
    let mut rewriting = Rewriting { changed: false };
    match tree.visit(&mut rewriting) {
        ControlFlow::Continue(()) => Ok(rewriting.changed),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriting {
    changed: bool,
}

impl Rewriting {
    fn note(&mut self, done: Result<bool>) -> ControlFlow<DataFusionError> {
        match done {
            Ok(done) => {
                self.changed |= done;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl VisitorMut for Rewriting {
    type Break = DataFusionError;

    // What stands inside an expression or a table is done before it.
    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<DataFusionError> {
        let done = match expression {
            Expr::Function(call) => named_arguments::make_positional(call),
            Expr::CompoundFieldAccess { access_chain, .. } => Ok(subscript_fields(access_chain)),
            _ => Ok(false),
        };
        self.note(done)
    }

    fn post_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<DataFusionError> {
        self.note(named_arguments::make_table_positional(table))
    }
}

/// `.z` becomes `['z']`.
fn subscript_fields(chain: &mut [AccessExpr]) -> bool {
    let mut changed = false;
    for access in chain {
        if let AccessExpr::Dot(Expr::Identifier(name)) = access {
            let field = named_arguments::folded(name).into_owned();
            *access = AccessExpr::Subscript(Subscript::Index { index: Expr::value(Value::SingleQuotedString(field)) });
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
pub(super) mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The statement as it is planned.
    pub(in crate::session) fn completed(sql: &str) -> String {
        let mut statement = parsed(sql);
        complete(&mut statement).unwrap();
        statement.to_string()
    }

    pub(in crate::session) fn refused(sql: &str) -> String {
        complete(&mut parsed(sql)).unwrap_err().strip_backtrace()
    }

    fn parsed(sql: &str) -> Statement {
        let state = SessionContext::new().state();
        let dialect = state.config_options().sql_parser.dialect;
        state.sql_to_statement(sql, &dialect).unwrap()
    }

    pub(in crate::session) fn session() -> SessionContext {
        let mut session = SessionContext::new();
        functions::register(&mut session).unwrap();
        session
    }

    /// The answer of a completed statement as a table.
    pub(in crate::session) async fn rows(session: &SessionContext, sql: &str) -> String {
        let mut statement = parsed(sql);
        complete(&mut statement).unwrap();
        let plan = session.state().statement_to_plan(statement).await.unwrap();
        let batches = session.execute_logical_plan(plan).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    #[test]
    fn a_field_after_a_call_is_a_subscript() {
        for (dotted, subscripted) in [
            ("SELECT (wilson(1, 2)).rate", "SELECT (wilson(1, 2))['rate']"),
            ("SELECT (fdr(p) OVER ()).Q FROM t", "SELECT (fdr(p) OVER ())['q'] FROM t"),
            ("SELECT (f(x)).\"Mixed\"", "SELECT (f(x))['Mixed']"),
            ("SELECT (f(x))[1].a", "SELECT (f(x))[1]['a']"),
            ("SELECT t.a, t.a.b, 'x).y' FROM t", "SELECT t.a, t.a.b, 'x).y' FROM t"),
        ] {
            assert_eq!(completed(dotted), subscripted);
        }
    }

    #[tokio::test]
    async fn a_dotted_field_answers_what_the_subscript_answers() {
        let session = session();
        let dotted = rows(&session, "SELECT (wilson(911, 972)).low AS low, (wilson(911, 972)).high AS high").await;
        assert_eq!(dotted, rows(&session, "SELECT wilson(911, 972)['low'] AS low, wilson(911, 972)['high'] AS high").await);
        assert!(dotted.contains("0.92"), "{dotted}");
    }

    #[test]
    fn a_text_is_rewritten_only_where_it_must_be() {
        for untouched in [
            "SELECT 1",
            "SELECT digest(method => 'md5', expression => 'a')",
            "not => sql",
            "SELECT '=>'  AS arrow",
            "SELECT  'f(x).y' AS text",
        ] {
            assert!(matches!(complete_text(untouched).unwrap(), Cow::Borrowed(text) if text == untouched), "{untouched}");
        }
        assert_eq!(complete_text("SELECT wilson(trials => 5, successes => $1); SELECT 1").unwrap(), "SELECT wilson($1, 5); SELECT 1");
        assert!(complete_text("SELECT wilson(tries => 5)").unwrap_err().to_string().contains("wilson has no argument tries"));
    }
}
