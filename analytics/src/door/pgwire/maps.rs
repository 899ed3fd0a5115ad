//! PostgreSQL has no type for a map of strings, so a column that is one (`attributes`) is sent as its JSON text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::arrow_pg::datatypes::df::encode_dataframe;
use datafusion_postgres::hooks::{HookClient, QueryHook};
use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::api::portal::Format;
use datafusion_postgres::pgwire::api::results::Response;
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::types::format::FormatOptions;

/// Sends maps as text; leaves every other statement to the hooks behind it.
#[derive(Debug)]
pub(super) struct MapsAsText;

#[async_trait]
impl QueryHook for MapsAsText {
    async fn handle_simple_query(
        &self,
        statement: &Statement,
        session: &SessionContext,
        client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        let plan = plan(statement, session).await?;
        let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
        let answer = async {
            let frame = session.execute_logical_plan(plan).await.map_err(|error| PgWireError::ApiError(Box::new(error)))?;
            encode_dataframe(frame, &Format::UnifiedText, Some(options)).await
        };
        Some(answer.await.map(Response::Query))
    }

    async fn handle_extended_parse_query(
        &self,
        statement: &Statement,
        session: &SessionContext,
        _client: &(dyn ClientInfo + Send + Sync),
    ) -> Option<PgWireResult<LogicalPlan>> {
        plan(statement, session).await.map(Ok)
    }

    async fn handle_extended_query(
        &self,
        _statement: &Statement,
        _plan: &LogicalPlan,
        _values: &ParamValues,
        _session: &SessionContext,
        _client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        None
    }
}

/// The plan with its maps as text; `None` where it has none, or where planning fails, which the usual way reports.
async fn plan(statement: &Statement, session: &SessionContext) -> Option<LogicalPlan> {
    if !matches!(statement, Statement::Query(_)) {
        return None;
    }
    with_text(session.state().create_logical_plan(&statement.to_string()).await.ok()?)
}

fn with_text(plan: LogicalPlan) -> Option<LogicalPlan> {
    let is_map = |data_type: &DataType| matches!(data_type, DataType::Map(_, _));
    if !plan.schema().fields().iter().any(|field| is_map(field.data_type())) {
        return None;
    }
    let text = Arc::new(ScalarUDF::from(MapText { signature: Signature::any(1, Volatility::Immutable) }));
    let columns: Vec<Expr> = plan
        .schema()
        .iter()
        .map(|(table, field)| {
            let column = Expr::from((table, field));
            if is_map(field.data_type()) { text.call(vec![column]).alias(field.name()) } else { column }
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build).ok()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MapText {
    signature: Signature,
}

impl ScalarUDFImpl for MapText {
    fn name(&self) -> &'static str {
        "map_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        Ok(ColumnarValue::Array(Arc::new(texts(arrays[0].as_map())?) as ArrayRef))
    }
}

fn texts(maps: &MapArray) -> Result<StringArray> {
    let part = |array: &ArrayRef| arrow::compute::cast(array, &DataType::Utf8);
    let (keys, values) = (part(maps.keys())?, part(maps.values())?);
    let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
    let text = |row: usize| {
        let (from, to) = (maps.value_offsets()[row], maps.value_offsets()[row + 1]);
        let pairs = (from..to).filter_map(|index| usize::try_from(index).ok());
        let object: serde_json::Map<String, serde_json::Value> =
            pairs.map(|index| (keys.value(index).to_owned(), values.is_valid(index).then(|| values.value(index)).into())).collect();
        serde_json::Value::Object(object).to_string()
    };
    Ok((0..maps.len()).map(|row| maps.is_valid(row).then(|| text(row))).collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{MapBuilder, StringBuilder};

    use super::*;

    #[test]
    fn a_map_is_an_object_in_its_order() {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for pairs in [&[("b", Some("1")), ("a", Some("\"x\""))][..], &[("k", None)], &[]] {
            for (key, value) in pairs {
                builder.keys().append_value(key);
                builder.values().append_option(*value);
            }
            builder.append(true).unwrap();
        }
        builder.append(false).unwrap();
        let said = texts(&builder.finish()).unwrap();
        let said: Vec<_> = said.iter().collect();
        assert_eq!(said, [Some(r#"{"b":"1","a":"\"x\""}"#), Some(r#"{"k":null}"#), Some("{}"), None]);
    }
}
