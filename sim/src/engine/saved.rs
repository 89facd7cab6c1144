//! One Durable Object as the state file has it.

use crate::topology::Pop;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A Durable Object's keys, values and alarm.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedObject {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) home: Pop,
    pub(super) alarm_ms: Option<u64>,
    pub(super) values: BTreeMap<String, String>,
}
