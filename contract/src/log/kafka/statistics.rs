//! librdkafka's own figures as a fixed list: what waits, what travels, what fails. How far readers are behind is not among
//! them: that is known from positions and ends.

use std::time::Duration;

use rdkafka::statistics::Statistics;

/// The figures of one client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    queue_records: u64,
    queue_bytes: u64,
    fetched_records: u64,
    fetched_bytes: u64,
    requests: u64,
    request_bytes: u64,
    answer_bytes: u64,
    request_timeouts: u64,
    request_retries: u64,
    send_errors: u64,
    receive_errors: u64,
    connects: u64,
    disconnects: u64,
    brokers_up: u64,
    round_trip_p99: Duration,
}

impl Figures {
    pub(super) fn of(statistics: &Statistics) -> Self {
        let known = |figure: i64| u64::try_from(figure).unwrap_or(0);
        let brokers = || statistics.brokers.values();
        let partitions = || statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let slowest = brokers().filter_map(|broker| broker.rtt.as_ref()).map(|window| known(window.p99)).max();
        Self {
            queue_records: statistics.msg_cnt,
            queue_bytes: statistics.msg_size,
            fetched_records: partitions().map(|partition| known(partition.fetchq_cnt)).sum(),
            fetched_bytes: partitions().map(|partition| partition.fetchq_size).sum(),
            requests: known(statistics.tx),
            request_bytes: known(statistics.tx_bytes),
            answer_bytes: known(statistics.rx_bytes),
            request_timeouts: brokers().map(|broker| broker.req_timeouts).sum(),
            request_retries: brokers().map(|broker| broker.txretries).sum(),
            send_errors: brokers().map(|broker| broker.txerrs).sum(),
            receive_errors: brokers().map(|broker| broker.rxerrs).sum(),
            connects: brokers().map(|broker| known(broker.connects.unwrap_or(0))).sum(),
            disconnects: brokers().map(|broker| known(broker.disconnects.unwrap_or(0))).sum(),
            // Bootstrap entries have no id: the same broker counts once it has told its own.
            brokers_up: brokers().filter(|broker| broker.nodeid >= 0 && broker.state == "UP").count() as u64,
            round_trip_p99: Duration::from_micros(slowest.unwrap_or(0)),
        }
    }
}

/// The figures of a Kafka log, as old as the statistics interval of its options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KafkaStatistics {
    /// Records that wait to be sent or acknowledged.
    pub producer_queue_records: u64,
    /// Their bytes.
    pub producer_queue_bytes: u64,
    /// Records read ahead.
    pub reader_queue_records: u64,
    /// Their bytes.
    pub reader_queue_bytes: u64,
    /// Requests sent since the start.
    pub requests: u64,
    /// Bytes sent since the start.
    pub request_bytes: u64,
    /// Bytes received since the start.
    pub answer_bytes: u64,
    /// Requests that were not answered in time since the start.
    pub request_timeouts: u64,
    /// Requests sent again since the start.
    pub request_retries: u64,
    /// Errors of sending since the start.
    pub send_errors: u64,
    /// Errors of receiving since the start.
    pub receive_errors: u64,
    /// Attempts to connect since the start.
    pub connects: u64,
    /// Connections that ended since the start.
    pub disconnects: u64,
    /// Brokers connected at present.
    pub brokers_up: u64,
    /// 99 of 100 requests to the slowest broker were answered within this, over the last interval.
    pub round_trip_p99: Duration,
}

/// One figure: name, whether it only grows, help, value in base units.
pub type Figure = (&'static str, bool, &'static str, f64);

impl KafkaStatistics {
    pub(super) fn of(producer: &Figures, reader: &Figures) -> Self {
        Self {
            producer_queue_records: producer.queue_records,
            producer_queue_bytes: producer.queue_bytes,
            reader_queue_records: reader.fetched_records,
            reader_queue_bytes: reader.fetched_bytes,
            requests: producer.requests + reader.requests,
            request_bytes: producer.request_bytes + reader.request_bytes,
            answer_bytes: producer.answer_bytes + reader.answer_bytes,
            request_timeouts: producer.request_timeouts + reader.request_timeouts,
            request_retries: producer.request_retries + reader.request_retries,
            send_errors: producer.send_errors + reader.send_errors,
            receive_errors: producer.receive_errors + reader.receive_errors,
            connects: producer.connects + reader.connects,
            disconnects: producer.disconnects + reader.disconnects,
            brokers_up: producer.brokers_up.max(reader.brokers_up),
            round_trip_p99: producer.round_trip_p99.max(reader.round_trip_p99),
        }
    }

    /// Every figure under the name of its metric.
    #[expect(clippy::cast_precision_loss, reason = "counts of a process stay below 2^53")]
    pub fn list(&self) -> [Figure; 15] {
        [
            (
                "gridwatch_kafka_producer_queue_records",
                false,
                "Records that wait to be sent or acknowledged.",
                self.producer_queue_records as f64,
            ),
            (
                "gridwatch_kafka_producer_queue_bytes",
                false,
                "Bytes that wait to be sent or acknowledged.",
                self.producer_queue_bytes as f64,
            ),
            ("gridwatch_kafka_reader_queue_records", false, "Records read ahead.", self.reader_queue_records as f64),
            ("gridwatch_kafka_reader_queue_bytes", false, "Bytes read ahead.", self.reader_queue_bytes as f64),
            ("gridwatch_kafka_requests_total", true, "Requests sent to brokers.", self.requests as f64),
            ("gridwatch_kafka_request_bytes_total", true, "Bytes sent to brokers.", self.request_bytes as f64),
            ("gridwatch_kafka_answer_bytes_total", true, "Bytes received from brokers.", self.answer_bytes as f64),
            ("gridwatch_kafka_request_timeouts_total", true, "Requests not answered in time.", self.request_timeouts as f64),
            ("gridwatch_kafka_request_retries_total", true, "Requests sent again.", self.request_retries as f64),
            ("gridwatch_kafka_send_errors_total", true, "Errors of sending.", self.send_errors as f64),
            ("gridwatch_kafka_receive_errors_total", true, "Errors of receiving.", self.receive_errors as f64),
            ("gridwatch_kafka_connects_total", true, "Attempts to connect to a broker.", self.connects as f64),
            ("gridwatch_kafka_disconnects_total", true, "Connections to brokers that ended.", self.disconnects as f64),
            ("gridwatch_kafka_brokers_up", false, "Brokers connected at present.", self.brokers_up as f64),
            (
                "gridwatch_kafka_round_trip_p99_seconds",
                false,
                "99 of 100 requests to the slowest broker were answered within this.",
                self.round_trip_p99.as_secs_f64(),
            ),
        ]
    }
}
