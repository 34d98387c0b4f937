//! Columns as typed arrays, copied once.

use crate::values::Object;
use isopoint_core::model::{Column, Values};
use js_sys::{Array, BigInt64Array, BigUint64Array, Float64Array, Uint8Array};
use wasm_bindgen::JsValue;

pub(crate) fn column(name: &str, column: &Column) -> JsValue {
    let values: JsValue = match &column.values {
        Values::Float(values) => Float64Array::from(&values[..]).into(),
        Values::Integer(values) => BigInt64Array::from(&values[..]).into(),
        Values::Unsigned(values) => BigUint64Array::from(&values[..]).into(),
        Values::Boolean(values) => {
            let bytes: Vec<u8> = values.iter().map(|value| u8::from(*value)).collect();
            Uint8Array::from(&bytes[..]).into()
        }
        Values::String(values) => values.iter().map(JsValue::from_str).collect::<Array>().into(),
    };
    let present: JsValue = match &column.present {
        Some(map) => {
            let bytes: Vec<u8> = (0..map.len()).map(|row| u8::from(map.get(row))).collect();
            Uint8Array::from(&bytes[..]).into()
        }
        None => JsValue::NULL,
    };
    Object::new()
        .text("name", name)
        .text("type", column.field_type().name())
        .value("values", &values)
        .value("present", &present)
        .into()
}

pub(crate) fn times(times: &[i64]) -> JsValue {
    BigInt64Array::from(times).into()
}
