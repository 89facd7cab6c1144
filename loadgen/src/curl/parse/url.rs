//! The URL of a command, with or without `--url`.

use percent_encoding::percent_decode_str;
use url::Url;

use super::variable::{self, Names};
use crate::curl::error::CurlError;
use crate::curl::request::{Draft, GivenUrl};
use crate::curl::show::{Given, may_stand_in_an_error};
use crate::curl::words::quote;
use crate::secret::{HIDDEN, Secret, shown_url};

/// Takes the URL. User information becomes Basic authentication, and the fragment is dropped.
pub(super) fn take(draft: &mut Draft, given: Given<'_>) -> Result<(), CurlError> {
    let text = given.text(&draft.shown)?;
    let before = given.before;
    // A word in this place by mistake (a header whose quotes were forgotten) may be a credential.
    let (shown, at) = if may_stand_in_an_error(&text) {
        let url = shown_url(&text);
        let shown = format!("{before}{}", quote(&url));
        let at = if shown.contains(&url) {
            url
        } else {
            shown.clone()
        };
        (shown, at)
    } else {
        (format!("{before}{HIDDEN}"), HIDDEN.to_owned())
    };
    let bad =
        |draft: &Draft, message: String| draft.shown.fault(&shown, &at, message, "this URL", None);
    if draft.url.is_some() {
        let help = "one burst sends one request; is a quote missing around a value with spaces?";
        let label = "the first one stands before";
        return Err(draft
            .shown
            .fault(&shown, &at, "a second URL", label, Some(help.into())));
    }
    variable::refuse(&draft.shown, given, &text, Names::Capitals)?;
    if text.starts_with('-') {
        let message = "this is not a URL";
        return Err(draft.shown.fault(&shown, &at, message, "here", None));
    }
    if text
        .bytes()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return Err(bad(draft, "a URL holds no blanks (write %20)".into()));
    }
    // curl guesses the scheme of a bare host. `localhost:8787` must not be read as the scheme `localhost`.
    let absolute = if text.contains("://") {
        text.clone()
    } else {
        format!("http://{text}")
    };
    let brackets = has_brackets(&absolute).then(|| {
        let message = "curl would expand the brackets into several URLs (write them as %7B %7D %5B %5D, or give -g)";
        bad(draft, message.into())
    });
    let mut url = Url::parse(&absolute).map_err(|error| bad(draft, error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad(draft, "only http and https are spoken".into()));
    }
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => {
                let message = "the user information of the URL is not UTF-8";
                Err(bad(draft, message.into()))
            }
        };
        let user = decode(url.username())?;
        let password = decode(url.password().unwrap_or_default())?;
        draft.secrets.push(Secret::new(&password));
        // An explicit -u wins over the URL, as in curl.
        draft.basic.get_or_insert(format!("{user}:{password}"));
        url.set_username("")
            .and_then(|()| url.set_password(None))
            .expect("an http URL with a host takes both");
    }
    for (name, value) in url.query_pairs() {
        if shown_url(&format!("?{name}=x")).contains(HIDDEN) {
            draft.secrets.push(Secret::new(value));
        }
    }
    draft.url = Some(GivenUrl {
        url,
        position: draft.shown.len(),
        shown: format!("{before}{}", quote(&shown_url(&text))),
        brackets,
    });
    draft.shown.push(shown);
    Ok(())
}

/// Whether path or query hold a bracket. The brackets of an IPv6 address in the host are not patterns of curl.
fn has_brackets(absolute: &str) -> bool {
    let (_, rest) = absolute.split_once("://").unwrap_or_default();
    let start = rest.find(['/', '?']).unwrap_or(rest.len());
    rest[start..].contains(['{', '}', '[', ']'])
}
