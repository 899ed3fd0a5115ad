//! PostgreSQL's wire protocol: protocol and catalog by datafusion-postgres, the world each statement sees by us.
//!
//! Each statement is planned in the newest world and stays in it until its last row: a reader never sees half a commit.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::logical_expr::{ColumnarValue, LogicalPlan, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::hooks::cursor::CursorStatementHook;
use datafusion_postgres::hooks::set_show::SetShowHook;
use datafusion_postgres::hooks::transactions::TransactionStatementHook;
use datafusion_postgres::hooks::{HookClient, QueryHook};
use datafusion_postgres::pgwire::api::auth::StartupHandler;
use datafusion_postgres::pgwire::api::auth::noop::NoopStartupHandler;
use datafusion_postgres::pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use datafusion_postgres::pgwire::api::results::{FieldInfo, Response};
use datafusion_postgres::pgwire::api::stmt::QueryParser;
use datafusion_postgres::pgwire::api::store::PortalStore;
use datafusion_postgres::pgwire::api::{ClientInfo, ClientPortalStore, ConnectionManager, PgWireServerHandlers, Type};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::tokio::process_socket;
use datafusion_postgres::{DfSessionService, Parser};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};

use self::catalog::PgCatalog;
use self::maps::MapsAsText;
use super::{Door, read_only};
use crate::metrics::chain;
use crate::session::{World, syntax};

mod catalog;
mod maps;

/// Most connections at a time; beyond it a client waits in the listener's queue.
const CONNECTIONS_MAX: usize = 100;

/// A statement as the protocol library keeps it between parse and execute.
type Prepared = (String, Option<(Statement, LogicalPlan)>);

/// Serves the protocol until the listener fails.
pub(super) async fn serve(door: Arc<Door>, listener: TcpListener) -> std::io::Result<()> {
    let catalog = PgCatalog::new().map_err(std::io::Error::other)?;
    let handlers = Arc::new(Handlers::new(door, catalog));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await.map_err(std::io::Error::other)?;
        let (socket, peer) = listener.accept().await?;
        let handlers = Arc::clone(&handlers);
        tokio::spawn(async move {
            if let Err(error) = process_socket(socket, None, handlers).await {
                tracing::debug!(%peer, %error, "a SQL connection ended");
            }
            drop(permit);
        });
    }
}

/// The protocol's handlers over the newest world.
struct Handlers {
    service: Arc<Service>,
    connections: Arc<ConnectionManager>,
}

impl Handlers {
    fn new(door: Arc<Door>, catalog: PgCatalog) -> Self {
        let plain = DfSessionService::new(Arc::new(SessionContext::new()));
        let parser = Arc::new(WorldParser { door, catalog, shape: ExtendedQueryHandler::query_parser(&plain), newest: Mutex::new(None) });
        Self { service: Arc::new(Service { parser }), connections: Arc::new(ConnectionManager::new()) }
    }
}

struct Startup(Arc<ConnectionManager>);

#[async_trait]
impl NoopStartupHandler for Startup {
    fn connection_manager(&self) -> Option<Arc<ConnectionManager>> {
        Some(Arc::clone(&self.0))
    }
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.service)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.service)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::new(Startup(Arc::clone(&self.connections)))
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::new(DefaultCancelHandler::new(Arc::clone(&self.connections)))
    }
}

/// Plans statements in the newest world.
struct WorldParser {
    door: Arc<Door>,
    catalog: PgCatalog,
    /// Answers what does not depend on a world: the shape of a plan's parameters and rows.
    shape: Arc<Parser>,
    newest: Mutex<Option<(Arc<World>, Arc<DfSessionService>)>>,
}

impl WorldParser {
    async fn service(&self) -> PgWireResult<Arc<DfSessionService>> {
        let world = self.door.world().await.map_err(|error| refuse("58030", chain(&error)))?;
        let mut newest = self.newest.lock().await;
        if let Some((known, service)) = newest.as_ref()
            && Arc::ptr_eq(known, &world)
        {
            return Ok(Arc::clone(service));
        }
        self.catalog.install(&world.session).map_err(|error| PgWireError::ApiError(Box::new(error)))?;
        world.session.register_udf(version());
        let hooks: Vec<Arc<dyn QueryHook>> = vec![
            Arc::new(ReadOnly),
            Arc::new(CursorStatementHook),
            Arc::new(SetShowHook),
            Arc::new(TransactionStatementHook),
            Arc::new(MapsAsText),
        ];
        let service = Arc::new(DfSessionService::new_with_hooks(Arc::new(world.session.clone()), hooks));
        *newest = Some((world, Arc::clone(&service)));
        Ok(service)
    }
}

#[async_trait]
impl QueryParser for WorldParser {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, client: &C, sql: &str, types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let parser = ExtendedQueryHandler::query_parser(self.service().await?.as_ref());
        parser.parse_sql(client, &completed(sql)?, types).await
    }

    fn get_parameter_types(&self, statement: &Prepared) -> PgWireResult<Vec<Type>> {
        self.shape.get_parameter_types(statement)
    }

    fn get_result_schema(&self, statement: &Prepared, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        self.shape.get_result_schema(statement, format)
    }
}

struct Service {
    parser: Arc<WorldParser>,
}

#[async_trait]
impl SimpleQueryHandler for Service {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + futures::Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: std::fmt::Debug,
        PgWireError: From<<C as futures::Sink<PgWireBackendMessage>>::Error>,
    {
        SimpleQueryHandler::do_query(self.parser.service().await?.as_ref(), client, &completed(query)?).await
    }
}

#[async_trait]
impl ExtendedQueryHandler for Service {
    type Statement = Prepared;
    type QueryParser = WorldParser;

    fn query_parser(&self) -> Arc<WorldParser> {
        Arc::clone(&self.parser)
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + futures::Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: std::fmt::Debug,
        PgWireError: From<<C as futures::Sink<PgWireBackendMessage>>::Error>,
    {
        ExtendedQueryHandler::do_query(self.parser.service().await?.as_ref(), client, portal, max_rows).await
    }
}

/// Refuses statements that do not only read, before anything plans them.
#[derive(Debug)]
struct ReadOnly;

#[async_trait]
impl QueryHook for ReadOnly {
    async fn handle_simple_query(
        &self,
        statement: &Statement,
        _session: &SessionContext,
        _client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        read_only::refusal(statement).map(|why| Err(refuse("42501", why)))
    }

    async fn handle_extended_parse_query(
        &self,
        statement: &Statement,
        _session: &SessionContext,
        _client: &(dyn ClientInfo + Send + Sync),
    ) -> Option<PgWireResult<LogicalPlan>> {
        read_only::refusal(statement).map(|why| Err(refuse("42501", why)))
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

/// The protocol library parses for itself, so what our SQL has beyond DataFusion is completed in the text it is given.
fn completed(sql: &str) -> PgWireResult<Cow<'_, str>> {
    // As PostgreSQL answers a call whose named arguments fit no function.
    syntax::complete_text(sql).map_err(|error| refuse("42883", error.strip_backtrace()))
}

fn refuse(code: &str, why: String) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".into(), code.into(), why)))
}

/// `version()` as clients parse it: SQLAlchemy and its kin read a PostgreSQL version out of it.
fn version() -> datafusion::logical_expr::ScalarUDF {
    let text = format!("PostgreSQL 16.6 (gridwatch {}, DataFusion {})", env!("CARGO_PKG_VERSION"), datafusion::DATAFUSION_VERSION);
    let answer = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text.clone()))));
    create_udf("version", vec![], arrow::datatypes::DataType::Utf8, Volatility::Immutable, Arc::new(answer))
}
