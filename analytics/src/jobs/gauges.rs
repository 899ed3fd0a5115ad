//! A job's rows as Prometheus gauges: a series for each row, bounded, swapped as a whole.
//!
//! A scrape sees one run, never half of two. A series ends when its row ends. Beyond `series_max` rows are folded into one series
//! `__other__`, so that sums stay right and nothing is dropped silently.

use std::cmp::Reverse;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use chrono::{DateTime, Utc};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::run::Answer;
use super::{GaugeDefinition, Overflow};

/// Label value of the series that stands for all rows beyond the bound.
pub const OTHER: &str = "__other__";

/// The gauges of one job; clones share what they show.
#[derive(Debug, Clone)]
pub struct Gauges {
    desc: Desc,
    definitions: Arc<[GaugeDefinition]>,
    shown: Arc<RwLock<Vec<MetricFamily>>>,
}

impl Gauges {
    /// The gauges a job declares; nothing is shown before its first run.
    pub fn new(job: &str, definitions: &[GaugeDefinition]) -> Self {
        // The registry tells collectors apart by their descriptions; a job's series are known only after it ran.
        let desc = Desc::new(format!("gridwatch_job_{job}"), "Gauges of a job.".into(), Vec::new(), Default::default());
        Self { desc: desc.expect("job names are of a-z, 0-9 and _"), definitions: definitions.into(), shown: Arc::default() }
    }

    /// Shows nothing.
    pub fn clear(&self) {
        self.shown.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Shows the rows of a run in place of those before.
    pub fn show(&self, answer: &Answer, now: DateTime<Utc>) {
        let mut families = Vec::new();
        let mut books = Books::default();
        for gauge in self.definitions.iter() {
            let mut series: Vec<(Vec<String>, f64)> = answer.rows.iter().flat_map(|batch| rows(batch, gauge)).collect();
            let overflow = series.len().saturating_sub(gauge.series_max);
            fold(&mut series, gauge);
            books.enter(gauge, series.len(), overflow, now);
            let names: Vec<&String> = gauge.labels.keys().collect();
            families.push(family(&gauge.metric, &gauge.help, series.into_iter().map(|(values, value)| metric(&names, &values, value))));
        }
        families.extend(books.families());
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = families;
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Labels and value of each row that has a value.
fn rows(batch: &RecordBatch, gauge: &GaugeDefinition) -> Vec<(Vec<String>, f64)> {
    let column =
        |name: &str, data_type: DataType| batch.column_by_name(name).and_then(|column| arrow::compute::cast(column, &data_type).ok());
    let Some(values) = column(&gauge.value, DataType::Float64) else { return Vec::new() };
    let values = values.as_primitive::<Float64Type>();
    let labels: Vec<Option<ArrayRef>> = gauge.labels.values().map(|name| column(name, DataType::Utf8)).collect();
    let filter = gauge.filter.as_deref().map(|name| column(name, DataType::Boolean));
    let passes = |row: usize| match &filter {
        None => true,
        Some(None) => false,
        Some(Some(filter)) => filter.is_valid(row) && filter.as_boolean().value(row),
    };
    let label = |column: &Option<ArrayRef>, row: usize| {
        column
            .as_ref()
            .filter(|column| column.is_valid(row))
            .map_or_else(String::new, |column| column.as_string::<i32>().value(row).to_owned())
    };
    (0..batch.num_rows())
        .filter(|row| values.is_valid(*row) && values.value(*row).is_finite() && passes(*row))
        .map(|row| (labels.iter().map(|column| label(column, row)).collect(), values.value(row)))
        .collect()
}

/// Keeps the largest rows up to the bound and folds the rest into `__other__`.
fn fold(series: &mut Vec<(Vec<String>, f64)>, gauge: &GaugeDefinition) {
    series.sort_by(|(one_labels, one), (two_labels, two)| {
        Reverse(one.abs().to_bits()).cmp(&Reverse(two.abs().to_bits())).then_with(|| one_labels.cmp(two_labels))
    });
    // Two rows with the same labels would be one series twice, which Prometheus refuses as a whole scrape.
    let mut seen = std::collections::HashSet::new();
    series.retain(|(labels, _)| seen.insert(labels.clone()));
    if series.len() > gauge.series_max {
        let rest = series.split_off(gauge.series_max - 1).into_iter().map(|(_, value)| value);
        let value = match gauge.overflow {
            Overflow::Sum => rest.sum(),
            Overflow::Max => rest.fold(f64::NEG_INFINITY, f64::max),
            Overflow::Min => rest.fold(f64::INFINITY, f64::min),
        };
        series.push((vec![OTHER.to_owned(); gauge.labels.len()], value));
    }
    series.sort_by(|(one, _), (two, _)| one.cmp(two));
}

/// What gridwatch says about its own gauges.
#[derive(Debug, Default)]
struct Books {
    series: Vec<Metric>,
    limit: Vec<Metric>,
    overflow: Vec<Metric>,
    refreshed: Vec<Metric>,
}

impl Books {
    fn enter(&mut self, gauge: &GaugeDefinition, series: usize, overflow: usize, now: DateTime<Utc>) {
        let name = [&"metric".to_owned()];
        let value = |value: f64| metric(&name, std::slice::from_ref(&gauge.metric), value);
        self.series.push(value(series as f64));
        self.limit.push(value(gauge.series_max as f64));
        self.overflow.push(value(overflow as f64));
        self.refreshed.push(value(now.timestamp_micros() as f64 / 1e6));
    }

    fn families(self) -> impl Iterator<Item = MetricFamily> {
        [
            family("gridwatch_metric_series", "Series a gauge of a job shows.", self.series.into_iter()),
            family("gridwatch_metric_series_limit", "Most series a gauge of a job may show.", self.limit.into_iter()),
            family("gridwatch_metric_series_overflow", "Rows of a job folded into the series __other__.", self.overflow.into_iter()),
            family("gridwatch_metric_refresh_timestamp_seconds", "When a gauge of a job was last shown anew.", self.refreshed.into_iter()),
        ]
        .into_iter()
        .filter(|family| !family.get_metric().is_empty())
    }
}

fn family(name: &str, help: &str, metrics: impl Iterator<Item = Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(metrics.collect());
    family
}

fn metric(names: &[&String], values: &[String], value: f64) -> Metric {
    let labels = names.iter().zip(values).map(|(name, value)| {
        let mut label = LabelPair::default();
        label.set_name((*name).clone());
        label.set_value(value.clone());
        label
    });
    let mut metric = Metric::from_label(labels.collect());
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    metric.set_gauge(gauge);
    metric
}
