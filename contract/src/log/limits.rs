//! The bounds of a log and what may be declared as a topic: checked in one place, so every backend refuses the same.

use crate::topic;

use super::{LogError, RECORD_BYTES_MAX, Record, TopicSpec};

/// Most partitions of a topic: a city's stream needs a dozen; each costs a table here and files on a broker.
const PARTITIONS_MAX: u32 = 1024;

/// What a log takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Largest record, in bytes of key, value and headers.
    pub record_bytes_max: usize,
    /// Most bytes in one append.
    pub append_bytes_max: usize,
    /// Most bytes a topic holds over all partitions, as they are kept; beyond it appends answer [`LogError::Full`].
    pub topic_bytes_max: u64,
}

impl Default for LogLimits {
    /// 64 MiB an append is 150,000 records of the usual 400 bytes; 64 GiB a topic is as many as a large city sends in a year.
    fn default() -> Self {
        Self { record_bytes_max: RECORD_BYTES_MAX, append_bytes_max: 64 * 1024 * 1024, topic_bytes_max: 64 * 1024 * 1024 * 1024 }
    }
}

impl LogLimits {
    /// Refuses records no backend under these limits takes; answers their bytes.
    pub(super) fn check(&self, records: &[Record]) -> Result<usize, LogError> {
        let mut total = 0;
        for bytes in records.iter().map(Record::bytes) {
            if bytes > self.record_bytes_max {
                return Err(LogError::RecordTooLarge { bytes, bytes_max: self.record_bytes_max });
            }
            total += bytes;
        }
        if total > self.append_bytes_max {
            return Err(LogError::AppendTooLarge { records: records.len(), bytes: total, bytes_max: self.append_bytes_max });
        }
        Ok(total)
    }

    /// Refuses `bytes` more in a topic that holds `held`.
    pub(super) fn check_room(&self, topic: &str, held: u64, bytes: u64) -> Result<(), LogError> {
        if held.saturating_add(bytes) > self.topic_bytes_max {
            return Err(LogError::Full { topic: topic.to_owned(), bytes: held, bytes_max: self.topic_bytes_max });
        }
        Ok(())
    }
}

impl TopicSpec {
    /// Refuses names and partition counts Apache Kafka would refuse, so a topic can move there.
    pub(super) fn check(&self) -> Result<(), LogError> {
        if !topic::is_name(&self.name) {
            let detail = format!("a name has 1 to {} letters, digits, dots, dashes and underscores", topic::NAME_BYTES_MAX);
            return Err(LogError::InvalidTopic { topic: self.name.clone(), detail });
        }
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            let detail = format!("{} partitions, allowed are 1 to {PARTITIONS_MAX}", self.partitions);
            return Err(LogError::InvalidTopic { topic: self.name.clone(), detail });
        }
        Ok(())
    }

    /// Refuses another number of partitions than a topic stands with.
    pub(super) fn check_stands(&self, found: u32) -> Result<(), LogError> {
        if found == self.partitions {
            return Ok(());
        }
        Err(LogError::TopicDiffers { topic: self.name.clone(), found, wanted: self.partitions })
    }
}
