//! Topics, keys and the partition a key belongs to (D4): the same on the embedded log, on Kafka and from Java producers.

use crate::{Event, Kind};

/// Topic of rejections.
pub const QUARANTINE: &str = "gridwatch.quarantine";

/// Every topic of the contract, in a fixed order.
pub const ALL: [&str; 5] = ["gridwatch.hotline_call", "gridwatch.grid_report", "gridwatch.sensor_event", "gridwatch.case_step", QUARANTINE];

/// Longest name of a topic: Apache Kafka's own bound (`Topic.MAX_NAME_LENGTH`).
pub const NAME_BYTES_MAX: usize = 249;

/// Whether Apache Kafka takes it as the name of a topic.
pub fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(sound) && ![".", ".."].contains(&name)
}

/// The topic of a kind.
pub const fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::HotlineCall => ALL[0],
        Kind::GridReport => ALL[1],
        Kind::SensorEvent => ALL[2],
        Kind::CaseStep => ALL[3],
    }
}

/// The message key: `source/device_id` for sensors, `source/case_id` otherwise; the event's own id where neither is known.
pub fn key<S: AsRef<str>>(event: &Event<S>) -> String {
    let [source, id] = key_parts(event);
    format!("{source}/{id}")
}

/// What stands before and after the slash of an event's key.
pub(crate) fn key_parts<S: AsRef<str>>(event: &Event<S>) -> [&str; 2] {
    let id = match event.kind {
        Kind::SensorEvent => event.device_id.as_ref(),
        _ => event.case_id.as_ref(),
    };
    [event.source.as_ref(), id.unwrap_or(&event.event_id).as_ref()]
}

/// The partition of a key among `partitions`: Kafka's murmur2 rule, so every producer agrees.
///
/// # Panics
/// If `partitions` is 0.
pub fn partition(key: &[u8], partitions: u32) -> u32 {
    assert!(partitions > 0, "a topic has at least one partition");
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// Kafka's murmur2 (Apache Kafka, `Utils.murmur2`): seed 0x9747b28c, little-endian words.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).expect("keys are bounded well below 4 GiB");
    let mut hash = 0x9747_b28c ^ length;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().expect("chunks of four bytes")).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_kafkas_own_test_vectors() {
        // Apache Kafka, UtilsTest.testMurmur2.
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }
}
