//! A disk in memory for tests that loses power or fails at a chosen operation: what was written since the last sync is kept,
//! dropped or torn at 512-byte sectors, by a seed.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use redb::StorageBackend;

/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// What happens at the operation of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing ever.
    None,
    /// The power is gone: this and every later operation fails.
    PowerCut(u64),
    /// This operation fails once and does nothing; later ones work, as after a transient EIO.
    FailOnce(u64),
    /// Writing fails from here on, as on a full disk; reading works.
    Full(u64),
}

#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug)]
struct State {
    /// What the program reads.
    seen: Vec<u8>,
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// What was changed since.
    unsynced: Vec<Change>,
    operations: u64,
    trouble: Trouble,
}

/// The disk; clones are the same disk.
#[derive(Debug, Clone)]
pub(super) struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// A disk holding `image`, with trouble ahead.
    pub(super) fn new(image: Vec<u8>, trouble: Trouble) -> Self {
        Self(Arc::new(Mutex::new(State { seen: image.clone(), durable: image, unsynced: Vec::new(), operations: 0, trouble })))
    }

    /// Operations done so far.
    pub(super) fn operations(&self) -> u64 {
        self.with(|state| state.operations)
    }

    /// What the program would read now.
    pub(super) fn image(&self) -> Vec<u8> {
        self.with(|state| state.seen.clone())
    }

    /// What is found after the power comes back.
    pub(super) fn image_after_cut(&self, dice: &mut ChaCha8Rng) -> Vec<u8> {
        self.with(|state| {
            let mut image = state.durable.clone();
            for change in &state.unsynced {
                survive(&mut image, change, dice);
            }
            image
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn operate<T>(&self, writes: bool, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.with(|state| {
            let number = state.operations;
            state.operations += 1;
            let fails = match state.trouble {
                Trouble::None => None,
                Trouble::PowerCut(at) => (number >= at).then(|| io::Error::other("power is gone")),
                Trouble::FailOnce(at) => (number == at).then(|| io::Error::other("input/output error")),
                Trouble::Full(at) => (writes && number >= at).then(|| io::Error::from(io::ErrorKind::StorageFull)),
            };
            fails.map_or_else(|| work(state), Err)
        })
    }
}

/// Applies one change that was not synced: whole, not at all, or some of its sectors.
fn survive(image: &mut Vec<u8>, change: &Change, dice: &mut ChaCha8Rng) {
    match (change, dice.random_range(0..3)) {
        (_, 0) => {}
        (Change::Length(length), _) => set_length(image, *length),
        (Change::Write(offset, data), 1) => put(image, *offset, data),
        (Change::Write(offset, data), _) => {
            let mut at = *offset;
            let mut rest = &data[..];
            while !rest.is_empty() {
                let sector_end = (usize::try_from(at).unwrap() / SECTOR_BYTES + 1) * SECTOR_BYTES;
                let (sector, after) = rest.split_at(rest.len().min(sector_end - usize::try_from(at).unwrap()));
                if dice.random_bool(0.5) {
                    put(image, at, sector);
                }
                at += sector.len() as u64;
                rest = after;
            }
        }
    }
}

/// Cuts or fills with zeros. In the dev profile `Vec::resize` goes byte by byte, which was a third of the tests' time.
fn set_length(image: &mut Vec<u8>, length: u64) {
    let length = usize::try_from(length).unwrap();
    image.truncate(length);
    image.extend_from_slice(&vec![0; length - image.len()]);
}

/// Writes what fits: beyond a length that did not survive there is nothing to write to.
fn put(image: &mut [u8], offset: u64, data: &[u8]) {
    let start = usize::try_from(offset).unwrap().min(image.len());
    let end = (start + data.len()).min(image.len());
    image[start..end].copy_from_slice(&data[..end - start]);
}

impl StorageBackend for SimulatedDisk {
    fn len(&self) -> io::Result<u64> {
        self.operate(false, |state| Ok(state.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.operate(false, |state| {
            let start = usize::try_from(offset).unwrap();
            let found = state.seen.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(true, |state| {
            set_length(&mut state.seen, len);
            state.unsynced.push(Change::Length(len));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(true, |state| {
            for change in std::mem::take(&mut state.unsynced) {
                match change {
                    Change::Length(length) => set_length(&mut state.durable, length),
                    Change::Write(offset, data) => put(&mut state.durable, offset, &data),
                }
            }
            debug_assert_eq!(state.durable.len(), state.seen.len());
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.operate(true, |state| {
            let end = usize::try_from(offset).unwrap() + data.len();
            if end > state.seen.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            put(&mut state.seen, offset, data);
            state.unsynced.push(Change::Write(offset, data.to_vec()));
            Ok(())
        })
    }
}
