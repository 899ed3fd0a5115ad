//! Entries of a table's log, as far as who follows the table wants to know: the positions one moves, whether it changes rows, and what it
//! says of them.

use deltalake_core::DeltaTableError;
use object_store::ObjectStoreExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Table, spec_name, store_error};
use crate::lake::LakeError;

/// Under which name a commit's note stands in its `commitInfo`, where the format lets a writer say what it likes.
pub(super) const NOTE: &str = "gridwatch";

impl Table {
    /// Takes over the positions that the entries of the table's log from `first` to `last` move; false where they cannot be followed
    /// (an entry is gone, or the handle went back) and what is known is to be read anew.
    pub(super) async fn learn(&mut self, first: u64, last: u64) -> Result<bool, DeltaTableError> {
        for version in first..=last {
            let Some(text) = self.entry(version).await? else { return Ok(false) };
            for line in text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"txn\"")) {
                let moved: Moved = serde_json::from_slice(line)?;
                self.known.insert(moved.txn.app_id, Some(moved.txn.version));
            }
        }
        Ok(last + 1 >= first)
    }

    /// The entry of the table's log that made this version; `None` where it is gone.
    async fn entry(&self, version: u64) -> Result<Option<bytes::Bytes>, DeltaTableError> {
        let store = self.table.log_store();
        let entry = store.log_path().clone().join(format!("{version:020}.json"));
        match store.object_store(None).get(&entry).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => Ok(Some(found?.bytes().await?)),
        }
    }

    /// What each commit after version `after` that changed rows says of them, oldest first, up to the version this handle stands at; `None`
    /// where one says nothing, or cannot be read any more.
    ///
    /// # Errors
    /// The store fails.
    pub async fn notes<Note: DeserializeOwned>(&self, after: u64) -> Result<Option<Vec<Note>>, LakeError> {
        let failed = |source| store_error(&spec_name(&self.spec), "read the log of", source);
        let mut notes = Vec::new();
        for version in after + 1..=self.version() {
            let Some(entry) = self.entry(version).await.map_err(failed)? else { return Ok(None) };
            match Entry::read(&entry) {
                Entry { changes_rows: false, .. } => {}
                Entry { note: Some(note), .. } => notes.push(note),
                Entry { note: None, .. } => return Ok(None),
            }
        }
        Ok(Some(notes))
    }
}

/// A line of the table's log that moves a position.
#[derive(Debug, Deserialize)]
struct Moved {
    txn: Txn,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

/// An entry of a table's log, as far as who follows it wants to know.
#[derive(Debug, PartialEq, Eq)]
struct Entry<Note> {
    /// Whether rows came or went; false where they only changed files.
    changes_rows: bool,
    /// What it says of them; `None` too where it is not understood.
    note: Option<Note>,
}

impl<Note: DeserializeOwned> Entry<Note> {
    fn read(text: &[u8]) -> Self {
        let mut entry = Self { changes_rows: false, note: None };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(Line { commit_info, add, remove }) = serde_json::from_slice(line) else {
                // For all we know it does.
                entry.changes_rows = true;
                continue;
            };
            entry.changes_rows |= [add, remove].into_iter().flatten().any(|file| file.data_change);
            let note = commit_info.and_then(|mut info| info.remove(NOTE));
            entry.note = entry.note.or_else(|| serde_json::from_value(note?).ok());
        }
        entry
    }
}

/// A line of it: one of these, or something else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<serde_json::Map<String, serde_json::Value>>,
    add: Option<FileChange>,
    remove: Option<FileChange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileChange {
    data_change: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_entry_says_whether_rows_changed_and_what_was_noted_of_them() {
        let read = |text: &str| {
            let Entry { changes_rows, note } = Entry::<BTreeMap<String, u32>>::read(text.as_bytes());
            (changes_rows, note.and_then(|note| note.get("calls").copied()))
        };
        let noted = r#"{"commitInfo":{"operation":"WRITE","gridwatch":{"calls":3}}}"#;
        let added = r#"{"add":{"path":"a.parquet","dataChange":true,"stats":"{}"}}"#;
        let merged = r#"{"add":{"path":"a.parquet","dataChange":false}}"#;
        let gone = r#"{"remove":{"path":"a.parquet","dataChange":true}}"#;
        let moved = r#"{"txn":{"appId":"calls/0","version":7}}"#;
        for (lines, told) in [
            (vec![noted, moved, added], (true, Some(3))),
            (vec![moved, added], (true, None)),
            (vec![r#"{"commitInfo":{"gridwatch":"other"}}"#, gone], (true, None)),
            (vec![r#"{"commitInfo":{"operation":"OPTIMIZE"}}"#, merged], (false, None)),
            (vec![moved, r#"{"domainMetadata":{}}"#], (false, None)),
            (vec![noted, "{"], (true, Some(3))),
        ] {
            assert_eq!(read(&lines.join("\n")), told, "{lines:?}");
        }
    }
}
