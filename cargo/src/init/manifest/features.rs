//! The features of a package that name a dependency: they name its stand-in as well.

use super::Twin;
use crate::failure::Failure;
use toml_edit::{DocumentMut, Item, Value};

/// Adds `dep:worker-native` beside `dep:worker`, and `worker-native/d1` beside `worker/d1`.
pub(super) fn forward(manifest: &mut DocumentMut, twin: &Twin) -> Result<(), Failure> {
    let Some(features) = manifest
        .get_mut("features")
        .and_then(Item::as_table_like_mut)
    else {
        return Ok(());
    };
    for (name, enables) in features.iter_mut() {
        let Some(enables) = enables.as_array_mut() else {
            return Err(Failure::new(format!("features.{name} is no list")));
        };
        let known: Vec<String> = strings(enables);
        for enabled in &known {
            let Some(doubled) = doubled(enabled, twin) else {
                continue;
            };
            if !known.contains(&doubled) {
                enables.push(doubled);
            }
        }
    }
    Ok(())
}

fn strings(array: &toml_edit::Array) -> Vec<String> {
    let texts = array.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// What the stand-in is to be named by, if `enabled` names the crate.
fn doubled(enabled: &str, twin: &Twin) -> Option<String> {
    if enabled.strip_prefix("dep:") == Some(twin.name) {
        return Some(format!("dep:{}", twin.native));
    }
    // An optional dependency is a feature of its own name, as long as no `dep:` names it.
    if enabled == twin.name {
        return Some(twin.native.to_owned());
    }
    let (crate_name, feature) = enabled.split_once('/')?;
    let (name, weak) = match crate_name.strip_suffix('?') {
        Some(name) => (name, "?"),
        None => (crate_name, ""),
    };
    (name == twin.name && twin.has_features()).then(|| format!("{}{weak}/{feature}", twin.native))
}
