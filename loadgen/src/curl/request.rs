//! The request that a curl command describes, and how it is built from the options.
//!
//! Defaults and precedence are those of curl 7.88, except for the `User-Agent`: a server should see that a load
//! generator sends the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::error::CurlError;
use super::show::Shown;
use crate::secret::Secret;

/// The request that a curl command describes.
#[derive(Clone)]
pub struct Command {
    /// The method: `-X`, else what curl derives from `-I`, `-G` and the data options.
    pub method: Method,
    /// Where it is sent, without user information and fragment.
    pub url: Url,
    /// Headers in curl's order; credentials are marked sensitive. No `Host` and no framing unless given.
    pub headers: HeaderMap,
    /// The body, empty where there is none.
    pub body: Bytes,
    /// What the command says about a bearer token.
    pub bearer: Bearer,
    /// What was ignored, and why.
    pub notes: Vec<String>,
    /// The command without credentials, quoted for a shell.
    pub shown: String,
    /// Every credential found, for the redaction of the report.
    pub secrets: Vec<Secret>,
}

/// What a command says about authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// No `Authorization` at all.
    Absent,
    /// `Bearer YOUR_TOKEN`: to be replaced by a real token.
    Placeholder,
    /// A real credential.
    Given,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command")
            .field("shown", &self.shown)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// Whether a token is one of the words that documentation puts where the reader's own token belongs.
pub(super) fn is_placeholder(token: &str) -> bool {
    let token = token.trim().trim_matches(['<', '>', '[', ']', '{', '}']);
    let token = token.to_ascii_uppercase().replace(['-', ' '], "_");
    matches!(
        token.as_str(),
        "YOUR_TOKEN"
            | "YOUR_JWT"
            | "YOUR_JWT_TOKEN"
            | "YOUR_ACCESS_TOKEN"
            | "YOUR_API_TOKEN"
            | "TOKEN"
    )
}

/// The options read so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) shown: Shown,
    pub(super) secrets: Vec<Secret>,
    pub(super) method: Option<Method>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Defaults that `-H 'Name:'` took away.
    pub(super) removed: Vec<HeaderName>,
    /// The values of all data options, joined.
    pub(super) data: Option<Vec<u8>>,
    /// `--json` was given, which sets two headers.
    pub(super) json: bool,
    /// `-G`: the data goes into the query.
    pub(super) get: bool,
    /// The position of `-I` in `shown`.
    pub(super) head: Option<usize>,
    /// `-u` or the user information of the URL.
    pub(super) basic: Option<String>,
    pub(super) bearer_token: Option<String>,
    pub(super) cookies: Vec<Vec<u8>>,
    pub(super) url: Option<GivenUrl>,
    /// `-g`: brackets in a URL are literal.
    pub(super) globoff: bool,
    /// Reasons, each with the options that are ignored for it.
    ignored: Vec<(&'static str, Vec<String>)>,
}

/// The URL of a command.
pub(super) struct GivenUrl {
    pub(super) url: Url,
    /// Its position in the shown command.
    pub(super) position: usize,
    /// How it is shown once the whole command is understood. Before that it may be a credential in the wrong place.
    pub(super) shown: String,
    /// The error of a URL with brackets, which holds unless `-g` is found before or after it.
    pub(super) brackets: Option<CurlError>,
}

impl Draft {
    /// Notes that `option` is ignored for `reason`.
    pub(super) fn ignore(&mut self, option: &str, reason: &'static str) {
        let at = self.ignored.iter().position(|(known, _)| *known == reason);
        let at = at.unwrap_or_else(|| {
            self.ignored.push((reason, Vec::new()));
            self.ignored.len() - 1
        });
        let options = &mut self.ignored[at].1;
        if !options.iter().any(|known| known == option) {
            options.push(option.to_owned());
        }
    }

    /// Remembers the values of `name=value; name=value` as credentials.
    pub(super) fn hide_cookies(&mut self, cookies: &str) {
        let values = cookies
            .split(';')
            .filter_map(|cookie| cookie.split_once('='));
        self.secrets
            .extend(values.map(|(_, value)| Secret::new(value.trim())));
    }

    /// Gives a header a value unless `-H` sets or removes it.
    pub(super) fn set_default(&mut self, name: HeaderName, value: HeaderValue) {
        if !self.removed.contains(&name) && !self.headers.iter().any(|(known, _)| *known == name) {
            self.headers.push((name, value));
        }
    }

    /// The request, when all options were read.
    pub(super) fn finish(mut self) -> Result<Command, CurlError> {
        let mut url = self.finish_url()?;
        let method = self.finish_method()?;
        let sends_form = self.data.is_some() && !self.get;
        let body = self.finish_data(&mut url);
        if self.json {
            let json = HeaderValue::from_static("application/json");
            self.set_default(header::CONTENT_TYPE, json.clone());
            self.set_default(header::ACCEPT, json);
        } else if sends_form {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            self.set_default(header::CONTENT_TYPE, form);
        }
        self.set_default(header::ACCEPT, HeaderValue::from_static("*/*"));
        let user_agent = HeaderValue::from_static(crate::USER_AGENT);
        self.set_default(header::USER_AGENT, user_agent);
        self.finish_authorization()?;
        self.finish_cookies()?;
        Ok(Command {
            method,
            url,
            bearer: self.bearer(),
            headers: self
                .headers
                .into_iter()
                .fold(HeaderMap::new(), |mut map, (name, value)| {
                    map.append(name, value);
                    map
                }),
            body,
            notes: self
                .ignored
                .iter()
                .map(|(reason, options)| {
                    let options = options.join(", ");
                    format!("ignored of the curl command: {options} ({reason})")
                })
                .collect(),
            shown: self.shown.line(),
            secrets: self.secrets,
        })
    }

    fn finish_url(&mut self) -> Result<Url, CurlError> {
        let Some(given) = self.url.take() else {
            self.shown.more = false;
            let help = "was the URL taken as the value of the option before it?";
            return Err(self.shown.fault(
                "URL?",
                "URL?",
                "the command has no URL",
                "expected here",
                Some(help.into()),
            ));
        };
        self.shown.replace(given.position, given.shown);
        Ok(given.url)
    }

    fn finish_method(&mut self) -> Result<Method, CurlError> {
        if let (Some(position), true, false) = (self.head, self.data.is_some(), self.get) {
            return Err(CurlError::new(
                self.shown.line(),
                self.shown.span(position),
                "-I and data contradict each other, in curl as well",
                "asks for HEAD",
                Some("drop one".into()),
            ));
        }
        let default = match (self.head, self.get, &self.data) {
            (Some(_), _, _) => Method::HEAD,
            (_, false, Some(_)) => Method::POST,
            _ => Method::GET,
        };
        Ok(self.method.take().unwrap_or(default))
    }

    /// Puts the data into the query with `-G`; else it is the body.
    fn finish_data(&mut self, url: &mut Url) -> Bytes {
        match self.data.take() {
            Some(data) if self.get => {
                let data = String::from_utf8_lossy(&data);
                let query = match url.query() {
                    Some(query) => format!("{query}&{data}"),
                    None => data.into_owned(),
                };
                url.set_query(Some(&query));
                Bytes::new()
            }
            data => Bytes::from(data.unwrap_or_default()),
        }
    }

    /// `-H Authorization` wins over `--oauth2-bearer`, that over `-u`.
    fn finish_authorization(&mut self) -> Result<(), CurlError> {
        let value = if let Some(token) = &self.bearer_token {
            if !is_placeholder(token) {
                self.secrets.push(Secret::new(token));
            }
            format!("Bearer {token}")
        } else if let Some(basic) = &self.basic {
            let encoded = BASE64.encode(basic);
            self.secrets.push(Secret::new(&encoded));
            format!("Basic {encoded}")
        } else {
            return Ok(());
        };
        self.set_credential(header::AUTHORIZATION, value.as_bytes(), "the token")
    }

    fn finish_cookies(&mut self) -> Result<(), CurlError> {
        if self.cookies.is_empty() {
            return Ok(());
        }
        self.set_credential(header::COOKIE, &self.cookies.join(&b';'), "a cookie")
    }

    fn set_credential(
        &mut self,
        name: HeaderName,
        value: &[u8],
        what: &str,
    ) -> Result<(), CurlError> {
        let mut value = HeaderValue::from_bytes(value).map_err(|_| {
            let message = format!("{what} holds a control character");
            self.shown.fault("", "", message, "in this command", None)
        })?;
        value.set_sensitive(true);
        self.set_default(name, value);
        Ok(())
    }

    /// What the headers say about a bearer token.
    fn bearer(&self) -> Bearer {
        let authorization = self
            .headers
            .iter()
            .find(|(name, _)| *name == header::AUTHORIZATION);
        let Some((_, value)) = authorization else {
            return Bearer::Absent;
        };
        match value.to_str().ok().and_then(|value| value.split_once(' ')) {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case("bearer") && is_placeholder(token) =>
            {
                Bearer::Placeholder
            }
            _ => Bearer::Given,
        }
    }
}
