//! What the clients of one Kafka log share: who the brokers are, what troubles them at present, and librdkafka's figures; and
//! how an answer becomes a [`LogError`] a person understands.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::statistics::Statistics;
use tokio::task::spawn_blocking;
use tracing::{debug, warn};

use super::errors::{Cause, Sorted, code, sort};
use super::options::{KafkaOptions, Tls};
use super::producer::Delivery;
use super::statistics::Figures;
use crate::log::{Figure, LogError};

/// What stands in the way of a connection, in librdkafka's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    code: Code,
    reason: String,
}

impl Trouble {
    /// What it asks for. Some refusals come as a lost connection, and only the reason tells them apart.
    pub(super) fn sorted(&self) -> Sorted {
        let says = |text: &str| self.reason.contains(text);
        if says("certificate required") || says("bad certificate") || says("SSL authentication might be required") {
            return Sorted::Refused("the broker asks for a client certificate it knows: give it with --kafka-certificate and --kafka-key");
        }
        if says("wrong version number") || says("connecting to a PLAINTEXT broker listener") {
            return Sorted::Refused("the broker does not encrypt at this address: use the address of its TLS listener");
        }
        if says("mechanism") && says("nsupported") {
            return sort(Code::UnsupportedSASLMechanism);
        }
        sort(self.code)
    }

    /// What it hints at, though it may be an outage as well: believed only when nothing better came in time.
    fn suspected(&self, anonymous: bool) -> Option<&'static str> {
        if anonymous && self.reason.contains("Disconnected") {
            return Some("the broker hangs up on us: does it want a user (--kafka-user)?");
        }
        (self.code == Code::Resolve).then_some("this host name is not known: check --log")
    }
}

/// What all clients of a log share.
pub(super) struct Shared {
    brokers: String,
    tls: Option<Tls>,
    /// Whether no user was given.
    anonymous: bool,
    trouble: Mutex<Option<Trouble>>,
    /// Whether there is trouble: asked after each success, so without the lock.
    troubled: AtomicBool,
    /// Records that came where nobody reads; readers start again where they stand when it moves.
    strays: AtomicU64,
    producer: Mutex<Figures>,
    reader: Mutex<Figures>,
    member: Mutex<Figures>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("brokers", &self.brokers).field("trouble", &self.trouble).finish_non_exhaustive()
    }
}

/// No holder of these locks leaves anything half changed, so a panic of another thread does not spoil them.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(options: &KafkaOptions) -> Self {
        // Asked first, OpenSSL is not taken down at the exit of the process: librdkafka's threads may still shake hands then, and would crash.
        openssl::init();
        Self {
            brokers: options.brokers.clone(),
            tls: options.tls.clone(),
            anonymous: options.user.is_none(),
            trouble: Mutex::default(),
            troubled: AtomicBool::new(false),
            strays: AtomicU64::new(0),
            producer: Mutex::default(),
            reader: Mutex::default(),
            member: Mutex::default(),
        }
    }

    pub(super) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Acquire)
    }

    pub(super) fn stray(&self) {
        warn!("a record came outside of its partition's queue; its partition is read again");
        self.strays.fetch_add(1, Ordering::AcqRel);
    }

    /// What troubles the connections at present.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        locked(&self.trouble).clone()
    }

    /// A broker answered: what troubled before is over.
    pub(super) fn answered(&self) {
        if self.troubled.swap(false, Ordering::AcqRel) {
            *locked(&self.trouble) = None;
        }
    }

    fn saw(&self, code: Code, reason: &str) {
        // That all brokers are down follows from what was said of each, which is what helps; a client that is spent is no trouble of
        // the connection, and whoever holds it replaces it.
        if matches!(code, Code::AllBrokersDown | Code::PartitionEOF | Code::Fatal) {
            return;
        }
        let trouble = Trouble { code, reason: reason.to_owned() };
        let mut present = locked(&self.trouble);
        let refused = |trouble: &Trouble| matches!(trouble.sorted(), Sorted::Refused(_));
        if present.as_ref().is_some_and(refused) && !refused(&trouble) {
            return;
        }
        // Brokers close idle connections as they like; that is of use only where nothing else is known.
        if reason.contains("Disconnected") {
            debug!(brokers = %self.brokers, %reason, "a connection ended");
        } else if present.as_ref().is_none_or(|present| present.code != code) {
            warn!(brokers = %self.brokers, %reason, "trouble with a broker");
        }
        *present = Some(trouble);
        self.troubled.store(true, Ordering::Release);
    }

    /// An error of the client as the log's, with what is known of the connection.
    pub(super) fn error(&self, action: &'static str, error: &KafkaError) -> LogError {
        self.coded(action, code(error), &error.to_string())
    }

    /// An answer's code as the log's error.
    pub(super) fn coded(&self, action: &'static str, code: Code, words: &str) -> LogError {
        let broker: Box<str> = self.brokers.as_str().into();
        if let Sorted::Refused(hint) = sort(code) {
            return LogError::Refused { action, broker, hint: hint.into(), source: Box::new(Cause(words.to_owned())) };
        }
        match self.trouble() {
            Some(trouble) => match trouble.sorted() {
                Sorted::Refused(hint) => LogError::Refused { action, broker, hint: hint.into(), source: Box::new(Cause(trouble.reason)) },
                _ => LogError::Unavailable { action, broker, source: Box::new(Cause(trouble.reason)) },
            },
            None => LogError::Unavailable { action, broker, source: Box::new(Cause(words.to_owned())) },
        }
    }

    /// The error of a start without an answer: says most exactly what can be known, and may look at the broker by hand.
    pub(super) async fn unreachable(&self, waited: &str) -> LogError {
        let (action, broker): (_, Box<str>) = ("connect to", self.brokers.as_str().into());
        let trouble = self.trouble();
        let known = match trouble.as_ref().map(Trouble::sorted) {
            Some(Sorted::Refused(hint)) => Some(hint.to_owned()),
            _ => None,
        };
        let seen = match (&self.tls, &trouble) {
            (Some(tls), Some(Trouble { code: Code::SSL, .. })) => {
                let (brokers, tls) = (self.brokers.clone(), tls.clone());
                spawn_blocking(move || super::certificate::refusal(&brokers, &tls)).await.ok().flatten()
            }
            (None, _) if known.is_none() => {
                let brokers = self.brokers.clone();
                let encrypts = spawn_blocking(move || super::certificate::encrypts(&brokers)).await.unwrap_or(false);
                encrypts.then(|| "the broker wants TLS at this address: give the CA of its certificate with --kafka-ca".to_owned())
            }
            _ => None,
        };
        let hint = seen.or(known).or_else(|| trouble.as_ref().and_then(|trouble| trouble.suspected(self.anonymous)).map(ToOwned::to_owned));
        let source = Box::new(Cause(trouble.map_or_else(|| waited.to_owned(), |trouble| trouble.reason)));
        match hint {
            Some(hint) => LogError::Refused { action, broker, hint: hint.into(), source },
            None => LogError::Unavailable { action, broker, source },
        }
    }

    /// Whether a person has to act before a connection can be made.
    pub(super) fn refused(&self) -> bool {
        self.trouble().is_some_and(|trouble| matches!(trouble.sorted(), Sorted::Refused(_)))
    }

    /// What librdkafka says of each client, at zero until it has said it.
    pub(super) fn figures(&self, of_member: bool) -> Vec<Figure> {
        let mut all = locked(&self.producer).of_producer();
        all.extend(locked(&self.reader).of_reader());
        if of_member {
            all.extend(locked(&self.member).of_member());
        }
        all
    }
}

/// Which client a context belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Producer,
    Reader,
    Member,
    /// Administration: short-lived, without figures.
    Other,
}

/// What librdkafka calls back.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) shared: std::sync::Arc<Shared>,
    pub(super) role: Role,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        // Errors come as errors as well; that a broker hangs up on who does not sign in comes here alone.
        if fac == "FAIL" && message.contains("Disconnected") {
            let reason = message.split_once("]: ").map_or(message, |(_, reason)| reason);
            self.shared.saw(Code::BrokerTransportFailure, reason);
        }
        debug!(?level, fac, message, "librdkafka");
    }

    fn stats(&self, statistics: Statistics) {
        let figures = match self.role {
            Role::Producer => &self.shared.producer,
            Role::Reader => &self.shared.reader,
            Role::Member => &self.shared.member,
            Role::Other => return,
        };
        let mut figures = locked(figures);
        *figures = Figures::of(&statistics).after(&figures);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.shared.saw(code(&error), reason);
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Box<Delivery>) {
        delivery.answered(result);
    }
}
