//! Which statements the door takes: those that read.

use datafusion::sql::sqlparser::ast::{SetExpr, Statement};

/// Why a statement is refused; `None` where it only reads.
pub(super) fn refusal(statement: &Statement) -> Option<String> {
    let allowed = match statement {
        Statement::Query(query) => !writes(&query.body),
        Statement::Explain { statement, .. } => return refusal(statement),
        Statement::Set(_)
        | Statement::ShowVariable { .. }
        | Statement::ShowVariables { .. }
        | Statement::ShowStatus { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Declare { .. }
        | Statement::Fetch { .. }
        | Statement::Close { .. }
        | Statement::Discard { .. }
        | Statement::Deallocate { .. } => true,
        _ => false,
    };
    let verb = || statement.to_string().split_whitespace().next().unwrap_or_default().to_uppercase();
    (!allowed).then(|| format!("{} is not permitted: the SQL door only reads", verb()))
}

fn writes(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_some(),
        SetExpr::Query(query) => writes(&query.body),
        SetExpr::SetOperation { left, right, .. } => writes(left) || writes(right),
        SetExpr::Values(_) | SetExpr::Table(_) => false,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn refused(sql: &str) -> bool {
        Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().iter().any(|statement| refusal(statement).is_some())
    }

    #[test]
    fn statements_that_read_are_taken() {
        for sql in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TimeZone",
            "SET TimeZone = 'UTC'",
            "BEGIN",
            "VALUES (1)",
        ] {
            assert!(!refused(sql), "{sql}");
        }
    }

    #[test]
    fn statements_that_write_are_refused_also_inside_others() {
        for sql in [
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x'",
            "CREATE TABLE t AS SELECT 1",
            "SELECT 1 INTO t",
            "INSERT INTO events SELECT 1",
            "DROP VIEW events",
            "SELECT 1; DELETE FROM records",
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        ] {
            assert!(refused(sql), "{sql}");
        }
    }
}
