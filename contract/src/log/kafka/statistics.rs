//! librdkafka's own figures as a fixed list of metrics, by client: what waits, what travels, what fails, how long it takes. How far
//! readers are behind is not among them: that is known from positions and ends.

use std::time::Duration;

use rdkafka::statistics::{Broker, Statistics};

use crate::log::Figure;

/// The figures of one client, as old as the statistics interval of its options.
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
    queue_p99: Duration,
    rebalances: u64,
    assigned_partitions: u64,
}

impl Figures {
    pub(super) fn of(statistics: &Statistics) -> Self {
        let known = |figure: i64| u64::try_from(figure).unwrap_or(0);
        let brokers = || statistics.brokers.values();
        let partitions = || statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let group = statistics.cgrp.as_ref();
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
            round_trip_p99: slowest(statistics, |broker| broker.rtt.as_ref().map(|window| window.p99)),
            queue_p99: slowest(statistics, |broker| broker.int_latency.as_ref().map(|window| window.p99)),
            rebalances: group.map_or(0, |group| known(group.rebalance_cnt)),
            assigned_partitions: group.map_or(0, |group| known(group.assignment_size.into())),
        }
    }

    /// These figures after `before`: librdkafka forgets a broker that left the cluster, and what was counted of it must not seem
    /// to shrink.
    pub(super) fn after(self, before: &Self) -> Self {
        Self {
            request_timeouts: self.request_timeouts.max(before.request_timeouts),
            request_retries: self.request_retries.max(before.request_retries),
            send_errors: self.send_errors.max(before.send_errors),
            receive_errors: self.receive_errors.max(before.receive_errors),
            connects: self.connects.max(before.connects),
            disconnects: self.disconnects.max(before.disconnects),
            ..self
        }
    }

    /// What every client says of its connections.
    fn connections(&self, client: &'static str) -> [Figure; 11] {
        let of = |figure: Figure| Figure { client: Some(client), ..figure };
        [
            counter("gridwatch_kafka_requests_total", "Requests sent to brokers.", self.requests),
            counter("gridwatch_kafka_request_bytes_total", "Bytes sent to brokers.", self.request_bytes),
            counter("gridwatch_kafka_answer_bytes_total", "Bytes received from brokers.", self.answer_bytes),
            counter("gridwatch_kafka_request_timeouts_total", "Requests not answered in time.", self.request_timeouts),
            counter("gridwatch_kafka_request_retries_total", "Requests sent again.", self.request_retries),
            counter("gridwatch_kafka_send_errors_total", "Errors of sending.", self.send_errors),
            counter("gridwatch_kafka_receive_errors_total", "Errors of receiving.", self.receive_errors),
            counter("gridwatch_kafka_connects_total", "Attempts to connect to a broker.", self.connects),
            counter("gridwatch_kafka_disconnects_total", "Connections to brokers that ended.", self.disconnects),
            gauge("gridwatch_kafka_brokers_up", "Brokers connected at present.", self.brokers_up),
            seconds(
                "gridwatch_kafka_round_trip_p99_seconds",
                "99 of 100 requests to the slowest broker were answered within this over the last seconds; a reader's wait for records.",
                self.round_trip_p99,
            ),
        ]
        .map(of)
    }

    /// The producer's figures.
    pub(super) fn of_producer(&self) -> Vec<Figure> {
        let mut all = self.connections("producer").to_vec();
        all.push(gauge("gridwatch_kafka_producer_queue_records", "Records that wait to be sent or acknowledged.", self.queue_records));
        all.push(gauge("gridwatch_kafka_producer_queue_bytes", "Bytes that wait to be sent or acknowledged.", self.queue_bytes));
        all.push(seconds(
            "gridwatch_kafka_producer_queue_p99_seconds",
            "99 of 100 records waited at most this long in the process before they were sent, over the last seconds.",
            self.queue_p99,
        ));
        all
    }

    /// The reader's figures.
    pub(super) fn of_reader(&self) -> Vec<Figure> {
        let mut all = self.connections("reader").to_vec();
        all.push(gauge("gridwatch_kafka_reader_queue_records", "Records read ahead.", self.fetched_records));
        all.push(gauge("gridwatch_kafka_reader_queue_bytes", "Bytes read ahead.", self.fetched_bytes));
        all
    }

    /// The figures of a member of a group.
    pub(super) fn of_member(&self) -> Vec<Figure> {
        let mut all = self.connections("member").to_vec();
        all.push(counter(
            "gridwatch_kafka_rebalances_total",
            "Rebalances of the consumer group this process took part in.",
            self.rebalances,
        ));
        all.push(gauge("gridwatch_kafka_assigned_partitions", "Partitions that are this process's to read.", self.assigned_partitions));
        all
    }
}

/// The longest of the brokers' times, which librdkafka gives in microseconds.
fn slowest(statistics: &Statistics, time: impl Fn(&Broker) -> Option<i64>) -> Duration {
    let longest = statistics.brokers.values().filter_map(time).max();
    Duration::from_micros(longest.and_then(|micros| u64::try_from(micros).ok()).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a process stay below 2^53")]
const fn figure(name: &'static str, help: &'static str, grows: bool, value: u64) -> Figure {
    Figure { name, help, grows, client: None, value: value as f64 }
}

const fn counter(name: &'static str, help: &'static str, value: u64) -> Figure {
    figure(name, help, true, value)
}

const fn gauge(name: &'static str, help: &'static str, value: u64) -> Figure {
    figure(name, help, false, value)
}

const fn seconds(name: &'static str, help: &'static str, value: Duration) -> Figure {
    Figure { name, help, grows: false, client: None, value: value.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_left_takes_no_count_with_it() {
        let before = Figures { connects: 5, disconnects: 3, brokers_up: 3, ..Figures::default() };
        let after = Figures { connects: 2, disconnects: 4, brokers_up: 2, ..Figures::default() }.after(&before);
        assert_eq!(after, Figures { connects: 5, disconnects: 4, brokers_up: 2, ..Figures::default() });
    }

    #[test]
    fn what_librdkafka_says_is_found_again() {
        let mut said: Statistics = Statistics { msg_cnt: 7, tx: 11, ..Statistics::default() };
        let broker = |nodeid, p99| Broker {
            nodeid,
            state: "UP".to_owned(),
            rtt: Some(rdkafka::statistics::Window { p99, ..Default::default() }),
            connects: Some(1),
            ..Broker::default()
        };
        said.brokers = [("one".to_owned(), broker(1, 1500)), ("bootstrap".to_owned(), broker(-1, 9000))].into();
        let figures = Figures::of(&said);
        assert_eq!((figures.brokers_up, figures.connects, figures.round_trip_p99), (1, 2, Duration::from_micros(9000)));
        let listed = figures.of_producer();
        let value = |name: &str| listed.iter().find(|figure| figure.name == name).map(|figure| (figure.client, figure.value));
        assert_eq!(value("gridwatch_kafka_producer_queue_records"), Some((None, 7.0)));
        assert_eq!(value("gridwatch_kafka_requests_total"), Some((Some("producer"), 11.0)));
        assert_eq!(value("gridwatch_kafka_round_trip_p99_seconds"), Some((Some("producer"), 0.009)));
    }
}
