//! Options that give a body: `-d`, `--data-raw`, `--data-binary`, `--data-urlencode`, `--json`.

use std::io;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::curl::error::CurlError;
use crate::curl::file::DATA_BYTES_MAX;
use crate::curl::options::Data;
use crate::curl::request::Draft;
use crate::curl::show::{Given, Shown, shown_data};
use crate::secret::{HIDDEN, Secret};

/// What `--data-urlencode` of curl 7.88 writes as `%XX`: everything but the unreserved characters, and the space, which
/// becomes a `+`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b' ');

/// Adds the value of a data option to the data.
pub(super) fn take(
    draft: &mut Draft,
    given: Given<'_>,
    kind: Data,
    read_file: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<(), CurlError> {
    let file = |name: &[u8]| content(&draft.shown, given, name, read_file);
    let named = given.value.strip_prefix(b"@");
    let (mut piece, from_file) = match (kind, named) {
        (Data::Encoded, _) => url_encoded(given.value, file)?,
        (Data::Text, Some(name)) => {
            let mut content = file(name)?;
            content.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
            (content, true)
        }
        (Data::Binary | Data::Json, Some(name)) => (file(name)?, true),
        (Data::Raw, _) | (_, None) => (given.value.to_vec(), false),
    };
    let shown = if from_file {
        String::from_utf8_lossy(given.value).into_owned()
    } else {
        shown_data(given.value)
    };
    draft.json |= kind == Data::Json;
    let data = match &mut draft.data {
        None => draft.data.insert(piece),
        Some(data) => {
            if kind != Data::Json {
                data.push(b'&');
            }
            data.append(&mut piece);
            data
        }
    };
    if data.len() as u64 > DATA_BYTES_MAX {
        let message = format!(
            "with {} the body is longer than {DATA_BYTES_MAX} bytes, the most that a request may hold",
            given.option
        );
        return Err(given.fault(&draft.shown, message, "up to this value", None));
    }
    if shown == HIDDEN {
        draft
            .secrets
            .extend(std::str::from_utf8(given.value).ok().map(Secret::new));
    }
    draft.shown.push_value(given.before, &shown);
    Ok(())
}

/// The content of a file that the value names.
fn content(
    shown: &Shown,
    given: Given<'_>,
    name: &[u8],
    read_file: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Vec<u8>, CurlError> {
    let option = given.option;
    let Ok(name) = std::str::from_utf8(name) else {
        let message = format!("{option} names a file whose name is not UTF-8");
        return Err(given.fault(shown, message, "here", None));
    };
    let part = format!("@{name}");
    let word = format!("{}{}", given.before, String::from_utf8_lossy(given.value));
    let message = match name {
        "" => format!("{option} names no file after the @"),
        "-" => format!("{option} @- would read standard input, which is not offered"),
        _ => match read_file(name) {
            Ok(content) => return Ok(content),
            Err(error) => format!("{option} cannot read {name}: {error}"),
        },
    };
    Err(shown.fault(&word, &part, message, "this file", None))
}

/// curl's manual, `--data-urlencode`: `content`, `=content`, `name=content`, `@file`, `name@file`. Also says whether a
/// file was read.
fn url_encoded(
    value: &[u8],
    file: impl Fn(&[u8]) -> Result<Vec<u8>, CurlError>,
) -> Result<(Vec<u8>, bool), CurlError> {
    let Some(at) = value.iter().position(|byte| matches!(byte, b'=' | b'@')) else {
        return Ok((encode(value), false));
    };
    let (name, content) = (&value[..at], &value[at + 1..]);
    let from_file = value[at] == b'@';
    let encoded = if from_file {
        encode(&file(content)?)
    } else {
        encode(content)
    };
    let mut piece = name.to_vec();
    if !name.is_empty() {
        piece.push(b'=');
    }
    piece.extend(encoded);
    Ok((piece, from_file))
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    let encoded = percent_encode(bytes, ENCODED).to_string();
    encoded.replace(' ', "+").into_bytes()
}
