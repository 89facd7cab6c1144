//! Options that set a header: `-H`, `-A`, `-e`.

use http::header::{self, HeaderName, HeaderValue};

use super::variable::{self, Names};
use crate::curl::error::CurlError;
use crate::curl::options::PLAIN_BODIES;
use crate::curl::request::{Draft, is_placeholder};
use crate::curl::show::Given;
use crate::secret::{HIDDEN, Secret, header_may_be_shown};

/// `-H` with `Name: value`, `Name:` (takes a default away) or `Name;` (an empty value).
pub(super) fn take(draft: &mut Draft, given: Given<'_>) -> Result<(), CurlError> {
    let text = given.text(&draft.shown)?;
    if text.starts_with('@') {
        let shown = format!("{}@…", given.before);
        let message = "headers from a file are not offered";
        return Err(draft.shown.fault(&shown, "@…", message, "here", None));
    }
    let (name, value, emptied) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, value.trim(), false),
        (None, Some(name)) => (name, "", true),
        (None, None) => {
            let message = "a header is `Name: value`";
            let help = "curl would leave it out without a word".to_owned();
            return Err(given.fault(&draft.shown, message, "no colon", Some(help)));
        }
    };
    let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
        let message = "this is not a header name";
        return Err(given.fault(&draft.shown, message, "here", None));
    };
    let is_authorization = header == header::AUTHORIZATION;
    let names = if is_authorization {
        Names::All
    } else {
        Names::Capitals
    };
    variable::refuse(&draft.shown, given, &text, names)?;
    let token = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    let placeholder = is_authorization && token.is_some_and(is_placeholder);
    let may_be_shown = header_may_be_shown(name);
    let shown = if placeholder || may_be_shown || value.is_empty() {
        text.clone()
    } else {
        format!("{name}: {HIDDEN}")
    };
    if !emptied && value.is_empty() {
        draft.removed.push(header);
        draft.shown.push_value(given.before, &shown);
        return Ok(());
    }
    if !placeholder && !may_be_shown {
        draft.secrets.push(Secret::new(value));
        draft.secrets.extend(token.map(Secret::new));
        if header == header::COOKIE {
            draft.hide_cookies(value);
        }
    }
    let mut header_value = checked(draft, given, value)?;
    header_value.set_sensitive(!may_be_shown);
    draft.shown.push_value(given.before, &shown);
    let written = format!("-H '{name}'");
    match header.as_str() {
        "content-length" | "transfer-encoding" | "connection" => {
            draft.ignore(&written, "the framing of the request is computed");
        }
        "accept-encoding" => draft.ignore(&written, PLAIN_BODIES),
        "expect" => draft.ignore(&written, "the body is sent at once"),
        _ => draft.headers.push((header, header_value)),
    }
    Ok(())
}

/// `-A` and `-e`: the value of the header `name`; an empty one takes the default away.
pub(super) fn take_named(
    draft: &mut Draft,
    given: Given<'_>,
    name: HeaderName,
) -> Result<(), CurlError> {
    let text = given.text(&draft.shown)?;
    variable::refuse(&draft.shown, given, &text, Names::Capitals)?;
    if text.is_empty() {
        draft.removed.push(name);
        draft.shown.push_value(given.before, "");
        return Ok(());
    }
    let value = checked(draft, given, &text)?;
    let shown = if header_may_be_shown(name.as_str()) {
        &text
    } else {
        HIDDEN
    };
    draft.shown.push_value(given.before, shown);
    draft.set_default(name, value);
    Ok(())
}

fn checked(draft: &Draft, given: Given<'_>, text: &str) -> Result<HeaderValue, CurlError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        let message = "this header value holds a control character";
        given.fault(&draft.shown, message, "here", None)
    })
}
