//! `--var NAME=VALUE`: variables that replace those of the Worker's configuration.

use crate::secret::Secret;

/// Splits every `NAME=VALUE`; `known` are the names that the Worker reads, if they are known. The error repeats no part of the argument.
pub fn parse(given: &[Secret], known: Option<&[String]>) -> Result<Vec<(String, String)>, String> {
    given
        .iter()
        .map(|var| {
            let (name, value) = var
                .expose()
                .split_once('=')
                .ok_or("--var: a variable is NAME=VALUE")?;
            if let Some(known) = known
                && !known.iter().any(|known| known == name)
            {
                return Err(format!(
                    "--var: the Worker has no variable of this name; it has {}",
                    known.join(", ")
                ));
            }
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
