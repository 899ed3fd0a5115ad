//! The columns of the contract: one table of fields from which the Arrow schemas, the JSON Schema and the comments of SQL
//! tables are made. A field is described here and nowhere else.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Map, Value, json};

use crate::{Kind, Reason};

/// The type of a contract field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// UTF-8 text.
    Text,
    /// One of a closed list of names.
    Name,
    /// An instant, RFC 3339 with offset in JSON, microseconds UTC in tables.
    Time,
    /// A finite number.
    Number,
    /// Names and values, both text.
    TextMap,
}

/// A field of the contract.
#[derive(Debug, Clone, Copy)]
pub struct ContractField {
    /// Its name in JSON, Arrow and SQL.
    pub name: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// Whether every event has it.
    pub required: bool,
    /// What it is, in English.
    pub en: &'static str,
    /// What it is, in Chinese.
    pub zh: &'static str,
}

const fn field(name: &'static str, field_type: FieldType, required: bool, en: &'static str, zh: &'static str) -> ContractField {
    ContractField { name, field_type, required, en, zh }
}

use FieldType::{Name, Number, Text, TextMap, Time};

/// The fields of an event, in contract order.
pub const FIELDS: [ContractField; 24] = [
    field(
        "event_id",
        Text,
        true,
        "identity within the source; a repeat of it is a duplicate or a revision",
        "来源内的唯一标识；重复即为重复件或修订",
    ),
    field("source", Text, true, "the feed it came by", "来源（数据接入名）"),
    field("kind", Name, true, "hotline_call, grid_report, sensor_event or case_step", "信号种类：热线来电、网格上报、传感器事件、办理环节"),
    field("occurred_at", Time, true, "when it happened, by the city's reckoning", "发生时间"),
    field("received_at", Time, false, "when the source received it", "来源接收时间"),
    field("case_id", Text, false, "the case it belongs to", "所属案件编号"),
    field("device_id", Text, false, "the device that measured", "设备编号"),
    field(
        "stage",
        Text,
        false,
        "step of the case's life: report, register, dispatch, dispose, archive, …",
        "办理环节：上报、立案、派遣、处置、结案等",
    ),
    field("channel", Text, false, "phone, app, web, window, …", "渠道：电话、App、网页、窗口等"),
    field(
        "request_kind",
        Text,
        false,
        "inquiry, help, complaint, report, suggestion, praise",
        "诉求类型：咨询、求助、投诉、举报、建议、表扬",
    ),
    field("category", Text, false, "what it is about, in the city's own code table", "类别（本市分类）"),
    field("urgency", Text, false, "urgency as the source states it", "紧急程度"),
    field("unit_id", Text, false, "the unit responsible", "责任单位"),
    field("observed_property", Text, false, "what a sensor measures", "观测属性"),
    field("value", Number, false, "the value measured, in value_unit", "观测值"),
    field("value_unit", Text, false, "unit of value", "观测值单位"),
    field("address", Text, false, "the place in words", "地址"),
    field("address_id", Text, false, "identity of the address after normalizing; key of recurrence", "规范化地址标识（复发分析的键）"),
    field(
        "caller",
        Text,
        false,
        "keyed pseudonym of the person who called; never a phone number",
        "来电人假名（带密钥散列，绝非电话号码）",
    ),
    field("lon", Number, false, "longitude, WGS 84 degrees", "经度（WGS 84）"),
    field("lat", Number, false, "latitude, WGS 84 degrees", "纬度（WGS 84）"),
    field("grid_id", Text, false, "the finest grid known: given by the source, or located by analytics", "所在网格（已知的最细一级）"),
    field("deadline_at", Time, false, "when the case is due", "办理期限"),
    field("attributes", TextMap, false, "whatever else the source says", "其他属性"),
];

/// The columns table `records` adds to the contract.
pub const RECORD_FIELDS: [ContractField; 14] = [
    field("ingested_at", Time, true, "when the log took it", "写入日志时间"),
    field("log_topic", Text, true, "topic of the log", "日志主题"),
    field("log_partition", Number, true, "partition of the topic", "日志分区"),
    field("log_offset", Number, true, "offset in the partition", "日志偏移"),
    field("mapping_version", Text, false, "version of the mapping that made it", "映射版本"),
    field("revision", Number, false, "0 for the first body seen of an id, 1 for the next, …", "修订号：首次为 0"),
    field(
        "body_hash",
        Number,
        false,
        "fingerprint of the event as sent; tells a duplicate from a revision",
        "事件内容指纹（区分重复与修订）",
    ),
    field("located_by", Name, false, "how grid_id was found: source, point, address or NULL", "网格定位方式：来源、坐标、地址"),
    field("reason", Name, false, "why it was quarantined", "隔离原因"),
    field("reason_field", Text, false, "the field that was refused", "被拒字段"),
    field("detail", Text, false, "what was found", "说明"),
    field(
        "payload",
        Text,
        false,
        "the record as it came, where it was refused; only its beginning where it is longer than the log takes",
        "原始记录（仅被拒者；超出日志上限者只留开头）",
    ),
    field("disposition", Name, true, "accepted, duplicate, late or quarantined", "处置结果：采纳、重复、迟到、隔离"),
    field("month", Text, true, "month of occurred_at in UTC, YYYY-MM; `none` where unknown", "发生月份（UTC）"),
];

/// The type of every instant in tables: microseconds, UTC (D5).
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn arrow_field(field: &ContractField) -> Field {
    let data_type = match (field.name, field.field_type) {
        ("log_partition" | "revision", _) => DataType::Int32,
        ("log_offset" | "body_hash", _) => DataType::Int64,
        (_, Text | Name) => DataType::Utf8,
        (_, Time) => time_type(),
        (_, Number) => DataType::Float64,
        (_, TextMap) => map_type(),
    };
    let comment = format!("{} / {}", field.en, field.zh);
    // Contract columns are NULL in the row of a rejection, so only provenance is declared non-null.
    let nullable = !RECORD_FIELDS.iter().any(|own| own.name == field.name && own.required);
    Field::new(field.name, data_type, nullable).with_metadata([("comment".to_owned(), comment)].into())
}

fn map_type() -> DataType {
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
}

/// Arrow schema of an event.
pub fn event_schema() -> SchemaRef {
    Arc::new(Schema::new(FIELDS.iter().map(arrow_field).collect::<Vec<_>>()))
}

/// Arrow schema of table `records`: the contract's columns, then ours.
pub fn record_schema() -> SchemaRef {
    Arc::new(Schema::new(FIELDS.iter().chain(&RECORD_FIELDS).map(arrow_field).collect::<Vec<_>>()))
}

/// JSON Schema (2020-12) of a contract event.
pub fn json_schema() -> Value {
    let properties: Map<String, Value> = FIELDS.iter().map(|field| (field.name.to_owned(), json_type(field))).collect();
    let required: Vec<&str> = FIELDS.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gridwatch event",
        "description": "One signal of the city. A place is required (grid_id, or lon and lat, or address) except for sensors known by device_id and steps of a known case.",
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn json_type(field: &ContractField) -> Value {
    let mut shape = match (field.name, field.field_type) {
        ("kind", _) => json!({"enum": Kind::ALL.map(Kind::as_str)}),
        ("event_id" | "source", _) => json!({"type": "string", "minLength": 1, "maxLength": crate::limits::ID_BYTES_MAX}),
        ("case_id" | "device_id", _) => json!({"type": "string", "maxLength": crate::limits::ID_BYTES_MAX}),
        ("lon", _) => json!({"type": "number", "minimum": -180, "maximum": 180}),
        ("lat", _) => json!({"type": "number", "minimum": -90, "maximum": 90}),
        (_, Text | Name) => json!({"type": "string", "maxLength": crate::limits::TEXT_BYTES_MAX}),
        (_, Time) => json!({"type": "string", "format": "date-time"}),
        (_, Number) => json!({"type": "number"}),
        (_, TextMap) => {
            json!({"type": "object", "maxProperties": crate::limits::ATTRIBUTES_MAX, "additionalProperties": {"type": "string"}})
        }
    };
    shape["description"] = json!(field.en);
    shape["description_zh"] = json!(field.zh);
    shape
}

/// Rows of `system.quarantine_reasons`: name, English, Chinese.
pub fn reasons() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    Reason::ALL.iter().map(|reason| (reason.as_str(), reason.sentence_en(), reason.sentence_zh()))
}
