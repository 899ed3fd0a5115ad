//! The versions of the grid dimension a lake keeps: one file each, never changed once written.
//!
//! Loading grids again is a new version; rows located before keep the grid they were given.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::grids::GridSet;

/// The grids of a lake.
#[derive(Debug)]
pub struct GridStore {
    folder: PathBuf,
    newest: Arc<GridSet>,
}

impl GridStore {
    /// Opens the newest version; an empty set where none was loaded.
    ///
    /// # Errors
    /// A version is there but cannot be read.
    pub fn open(lake: &Path) -> std::io::Result<Self> {
        let folder = lake.join("grids");
        std::fs::create_dir_all(&folder)?;
        let mut store = Self { folder, newest: Arc::new(GridSet::default()) };
        store.refresh()?;
        Ok(store)
    }

    /// Where the versions stand.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest version known.
    pub fn newest(&self) -> Arc<GridSet> {
        Arc::clone(&self.newest)
    }

    /// Looks for a newer version and answers the newest.
    ///
    /// # Errors
    /// The folder or the newest file cannot be read.
    pub fn refresh(&mut self) -> std::io::Result<Arc<GridSet>> {
        let newest = versions(&self.folder)?.into_iter().max().unwrap_or(0);
        if newest != self.newest.version() {
            let bytes = std::fs::read(file(&self.folder, newest))?;
            self.newest = Arc::new(GridSet::from_bytes(&bytes).map_err(std::io::Error::other)?);
        }
        Ok(self.newest())
    }

    /// Keeps a new version. It must be the next one: two loads at the same time do not overwrite each other.
    ///
    /// # Errors
    /// The version exists already, or cannot be written.
    pub fn save(&mut self, set: GridSet) -> std::io::Result<()> {
        let path = file(&self.folder, set.version());
        let staged = path.with_extension("staged");
        std::fs::File::create(&staged).and_then(|mut out| out.write_all(&set.to_bytes()).and_then(|()| out.sync_all()))?;
        std::fs::hard_link(&staged, &path)?;
        std::fs::remove_file(&staged)?;
        self.newest = Arc::new(set);
        Ok(())
    }
}

fn file(folder: &Path, version: u32) -> PathBuf {
    folder.join(format!("{version:06}.geojson"))
}

fn versions(folder: &Path) -> std::io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let version = name.to_str().and_then(|name| name.strip_suffix(".geojson"));
        found.extend(version.and_then(|version| version.parse::<u32>().ok()));
    }
    Ok(found)
}
