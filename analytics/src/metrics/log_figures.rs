//! What the log's clients say of themselves, read at each scrape: names and help are the log's (`contract/src/log.rs`).

use std::sync::{Arc, Weak};

use contract::log::{EventLog, Figure};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// The label that tells a log's clients apart.
const CLIENT: &str = "client";

/// Collects the figures of one log. It does not keep the log: a member that ends leaves its group then.
#[derive(Debug)]
pub(super) struct LogFigures {
    log: Weak<dyn EventLog>,
    descriptions: Vec<Desc>,
}

impl LogFigures {
    /// Of a log whose clients say something.
    pub(super) fn of(log: &Arc<dyn EventLog>) -> Option<Self> {
        let figures = log.figures();
        let describe = |figure: &Figure| {
            let labels = figure.client.map(|_| CLIENT.to_owned()).into_iter().collect();
            Desc::new(figure.name.to_owned(), figure.help.to_owned(), labels, Default::default())
                .expect("names of figures are literals that Prometheus takes")
        };
        let descriptions = named(&figures).into_iter().map(|(first, _)| describe(first)).collect();
        (!figures.is_empty()).then(|| Self { log: Arc::downgrade(log), descriptions })
    }
}

impl Collector for LogFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let figures = self.log.upgrade().map(|log| log.figures()).unwrap_or_default();
        named(&figures).into_iter().map(|(first, all)| family(first, &all)).collect()
    }
}

/// Figures by name, in the order of their first: several clients may say the same.
fn named(figures: &[Figure]) -> Vec<(&Figure, Vec<&Figure>)> {
    let mut names: Vec<(&Figure, Vec<&Figure>)> = Vec::new();
    for figure in figures {
        match names.iter_mut().find(|(first, _)| first.name == figure.name) {
            Some((_, all)) => all.push(figure),
            None => names.push((figure, vec![figure])),
        }
    }
    names
}

fn family(first: &Figure, all: &[&Figure]) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(first.name.to_owned());
    family.set_help(first.help.to_owned());
    family.set_field_type(if first.grows { MetricType::COUNTER } else { MetricType::GAUGE });
    family.set_metric(all.iter().map(|figure| metric(figure)).collect());
    family
}

fn metric(figure: &Figure) -> Metric {
    let label = figure.client.map(|client| {
        let mut label = LabelPair::default();
        label.set_name(CLIENT.to_owned());
        label.set_value(client.to_owned());
        label
    });
    let mut metric = Metric::from_label(label.into_iter().collect());
    if figure.grows {
        let mut counter = Counter::default();
        counter.set_value(figure.value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(figure.value);
        metric.set_gauge(gauge);
    }
    metric
}
