//! Which partitions are ours: what the group gives and takes, and where reading goes on.

use std::collections::{BTreeMap, BTreeSet};

use contract::{TopicPartition, topic};

use super::reader::{self, Held};
use super::{ConsumeError, Consumer};
use crate::lake::Positions;
use crate::lake::delta::Change;
use crate::records::{position_name, skipped_name};
use crate::recover;

impl Consumer {
    /// Lets go of partitions that are no longer ours and takes over those that have become ours.
    ///
    /// # Errors
    /// The lake or the log cannot be read; the log no longer holds, or never held, the position the lake stands at.
    pub(super) async fn follow(&mut self) -> Result<(), ConsumeError> {
        let assigned = self.reader.log.assigned(&topic::ALL).await?;
        self.reader.partitions.retain(|partition, _| assigned.contains(partition));
        let new: BTreeSet<_> = assigned.into_iter().filter(|partition| !self.reader.partitions.contains_key(partition)).collect();
        if !new.is_empty() {
            self.take_over(new).await?;
        }
        Ok(())
    }

    /// Whether the group still gives us what we hold. Asking it also shows that we are there: a backlog may take longer than it waits to hear
    /// of us, and meanwhile it gives nobody else anything.
    pub(super) async fn keeps(&self) -> bool {
        let assigned = self.reader.log.assigned(&topic::ALL).await;
        // What went wrong is told by the next to ask; what is decided is committed before.
        assigned.is_ok_and(|assigned| assigned.iter().eq(self.reader.partitions.keys()))
    }

    /// Whether a partition is ours.
    pub fn holds(&self, partition: &TopicPartition) -> bool {
        self.reader.partitions.contains_key(partition)
    }

    /// Whether any partition is ours.
    pub fn holds_any(&self) -> bool {
        !self.reader.partitions.is_empty()
    }

    /// Forgets what it holds; the next [`Consumer::follow`] reads it anew from the lake.
    pub(super) fn let_go(&mut self) {
        self.reader.partitions.clear();
    }

    /// Starts reading partitions where the table stands.
    pub(super) async fn take_over(&mut self, new: BTreeSet<TopicPartition>) -> Result<(), ConsumeError> {
        self.records.refresh(None).await?;
        let mut fresh = Positions::new();
        let mut held = BTreeMap::new();
        for partition in &new {
            let (first, end) = self.reader.log.watermarks(&partition.topic, partition.partition).await?;
            let standing = self.records.position(&position_name(partition)).await?.map(i64::cast_unsigned);
            let skipped = self.records.position(&skipped_name(partition)).await?.map_or(0, i64::cast_unsigned);
            let (next, skipped) = match standing {
                Some(next) => (reader::check_position(partition, next, first, end)?, skipped),
                None => {
                    // Said before the first record comes: from now on the log may not lose one unnoticed.
                    fresh.insert(position_name(partition), first.cast_signed());
                    fresh.extend((first > 0).then(|| (skipped_name(partition), first.cast_signed())));
                    (first, first)
                }
            };
            held.insert(partition.clone(), Held::at(next, skipped));
        }
        if !fresh.is_empty() {
            self.records.commit(Change { positions: fresh, ..Change::default() }).await?;
        }
        for (partition, state) in recover::states(&self.records, &new).await? {
            if let Some(held) = held.get_mut(&partition) {
                held.state = state;
            }
        }
        for (partition, held) in &held {
            self.offsets.advance(partition.clone(), held.next);
            self.skipped.advance(partition.clone(), held.skipped);
        }
        tracing::debug!(partitions = held.len(), "took over partitions where the lake stands");
        self.reader.partitions.extend(held);
        Ok(())
    }
}
