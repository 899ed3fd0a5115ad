//! What the broker answered, sorted by what a person or a loop has to do about it.

use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What an error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorted {
    /// It may work the next time.
    Away,
    /// The topic or partition is not there.
    NotThere,
    /// A person has to act: this says how.
    Refused(&'static str),
}

/// What neither we nor the broker's owner can mend by changing a setting.
const FAULT: &str = "this should not happen: report it with the broker's version";

/// The one list of what the codes of librdkafka and of brokers ask for. What it does not name is tried again: a broker newer
/// than this list is no reason to stop.
pub(super) const fn sort(code: Code) -> Sorted {
    match code {
        Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition | Code::UnknownTopicId => Sorted::NotThere,

        Code::Authentication | Code::SaslAuthenticationFailed => {
            Sorted::Refused("the broker does not accept this user and password: check --kafka-user and its password")
        }
        Code::UnsupportedSASLMechanism | Code::IllegalSASLState => {
            Sorted::Refused("the broker does not offer this way of signing in: check the mechanism of --kafka-user")
        }
        Code::SSL => Sorted::Refused("the encrypted connection was refused: check --kafka-ca, --kafka-certificate and --kafka-key"),
        Code::SecurityDisabled => Sorted::Refused("the broker's security features are off: ask its owner"),
        Code::TopicAuthorizationFailed => {
            Sorted::Refused("this user may not use the topic: allow it Read, Write, Describe and Create on gridwatch's topics")
        }
        Code::GroupAuthorizationFailed => {
            Sorted::Refused("this user may not use the consumer group: allow it Read on the group of --kafka-group")
        }
        Code::ClusterAuthorizationFailed => {
            Sorted::Refused("this user may not do that in the cluster: allow it IdempotentWrite and Create, or create the topics for it")
        }
        Code::TransactionalIdAuthorizationFailed => Sorted::Refused("this user may not write in transactions: ask the broker's owner"),
        Code::UnsupportedVersion | Code::UnsupportedFeature | Code::UnsupportedForMessageFormat | Code::UnsupportedCompressionType => {
            Sorted::Refused("the broker is too old: Kafka 2.4 or later is needed")
        }
        Code::PolicyViolation => Sorted::Refused("a policy of the broker forbids this topic: create it by its owner's rules, as declared"),
        Code::InvalidReplicationFactor => {
            Sorted::Refused("there are fewer brokers than copies asked for: lower --kafka-replication or add brokers")
        }
        Code::InvalidTopic | Code::InvalidPartitions | Code::InvalidReplicaAssignment | Code::InvalidConfig => {
            Sorted::Refused("the broker does not take a topic with these settings: create it by hand, as declared")
        }
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            Sorted::Refused("the topic takes smaller records only: set max.message.bytes of the topic to 2097152")
        }
        Code::FencedInstanceId | Code::UnreleasedInstanceId | Code::Fenced => {
            Sorted::Refused("another process uses this member's name: give each its own --member")
        }
        Code::GroupMaxSizeReached => Sorted::Refused("the consumer group is full: raise group.max.size of the broker or start fewer"),
        Code::InconsistentGroupProtocol | Code::UnsupportedAssignor => {
            Sorted::Refused("the group's other members share partitions by another rule: use a group of our own with --kafka-group")
        }
        Code::InvalidSessionTimeout => {
            Sorted::Refused("the broker does not allow this session timeout: see its group.*.session.timeout.ms")
        }
        Code::InvalidGroupId => Sorted::Refused("the broker does not take this group name: change --kafka-group"),
        Code::UnknownProtocol | Code::InvalidArgument | Code::NotConfigured | Code::NoEnt => {
            Sorted::Refused("a setting is not one the client knows: check the --kafka options")
        }
        Code::FileSystem | Code::CriticalSystemResource => {
            Sorted::Refused("this machine is out of memory, files or threads: see its limits")
        }
        // A client that can promise no order any more is replaced, and what it had under way is appended again.
        Code::Fatal | Code::InvalidProducerEpoch | Code::ProducerFenced | Code::OutOfOrderSequenceNumber | Code::GaplessGuarantee => {
            Sorted::Away
        }
        Code::LogTruncation => {
            Sorted::Refused("the broker has lost records it had acknowledged: restore them, or replay from the lake's position")
        }
        Code::BadMessage | Code::BadCompression | Code::InvalidMessage | Code::InvalidRecord => {
            Sorted::Refused("the broker sent or refused bytes that are damaged: check its disks and the network")
        }
        Code::InvalidRequiredAcks
        | Code::InvalidRequest
        | Code::InvalidTimestamp
        | Code::InvalidTransactionalState
        | Code::NotImplemented
        | Code::InvalidType
        | Code::Underflow
        | Code::State
        | Code::Conflict
        | Code::Inconsistent
        | Code::UnknownGroup
        | Code::ExistingSubscription
        | Code::ReadOnly => Sorted::Refused(FAULT),

        _ => Sorted::Away,
    }
}

/// The code of an error; those that carry none are about settings, or a client that is gone.
pub(super) fn code(error: &KafkaError) -> Code {
    match error {
        KafkaError::AdminOp(code) => *code,
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::AdminOpCreation(_) | KafkaError::Nul(_) => {
            Code::InvalidArgument
        }
        // librdkafka's wrapper gives these as text only; all of them are asked again.
        KafkaError::Seek(_) | KafkaError::Subscription(_) | KafkaError::PauseResume(_) => Code::Fail,
        other => other.rdkafka_error_code().unwrap_or(Code::Fail),
    }
}

/// A cause in librdkafka's or the broker's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause(pub(super) String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_away_or_moving_is_asked_again() {
        for code in [
            Code::BrokerTransportFailure,
            Code::AllBrokersDown,
            Code::MessageTimedOut,
            Code::OperationTimedOut,
            Code::RequestTimedOut,
            Code::NotLeaderForPartition,
            Code::LeaderNotAvailable,
            Code::NotEnoughReplicas,
            Code::NotEnoughReplicasAfterAppend,
            Code::NotController,
            Code::CoordinatorNotAvailable,
            Code::RebalanceInProgress,
            Code::OffsetNotAvailable,
            Code::ThrottlingQuotaExceeded,
            Code::KafkaStorageError,
            Code::Resolve,
            Code::QueueFull,
            Code::Fatal,
            Code::OutOfOrderSequenceNumber,
        ] {
            assert_eq!(sort(code), Sorted::Away, "{code:?}");
        }
    }

    #[test]
    fn what_a_person_must_change_says_what() {
        for code in [
            Code::Authentication,
            Code::SaslAuthenticationFailed,
            Code::SSL,
            Code::TopicAuthorizationFailed,
            Code::GroupAuthorizationFailed,
            Code::ClusterAuthorizationFailed,
            Code::UnsupportedVersion,
            Code::UnsupportedSASLMechanism,
            Code::PolicyViolation,
            Code::InvalidReplicationFactor,
            Code::MessageSizeTooLarge,
            Code::FencedInstanceId,
            Code::LogTruncation,
            Code::InvalidRequest,
        ] {
            let Sorted::Refused(hint) = sort(code) else { panic!("{code:?} is {:?}", sort(code)) };
            assert!(hint.contains(": ") && !hint.ends_with('.'), "{code:?}: {hint}");
        }
    }

    #[test]
    fn a_topic_that_is_not_there_is_told_apart() {
        for code in [Code::UnknownTopic, Code::UnknownPartition, Code::UnknownTopicOrPartition] {
            assert_eq!(sort(code), Sorted::NotThere, "{code:?}");
        }
    }
}
