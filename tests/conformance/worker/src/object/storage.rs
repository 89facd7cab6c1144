//! Calls of an object's storage: keys and values, the alarm.

use crate::{Answer, value};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use worker::js_sys::{self, Object};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Date, ListOptions, Result, ScheduledTime, Storage};

/// One call.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// `get`, as serde reads it.
    Get {
        /// The key.
        key: String,
    },
    /// `get` of many keys.
    GetMultiple {
        /// The keys.
        keys: Vec<String>,
    },
    /// `put` of a JavaScript value.
    Put {
        /// The key.
        key: String,
        /// The value; see [`value::to_js`].
        value: Value,
    },
    /// `put` of a value as serde writes it.
    PutSerde {
        /// The key.
        key: String,
        /// The value.
        value: Value,
    },
    /// `put` of many values.
    PutMultiple {
        /// Keys and values.
        values: Map<String, Value>,
    },
    /// `put` of what serde makes of a map: no struct.
    PutMultipleSerde {
        /// Keys and values.
        values: Value,
    },
    /// `delete`.
    Delete {
        /// The key.
        key: String,
    },
    /// `delete` of many keys.
    DeleteMultiple {
        /// The keys.
        keys: Vec<String>,
    },
    /// `deleteAll`.
    DeleteAll,
    /// `list`.
    List(List),
    /// `sync`.
    Sync,
    /// `getAlarm`: whether there is one, or in how many milliseconds.
    GetAlarm {
        /// Tell the milliseconds: only within the event that set it is that a number to compare.
        #[serde(default)]
        exact: bool,
    },
    /// `setAlarm`, from now.
    SetAlarm {
        /// Milliseconds from now.
        in_ms: u64,
    },
    /// `setAlarm` at a time.
    SetAlarmAt {
        /// Milliseconds since the Unix epoch.
        unix_ms: f64,
    },
    /// `deleteAlarm`.
    DeleteAlarm,
}

/// Options of a list.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct List {
    prefix: Option<String>,
    start: Option<String>,
    end: Option<String>,
    reverse: Option<bool>,
    limit: Option<usize>,
}

impl List {
    /// As workers-rs takes them; `None` for a list without options.
    pub(super) fn options(&self) -> Option<ListOptions<'_>> {
        let mut options = ListOptions::new();
        let mut any = false;
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix);
            any = true;
        }
        if let Some(start) = &self.start {
            options = options.start(start);
            any = true;
        }
        if let Some(end) = &self.end {
            options = options.end(end);
            any = true;
        }
        if let Some(reverse) = self.reverse {
            options = options.reverse(reverse);
            any = true;
        }
        if let Some(limit) = self.limit {
            options = options.limit(limit);
            any = true;
        }
        any.then_some(options)
    }
}

/// A JavaScript object of these properties.
pub(super) fn object(values: &Map<String, Value>) -> Result<Object> {
    let object = Object::new();
    for (key, value) in values {
        js_sys::Reflect::set(&object, &JsValue::from_str(key), &value::to_js(value)?)?;
    }
    Ok(object)
}

pub(super) async fn run(storage: &Storage, call: Call) -> Answer {
    match call {
        Call::Get { key } => Ok(match storage.get::<Value>(&key).await? {
            Some(value) => json!({"value": value}),
            None => Value::Null,
        }),
        Call::GetMultiple { keys } => value::pairs(&storage.get_multiple(keys).await?),
        Call::Put { key, value } => {
            storage.put_raw(&key, value::to_js(&value)?).await?;
            Ok(Value::Null)
        }
        Call::PutSerde { key, value } => {
            storage.put(&key, value).await?;
            Ok(Value::Null)
        }
        Call::PutMultiple { values } => {
            storage.put_multiple_raw(object(&values)?).await?;
            Ok(Value::Null)
        }
        Call::PutMultipleSerde { values } => {
            storage.put_multiple(values).await?;
            Ok(Value::Null)
        }
        Call::Delete { key } => Ok(json!(storage.delete(&key).await?)),
        Call::DeleteMultiple { keys } => Ok(json!(storage.delete_multiple(keys).await?)),
        Call::DeleteAll => {
            storage.delete_all().await?;
            Ok(Value::Null)
        }
        Call::List(list) => {
            let found = match list.options() {
                Some(options) => storage.list_with_options(options).await?,
                None => storage.list().await?,
            };
            value::pairs(&found)
        }
        Call::Sync => {
            storage.sync().await?;
            Ok(Value::Null)
        }
        Call::GetAlarm { exact } => {
            let alarm = storage.get_alarm().await?;
            let now = i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX);
            Ok(match alarm {
                None => Value::Null,
                Some(at) if exact => json!({"in_ms": at - now}),
                Some(_) => json!("set"),
            })
        }
        Call::SetAlarm { in_ms } => {
            storage.set_alarm(Duration::from_millis(in_ms)).await?;
            Ok(Value::Null)
        }
        Call::SetAlarmAt { unix_ms } => {
            let date = js_sys::Date::new(&JsValue::from_f64(unix_ms));
            storage
                .set_alarm(ScheduledTime::new(date.unchecked_into()))
                .await?;
            Ok(Value::Null)
        }
        Call::DeleteAlarm => {
            storage.delete_alarm().await?;
            Ok(Value::Null)
        }
    }
}
