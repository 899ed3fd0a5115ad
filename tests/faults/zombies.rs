//! Writers that are stopped in the middle of a commit and go on after another has advanced the table: what they were about to
//! commit is refused, and no file of it ever belongs to the table.
//!
//! Two groups of one member each read the same topics into one lake, so both believe every partition theirs: nothing but the
//! table stands between them. In turn one of them is stopped between writing its rows and committing them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Told;
use super::stream::{Stream, held};
use crate::kafka_rig::Rig;
use crate::roles::{Deployment, Role};

/// What a member says whose commit was refused.
const REFUSED: &str = "another member has partitions this one believed its own";

/// Files of rows that stand in the lake; those a writer has not finished included.
fn files(records: &Path) -> BTreeSet<String> {
    let Ok(months) = std::fs::read_dir(records.join("disposition=accepted")) else { return BTreeSet::new() };
    let folders: Vec<PathBuf> = months.map(|entry| entry.unwrap().path()).collect();
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    // A name that ends in `#` and a number is of a file that is still written.
    let name = |name: String| name.split('#').next().unwrap_or_default().to_owned();
    entries.map(|entry| name(entry.unwrap().file_name().to_string_lossy().into_owned())).collect()
}

/// What the table's log says of files.
fn spoken_of(records: &Path) -> String {
    let log = std::fs::read_dir(records.join("_delta_log")).unwrap().map(|entry| entry.unwrap().path());
    log.filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// Whether rows of one of these files have come into the table; where upkeep only laid out anew what stands in it, none have.
fn came_in(records: &Path, files: &BTreeSet<String>) -> bool {
    let log = spoken_of(records);
    let mut adds = log.lines().filter(|line| line.starts_with("{\"add\"") && line.contains("\"dataChange\":true"));
    adds.any(|line| files.iter().any(|file| line.contains(file.as_str())))
}

/// The writer of a lake, which is stopped in the middle of commits.
struct Watched {
    records: PathBuf,
    /// Files of rows whose commits were not to be.
    orphans: BTreeSet<String>,
    /// How often the writer was stopped too late or too early.
    missed: u32,
}

impl Watched {
    /// Stops the only writer that runs between writing rows and committing them; the files it has written.
    fn stop_mid_commit(&mut self, writer: &Role) -> BTreeSet<String> {
        let began = Instant::now();
        loop {
            let before = files(&self.records);
            while files(&self.records).is_subset(&before) {
                assert!(began.elapsed() < Duration::from_secs(120), "it commits nothing: {}", writer.said());
                std::hint::spin_loop();
            }
            writer.stop();
            let log = spoken_of(&self.records);
            let caught: BTreeSet<String> =
                files(&self.records).into_iter().filter(|file| !self.orphans.contains(file) && !log.contains(file.as_str())).collect();
            if !caught.is_empty() {
                self.orphans.extend(caught.iter().cloned());
                return caught;
            }
            self.missed += 1;
            writer.resume();
        }
    }
}

/// Partitions that the load comes in by: four of each kind.
const PARTITIONS: usize = 16;

/// Where the table stands with each partition that events have come in by.
fn standing(city: &Deployment) -> BTreeMap<String, u64> {
    let partitions = city.cut().into_keys().map(|partition| (city.position(&partition), partition));
    partitions.filter(|(position, _)| *position > 0).map(|(position, partition)| (partition, position)).collect()
}

/// Two writers stopped by turns.
pub(crate) fn run(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let stream = Stream::start(ingest.at("ingest"));
    let writer = |group: &str| city.start("analyze", &["--group", group, "--commit-interval-ms", "50"], 1);
    let mut running = writer("one");
    city.wait("the first writer commits", &[&running], || standing(&city).len() == PARTITIONS);
    let mut stopped: Option<Role> = None;
    let mut watched = Watched { records: city.data.join("lake/records"), orphans: BTreeSet::new(), missed: 0 };
    for _ in 0..times {
        let caught = watched.stop_mid_commit(&running);
        let zombie = running;
        let at = standing(&city);
        // The other one goes on, and may be a zombie itself: it was stopped at any moment before.
        let other = match stopped.take() {
            Some(other) => {
                other.resume();
                other
            }
            None => writer("two"),
        };
        // Every partition: of which the stopped one holds records is not known here, and a version may be upkeep's.
        let advanced = || at.iter().all(|(partition, position)| city.position(partition) > *position);
        city.wait("the other writer advances every partition", &[&zombie, &other], advanced);
        let refused = zombie.times_said(REFUSED);
        zombie.resume();
        city.wait("the zombie's commit is refused", &[&zombie, &other], || zombie.times_said(REFUSED) > refused);
        assert!(!came_in(&watched.records, &caught), "rows of a zombie were committed: {caught:?}");
        zombie.stop();
        (running, stopped) = (other, Some(zombie));
    }
    let acknowledged = stream.end();
    let mut members = vec![running];
    if let Some(zombie) = stopped {
        zombie.resume();
        members.push(zombie);
    }
    let said = held(folder.path(), &city, &acknowledged, members);
    ingest.end();
    assert!(!came_in(&watched.records, &watched.orphans), "rows of a zombie were committed later");
    Some(format!(
        "{} files of refused commits, none ever in the table ({} stops missed the moment); {said}",
        watched.orphans.len(),
        watched.missed
    ))
}
