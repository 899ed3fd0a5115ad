//! Named arguments in any order and with gaps.
//!
//! DataFusion puts `name => value` in its place, but refuses a call that skips an argument before one it gives. So a call of
//! one of our functions that names arguments becomes, in the syntax tree, the positional call it means: what was skipped has
//! its default. `ears_c1(alpha => 0.01, value => y)` is planned as `ears_c1(y, 0.5, 0.01)`. Names and defaults are those of
//! [`functions::documentation`], which `system.functions` shows. Calls without names and other functions stay as they are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, TableFactor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Makes a call of one of our functions that names arguments positional; says whether it changed the call.
///
/// # Errors
/// The call names an argument the function does not have, gives one twice, leaves out one without a default, or has one
/// without a name after one with a name.
pub(super) fn make_positional(call: &mut Function) -> Result<bool> {
    match &mut call.args {
        FunctionArguments::List(list) => arrange(&call.name, &mut list.args),
        FunctionArguments::None | FunctionArguments::Subquery(_) => Ok(false),
    }
}

/// The same of a function that stands where a table may.
///
/// # Errors
/// As [`make_positional`].
pub(super) fn make_table_positional(table: &mut TableFactor) -> Result<bool> {
    match table {
        TableFactor::Table { name, args: Some(list), .. } => arrange(name, &mut list.args),
        _ => Ok(false),
    }
}

fn arrange(function: &ObjectName, arguments: &mut Vec<FunctionArg>) -> Result<bool> {
    if arguments.iter().all(|argument| matches!(argument, FunctionArg::Unnamed(_))) {
        return Ok(false);
    }
    let Some(parameters) = Parameters::of(function) else { return Ok(false) };
    *arguments = parameters.arrange(std::mem::take(arguments))?;
    Ok(true)
}

/// What one of our functions takes.
struct Parameters {
    function: &'static str,
    /// The call with all arguments and defaults, for messages.
    signature: String,
    /// Name and default of each, in order.
    arguments: Vec<(&'static str, Option<Expr>)>,
}

static KNOWN: LazyLock<HashMap<&'static str, Parameters>> = LazyLock::new(|| {
    let described = functions::documentation().into_iter();
    described.map(|function| (function.name, Parameters::from(function))).collect()
});

impl From<functions::FunctionDoc> for Parameters {
    fn from(function: functions::FunctionDoc) -> Self {
        let arguments = function.arguments.iter().map(|argument| (argument.name, argument.default.as_deref().map(expression)));
        Self { function: function.name, arguments: arguments.collect(), signature: function.signature }
    }
}

fn expression(sql: &str) -> Expr {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(sql).and_then(|mut parser| parser.parse_expr());
    parsed.expect("defaults are written as SQL: a test reads each of them")
}

impl Parameters {
    fn of(name: &ObjectName) -> Option<&'static Self> {
        match name.0.as_slice() {
            [part] => KNOWN.get(folded(part.as_ident()?).as_ref()),
            _ => None,
        }
    }

    /// The arguments in order, the skipped ones with their defaults; those after the last one given stay away.
    fn arrange(&self, given: Vec<FunctionArg>) -> Result<Vec<FunctionArg>> {
        let mut places: Vec<Option<FunctionArgExpr>> = vec![None; self.arguments.len()];
        let mut names_began = false;
        for (position, argument) in given.into_iter().enumerate() {
            let (place, value) = match argument {
                FunctionArg::Unnamed(_) if names_began => {
                    return Err(self.refusal(format!(
                        "argument {} of {} has no name but follows one with a name",
                        position + 1,
                        self.function
                    )));
                }
                FunctionArg::Unnamed(value) => (position, value),
                FunctionArg::Named { name, arg, .. } | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                    names_began = true;
                    (self.place(&name)?, arg)
                }
                FunctionArg::ExprNamed { name, .. } => {
                    return Err(self.refusal(format!("{} has no argument {name}", self.function)));
                }
            };
            match places.get_mut(place) {
                Some(free @ None) => *free = Some(value),
                Some(Some(_)) => {
                    return Err(self.refusal(format!("{} is given its argument {} twice", self.function, self.arguments[place].0)));
                }
                None => return Err(self.refusal(format!("{} takes at most {} arguments", self.function, self.arguments.len()))),
            }
        }
        let needed = self.arguments.iter().rposition(|(_, default)| default.is_none()).map_or(0, |last| last + 1);
        let last = places.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let filled = places.into_iter().zip(&self.arguments).take(needed.max(last)).map(|(given, (name, default))| {
            let value = given.or_else(|| default.clone().map(FunctionArgExpr::Expr));
            let missing = || self.refusal(format!("{} needs its argument {name}", self.function));
            value.map(FunctionArg::Unnamed).ok_or_else(missing)
        });
        filled.collect()
    }

    fn place(&self, name: &Ident) -> Result<usize> {
        let folded = folded(name);
        let place = self.arguments.iter().position(|(known, _)| *known == folded);
        place.ok_or_else(|| self.refusal(format!("{} has no argument {name}", self.function)))
    }

    fn refusal(&self, what: String) -> DataFusionError {
        DataFusionError::Plan(format!("{what}: write {}", self.signature))
    }
}

/// As SQL reads a name: lower case unless it is quoted.
pub(super) fn folded(name: &Ident) -> Cow<'_, str> {
    match name.quote_style {
        None => Cow::Owned(name.value.to_lowercase()),
        Some(_) => Cow::Borrowed(&name.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::syntax::tests::{completed, refused, rows, session};

    #[test]
    fn any_order_and_gaps_become_the_positional_call() {
        for (named, positional) in [
            ("ears_c1(y, alpha => 0.01)", "ears_c1(y, 0.5, 0.01)"),
            ("ears_c1(alpha => 0.01, value => y)", "ears_c1(y, 0.5, 0.01)"),
            ("ears_c1(value => y)", "ears_c1(y)"),
            ("ears_c1(min_sigma => NULL, value => y)", "ears_c1(y, NULL)"),
            ("farrington(y, min_cases => 3)", "farrington(y, 52, 5, 3, 10, 26, 0.01, 'nb_plugin', 0.05, 3)"),
            ("farrington(y, bound => 'muan', years => 4)", "farrington(y, 52, 4, 3, 10, 26, 0.01, 'muan')"),
            ("EARS_C1(Alpha => 0.01, \"value\" => y)", "EARS_C1(y, 0.5, 0.01)"),
            ("ears_c1(y, 0.5, 0.01)", "ears_c1(y, 0.5, 0.01)"),
        ] {
            assert_eq!(
                completed(&format!("SELECT {named} OVER (ORDER BY t) FROM s")),
                format!("SELECT {positional} OVER (ORDER BY t) FROM s")
            );
        }
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        let call = ("wilson(confidence => 0.9, trials => 5, successes => 2)", "wilson(2, 5, 0.9)");
        for statement in [
            "SELECT abs((@).rate)",
            "SELECT wilson((@).rate, 1)",
            "WITH a AS (SELECT @ AS w) SELECT w FROM a",
            "SELECT w FROM (SELECT @ AS w)",
            "SELECT k FROM t WHERE (@).low > 0.1",
            "SELECT k, count(*) FROM t GROUP BY k, @ HAVING (@).low > 0.1 ORDER BY (@).high",
            "SELECT sum((@).rate) OVER (PARTITION BY @ ORDER BY @) FROM t",
            "SELECT CASE WHEN (@).low > 0 THEN 1 END FROM t LEFT JOIN u ON (@).low > u.low",
            "SELECT k FROM t UNION ALL SELECT @",
            "SELECT k FROM t WHERE k IN (SELECT @)",
            "VALUES (@)",
            "CREATE VIEW v AS SELECT @ AS w",
            "EXPLAIN SELECT @",
            "COPY (SELECT @) TO 'somewhere' STORED AS CSV",
            "SELECT a.text_en FROM t JOIN why(grid => 'g', category => '*') AS a ON a.part = t.k AND (@).low > 0.1",
        ] {
            assert_eq!(completed(&statement.replace('@', call.0)), completed(&statement.replace('@', call.1)), "{statement}");
        }
    }

    #[test]
    fn a_function_where_a_table_stands_takes_them_too() {
        for (named, positional) in [
            ("why(as_of => '2026-01-01', category => 'noise', grid => 'g')", "why('g', 'noise', '2026-01-01')"),
            ("why('g', category => 'noise') AS w", "why('g', 'noise') AS w"),
            ("completeness_curve(as_of => TIMESTAMP '2026-01-01')", "completeness_curve(TIMESTAMP '2026-01-01')"),
            ("t, LATERAL (SELECT * FROM why(category => '*', grid => 'g')) AS w", "t, LATERAL (SELECT * FROM why('g', '*')) AS w"),
        ] {
            assert_eq!(completed(&format!("SELECT * FROM {named}")), format!("SELECT * FROM {positional}"));
        }
        assert_eq!(
            refused("SELECT * FROM why(grid => 'g')"),
            "Error during planning: why needs its argument category: write why(grid, category, as_of => NULL)"
        );
    }

    #[test]
    fn a_call_inside_the_argument_of_a_call_is_filled_too() {
        assert_eq!(
            completed("SELECT wilson(trials => 5, successes => (wilson(trials => 2, successes => 1)).rate)"),
            "SELECT wilson((wilson(1, 2))['rate'], 5)"
        );
    }

    #[test]
    fn the_rest_of_a_call_stays() {
        assert_eq!(
            completed("SELECT mann_kendall(value => v ORDER BY t DESC) FILTER (WHERE v > 0) FROM s GROUP BY k"),
            "SELECT mann_kendall(v ORDER BY t DESC) FILTER (WHERE v > 0) FROM s GROUP BY k"
        );
        let others = "SELECT digest(method => 'md5', expression => 'a'), system.wilson(trials => 5), \"Wilson\"(trials => 5)";
        assert_eq!(completed(others), others);
    }

    #[test]
    fn what_is_wrong_names_the_function_and_its_arguments() {
        let signature = "write ears_c1(value, min_sigma => 0.5, alpha => 0.001) OVER (ORDER BY t)";
        for (call, what) in [
            ("ears_c1(y, alfa => 0.01)", "ears_c1 has no argument alfa"),
            ("ears_c1(y, \"Alpha\" => 0.01)", "ears_c1 has no argument \"Alpha\""),
            ("ears_c1(y, alpha => 0.01, alpha => 0.02)", "ears_c1 is given its argument alpha twice"),
            ("ears_c1(y, value => z)", "ears_c1 is given its argument value twice"),
            ("ears_c1(value => y, 0.5)", "argument 2 of ears_c1 has no name but follows one with a name"),
            ("ears_c1(alpha => 0.01)", "ears_c1 needs its argument value"),
            ("ears_c1(y, 0.5, 0.01, 4, alpha => 0.01)", "ears_c1 takes at most 3 arguments"),
        ] {
            assert_eq!(refused(&format!("SELECT {call} OVER (ORDER BY t) FROM s")), format!("Error during planning: {what}: {signature}"));
        }
        assert!(refused("SELECT gi_star(grid_id => g) OVER () FROM s").contains("gi_star needs its argument value"));
    }

    #[test]
    fn every_default_is_an_expression() {
        for function in functions::documentation() {
            let parameters = Parameters::of(&ObjectName::from(vec![Ident::new(function.name)])).unwrap();
            for (argument, (name, default)) in function.arguments.iter().zip(&parameters.arguments) {
                assert_eq!((argument.name, argument.default.clone()), (*name, default.as_ref().map(ToString::to_string)));
            }
        }
    }

    /// Each function called with its last argument alone by name, where defaults come before it.
    #[tokio::test]
    async fn a_filled_call_answers_what_the_full_call_answers() {
        let session = session();
        let source = "(SELECT unnest([3,5,4,6,2,4,5,3,4,6,5,4,9,12,15]) AS y, unnest(range(1, 16)) AS t)";
        for (named, full) in [
            ("(ears_c2(value => y, alpha => 0.2) OVER (ORDER BY t)).upper", "(ears_c2(y, 0.5, 0.2) OVER (ORDER BY t)).upper"),
            (
                "(farrington(y, frequency => 4, years => 2, half_window => 1, periods => 1, excluded => 1, min_cases => 0, bound => 'delta') OVER (ORDER BY t)).upper",
                "(farrington(y, 4, 2, 1, 1, 1, 0.01, 'delta', 0.05, 0) OVER (ORDER BY t)).upper",
            ),
        ] {
            let table = |call: &str| format!("SELECT t, {call} AS answer FROM {source} ORDER BY t");
            let (got, expected) = (rows(&session, &table(named)).await, rows(&session, &table(full)).await);
            assert_eq!(got, expected);
            assert!(got.contains('.'), "there are numbers to compare: {got}");
        }
    }

    #[tokio::test]
    async fn a_view_keeps_the_filled_call() {
        let session = session();
        rows(
            &session,
            "CREATE VIEW rates AS SELECT wilson(confidence => 0.9, trials => 5, successes => s) AS w FROM (VALUES (1), (2)) AS t(s)",
        )
        .await;
        let named = rows(&session, "SELECT (w).low AS low FROM rates ORDER BY low").await;
        assert_eq!(named, rows(&session, "SELECT (wilson(s, 5, 0.9)).low AS low FROM (VALUES (1), (2)) AS t(s) ORDER BY low").await);
    }
}
