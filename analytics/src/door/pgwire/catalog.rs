//! `pg_catalog` over worlds that come and go: a table keeps its oid in all of them.
//!
//! psql's `\d events` asks several times, each time by the oid the answer before gave, and a commit may fall in between. So one
//! provider, with one book of oids, serves every world; it lists what the newest one has.

use std::sync::{Arc, PoisonError, RwLock};

use datafusion::catalog::{CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider};
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog};

use crate::session::CATALOG;

/// Lists what the newest world lists.
#[derive(Debug)]
struct NewestCatalogs(RwLock<Arc<dyn CatalogProviderList>>);

impl NewestCatalogs {
    fn newest(&self) -> Arc<dyn CatalogProviderList> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CatalogProviderList for NewestCatalogs {
    fn register_catalog(&self, name: String, catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        self.newest().register_catalog(name, catalog)
    }

    fn catalog_names(&self) -> Vec<String> {
        self.newest().catalog_names()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        self.newest().catalog(name)
    }
}

/// The catalog clients ask about tables, shared by all worlds.
#[derive(Debug)]
pub(super) struct PgCatalog {
    newest: Arc<NewestCatalogs>,
    provider: Arc<dyn SchemaProvider>,
}

impl PgCatalog {
    pub(super) fn new() -> Result<Self> {
        let newest = Arc::new(NewestCatalogs(RwLock::new(Arc::new(MemoryCatalogProviderList::new()))));
        let list: Arc<dyn CatalogProviderList> = Arc::<NewestCatalogs>::clone(&newest);
        let tables = Arc::new(PgCatalogStaticTables::try_new()?);
        let provider = Arc::new(PgCatalogSchemaProvider::try_new(list, tables, EmptyContextProvider)?);
        Ok(Self { newest, provider })
    }

    /// Gives a world the catalog and PostgreSQL's functions; from now on the catalog lists what that world has.
    pub(super) fn install(&self, session: &SessionContext) -> Result<()> {
        setup_pg_catalog(session, CATALOG, EmptyContextProvider).map_err(|error| *error)?;
        let catalog = session.catalog(CATALOG).expect("the default catalog is made with the session");
        // In place of the one just set up, whose oids begin anew and which would keep its world alive for ever.
        catalog.register_schema("pg_catalog", Arc::clone(&self.provider))?;
        *self.newest.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(session.state().catalog_list());
        Ok(())
    }
}
