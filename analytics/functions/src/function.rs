//! What a function of this crate is: one table entry with name, arguments, result, documentation and the code that
//! computes it on Arrow columns. What DataFusion is told, what `system.functions` shows and which types are accepted all
//! come from this entry, so they cannot drift apart.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use datafusion_common::{Result, plan_err};

use crate::arguments::Arguments;
use crate::documentation::{Documentation, Unit};

/// One SQL function.
#[derive(Debug)]
pub struct Function {
    /// The name in SQL.
    pub name: &'static str,
    /// The file that defines it: `file!()`. Its cases are in the folder of that name.
    pub source: &'static str,
    /// How rows go in and come out.
    pub kind: Kind,
    /// What it takes, in order; those with a default last.
    pub arguments: &'static [Argument],
    /// What it gives.
    pub returns: Returns,
    /// What an analyst reads about it.
    pub documentation: &'static Documentation,
    /// Computes it: one row out for each row in (scalar, window) or one for all (aggregate).
    pub evaluate: fn(&Arguments<'_>) -> Result<ArrayRef>,
}

/// How rows go in and come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Row by row.
    Scalar,
    /// All rows of a group to one value, in any order.
    Aggregate,
    /// All rows of a group to one value, in the order of `ORDER BY` inside the call.
    OrderedAggregate,
    /// All rows of a partition at once, in any order; the frame does not matter.
    Window,
    /// All rows of a partition at once, in the order of the window's `ORDER BY`; the frame does not matter.
    OrderedWindow,
    /// Rows of its own, called where a table may stand.
    Table,
}

impl Kind {
    /// The name in `system.functions`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Aggregate | Self::OrderedAggregate => "aggregate",
            Self::Window | Self::OrderedWindow => "window",
            Self::Table => "table",
        }
    }
}

/// One argument.
#[derive(Debug)]
pub struct Argument {
    /// Its name in `name => value`.
    pub name: &'static str,
    /// What it takes.
    pub accepts: Type,
    /// Its value when omitted or NULL; none if it must be given.
    pub default: Option<DefaultValue>,
    /// What it is counted in.
    pub unit: Unit,
    /// Meaning and unit, in English.
    pub meaning_en: &'static str,
    /// Meaning and unit, in Chinese.
    pub meaning_zh: &'static str,
}

/// The value of an argument that was left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'static str),
    /// A span of whole days.
    Days(i32),
    /// None: the method decides.
    Null,
}

impl DefaultValue {
    /// As one writes it in SQL.
    pub fn sql(self) -> String {
        match self {
            Self::Integer(i) => i.to_string(),
            Self::Number(x) => format!("{x:?}"),
            Self::Text(t) => format!("'{t}'"),
            Self::Days(d) => format!("INTERVAL '{d} days'"),
            Self::Null => "NULL".to_owned(),
        }
    }
}

/// What an argument takes or a result is. Inputs of related types are cast to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A name: text of any encoding, or an integer code.
    Text,
    /// A list of names.
    Texts,
    /// A number: any integer, decimal or floating type, as `double`.
    Number,
    /// A whole number, as `bigint`.
    Integer,
    /// Whole numbers as `double[]`, any numeric element type.
    Numbers,
    /// True or false.
    Boolean,
    /// A point in time: timestamp or date, in microseconds of UTC.
    Instant,
    /// A span of time.
    Interval,
    /// A number of days: any number, or a date or timestamp counted from 1970.
    Day,
    /// A day of the calendar.
    Date,
}

/// What a function gives.
#[derive(Debug, Clone, Copy)]
pub enum Returns {
    /// One value.
    One(Type),
    /// Named results of one row.
    Struct(&'static [Output]),
    /// A list of rows of named results.
    List(&'static [Output]),
}

/// One named result.
#[derive(Debug)]
pub struct Output {
    /// Its field name.
    pub name: &'static str,
    /// Its type.
    pub data: Type,
}

impl Output {
    /// A named result.
    pub const fn new(name: &'static str, data: Type) -> Self {
        Self { name, data }
    }
}

impl Argument {
    /// One that must be given.
    pub const fn required(name: &'static str, accepts: Type, meaning_en: &'static str, meaning_zh: &'static str) -> Self {
        Self { name, accepts, default: None, unit: Unit::None, meaning_en, meaning_zh }
    }

    /// One with a default.
    pub const fn optional(
        name: &'static str,
        accepts: Type,
        default: DefaultValue,
        meaning_en: &'static str,
        meaning_zh: &'static str,
    ) -> Self {
        Self { name, accepts, default: Some(default), unit: Unit::None, meaning_en, meaning_zh }
    }

    /// The same, counted in `unit`.
    pub const fn counted_in(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }
}

impl Type {
    /// How it is called in messages and in `system.functions`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Texts => "text[]",
            Self::Number => "double",
            Self::Integer => "bigint",
            Self::Numbers => "double[]",
            Self::Boolean => "boolean",
            Self::Instant => "timestamptz",
            Self::Interval => "interval",
            Self::Day => "day number, date or timestamp",
            Self::Date => "date",
        }
    }

    /// The Arrow type of a result.
    pub fn output(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Texts => list_of(DataType::Utf8),
            Self::Number | Self::Day => DataType::Float64,
            Self::Integer => DataType::Int64,
            Self::Numbers => list_of(DataType::Float64),
            Self::Boolean => DataType::Boolean,
            Self::Instant => instant(),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Date => DataType::Date32,
        }
    }

    /// The type an input of type `given` is cast to; none if it does not fit.
    fn input(self, given: &DataType) -> Option<DataType> {
        let null = given.is_null();
        match self {
            Self::Text => text_type(given),
            Self::Texts if null => Some(list_of(DataType::Utf8)),
            Self::Texts => element(given).and_then(text_type).map(list_of),
            Self::Number => (null || given.is_numeric()).then_some(DataType::Float64),
            Self::Integer => (null || given.is_integer()).then_some(DataType::Int64),
            Self::Numbers => (null || element(given).is_some_and(|e| e.is_numeric() || e.is_null())).then(|| list_of(DataType::Float64)),
            Self::Boolean => (null || *given == DataType::Boolean).then_some(DataType::Boolean),
            Self::Instant => (null || is_instant(given)).then(instant),
            Self::Interval => (null || matches!(given, DataType::Interval(_))).then_some(DataType::Interval(IntervalUnit::MonthDayNano)),
            Self::Date => (null || is_instant(given)).then_some(DataType::Date32),
            Self::Day if is_instant(given) => Some(instant()),
            Self::Day => Self::Number.input(given),
        }
    }
}

fn is_instant(given: &DataType) -> bool {
    matches!(given, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

fn element(list: &DataType) -> Option<&DataType> {
    match list {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => Some(field.data_type()),
        _ => None,
    }
}

/// Texts stay as they are; codes and dictionaries become views, which share the text's bytes.
fn text_type(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(given.clone()),
        DataType::Dictionary(_, value) => text_type(value).map(|_| DataType::Utf8View),
        DataType::Null => Some(DataType::Utf8View),
        integer if integer.is_integer() => Some(DataType::Utf8View),
        _ => None,
    }
}

impl Function {
    /// The types the given arguments are cast to, or what is wrong with them.
    pub(crate) fn coerce(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let required = self.arguments.iter().filter(|a| a.default.is_none()).count();
        if given.len() < required || given.len() > self.arguments.len() {
            return plan_err!("{} takes {} arguments, got {}: write {}", self.name, self.arity(required), given.len(), self.signature());
        }
        let fit = |(argument, given): (&Argument, &DataType)| match argument.accepts.input(given) {
            Some(data_type) => Ok(data_type),
            None => plan_err!(
                "argument {} of {} takes {}, got {given}: write {}",
                argument.name,
                self.name,
                argument.accepts.as_str(),
                self.signature()
            ),
        };
        self.arguments.iter().zip(given).map(fit).collect()
    }

    fn arity(&self, required: usize) -> String {
        let all = self.arguments.len();
        if required == all { all.to_string() } else { format!("{required} to {all}") }
    }

    /// The call as one writes it, with defaults: `fdr(p)`.
    pub fn signature(&self) -> String {
        signature(self.name, self.kind, self.arguments)
    }

    /// The Arrow type of the result.
    pub fn return_type(&self) -> DataType {
        match self.returns {
            Returns::One(data) => data.output(),
            Returns::Struct(outputs) => DataType::Struct(fields(outputs)),
            Returns::List(outputs) => list_of(DataType::Struct(fields(outputs))),
        }
    }
}

/// A call as one writes it, with defaults.
pub(crate) fn signature(name: &str, kind: Kind, arguments: &[Argument]) -> String {
    let argument = |a: &Argument| match a.default {
        None => a.name.to_owned(),
        Some(default) => format!("{} => {}", a.name, default.sql()),
    };
    let arguments: Vec<String> = arguments.iter().map(argument).collect();
    let order = if kind == Kind::OrderedAggregate { " ORDER BY t" } else { "" };
    let over = match kind {
        Kind::Window => " OVER ()",
        Kind::OrderedWindow => " OVER (ORDER BY t)",
        _ => "",
    };
    format!("{name}({}{order}){over}", arguments.join(", "))
}

/// The Arrow fields of named results: all may be NULL.
fn fields(outputs: &[Output]) -> Fields {
    outputs.iter().map(|o| Field::new(o.name, o.data.output(), true)).collect()
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl std::hash::Hash for Function {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FUNCTIONS, gi_star};

    fn refusal(given: &[DataType]) -> String {
        gi_star::FUNCTION.coerce(given).unwrap_err().strip_backtrace()
    }

    #[test]
    fn related_types_are_taken() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let lists = DataType::LargeList(Arc::new(Field::new_list_field(DataType::Int64, true)));
        let taken = gi_star::FUNCTION.coerce(&[dictionary, DataType::Decimal128(9, 2), lists]).unwrap();
        assert_eq!(taken, [DataType::Utf8View, DataType::Float64, list_of(DataType::Utf8View)]);
        let untouched = [DataType::Utf8, DataType::Float64, list_of(DataType::Utf8)];
        assert_eq!(gi_star::FUNCTION.coerce(&untouched).unwrap(), untouched);
    }

    #[test]
    fn a_wrong_argument_is_named_with_the_call_to_write() {
        assert_eq!(
            refusal(&[DataType::Utf8, DataType::Utf8, DataType::Null]),
            "Error during planning: argument value of gi_star takes double, got Utf8: write gi_star(grid_id, value, neighbours) OVER ()"
        );
        assert!(refusal(&[DataType::Utf8]).contains("gi_star takes 3 arguments, got 1"));
    }

    #[test]
    fn every_function_takes_nulls() {
        for function in FUNCTIONS {
            let nulls = vec![DataType::Null; function.arguments.len()];
            assert!(function.coerce(&nulls).is_ok(), "{}", function.name);
        }
    }

    #[test]
    fn signatures_show_their_defaults() {
        let ears = FUNCTIONS.iter().find(|f| f.name == "ears_c1").unwrap();
        assert_eq!(ears.signature(), "ears_c1(value, min_sigma => 0.5, alpha => 0.001) OVER (ORDER BY t)");
    }
}
