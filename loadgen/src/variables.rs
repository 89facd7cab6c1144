//! `--var NAME=VALUE`: which names the Worker knows, and which values may be shown.
//!
//! The names are those that the Worker itself asks for when it reads its configuration. Values are shown for the plain
//! variables of `wrangler.toml` only; whatever else the Worker reads is a secret.

use std::cell::RefCell;

use edgeproof_worker::core::config::Config;

use crate::secret::Secret;

/// Whether the variable `name` stands in `wrangler.toml`, so that its value is no secret.
pub fn is_plain(name: &str) -> bool {
    ["ENABLE_", "RATE_LIMIT_", "CACHE_"]
        .iter()
        .any(|group| name.starts_with(group))
        || ["ENVIRONMENT", "ALLOWED_ORIGINS", "ALERT_DEDUPE_SECONDS"].contains(&name)
}

/// The variables and secrets that the Worker reads.
pub fn known() -> Vec<String> {
    let names = RefCell::new(Vec::new());
    Config::from_lookup(|name| {
        names.borrow_mut().push(name.to_owned());
        None
    });
    names.into_inner()
}

/// Splits every `NAME=VALUE`. The error repeats nothing of what was given.
pub fn parse(given: &[Secret]) -> Result<Vec<(String, String)>, String> {
    let known = known();
    given
        .iter()
        .map(|var| {
            let (name, value) = var
                .expose()
                .split_once('=')
                .ok_or("--var: a variable is NAME=VALUE")?;
            if !known.iter().any(|known| known == name) {
                return Err(format!(
                    "--var: the Worker has no variable of this name; it has {}",
                    known.join(", ")
                ));
            }
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
