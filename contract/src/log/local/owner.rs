//! One writer a log: the only place for the side file that is locked while the log is open and names who holds it.
//!
//! The lock is the operating system's, so it ends with the process however that ends; the file stays and means nothing by itself.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::log::LogError;

/// Longest content read of a side file that something else may have written.
const OWNER_BYTES_MAX: u64 = 64;

/// The right to write a log, held until dropped.
#[derive(Debug)]
pub(super) struct Owner {
    file: File,
}

impl Owner {
    /// Takes the log at `path`, or says which process has it.
    pub(super) fn take(path: &Path) -> Result<Self, LogError> {
        let side = side_file(path);
        let storage =
            |source: std::io::Error| LogError::Storage { action: "lock", path: side.display().to_string(), source: source.into() };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&side).map_err(storage)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LogError::InUse { path: path.display().to_string(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(storage(error)),
        }
        write_pid(&mut file).map_err(storage)?;
        Ok(Self { file })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Emptied while still locked: a pid that stays behind only ever means a process that did not close its log.
        if let Err(error) = self.file.set_len(0).and_then(|()| self.file.unlock()) {
            tracing::warn!(%error, "could not release the log's side file");
        }
    }
}

fn side_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".owner");
    name.into()
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // What cannot be read is not named; the refusal stands either way.
    if file.take(OWNER_BYTES_MAX).read_to_string(&mut text).is_err() {
        return String::new();
    }
    match text.trim().parse::<u32>() {
        Ok(pid) if pid == std::process::id() => format!(" (pid {pid}, this process)"),
        Ok(pid) => format!(" (pid {pid})"),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_holds_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.redb");
        let first = Owner::take(&path).unwrap();
        let refused = Owner::take(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("(pid {}, this process)", std::process::id())), "{refused}");
        drop(first);
        Owner::take(&path).unwrap();
    }

    #[test]
    fn a_pid_left_by_a_dead_process_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.redb");
        std::fs::write(side_file(&path), "4000000\n").unwrap();
        Owner::take(&path).unwrap();
    }
}
