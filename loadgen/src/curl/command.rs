//! Reads curl's options from words that a shell has already split.
//!
//! The forms are those of curl 7.88: clustered short options (`-sSXPOST`), a value in the same or the next word for
//! short options, only in the next word for long ones (`--request=POST` is unknown to curl, too). What an option means
//! stands in the table of [`super::options`].
//!
//! While it reads, the parser writes the command down again in the form in which it may be shown: for the report, and for
//! errors. The User-Agent is not curl's but ours: a server should see who is asking.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::CurlError;
use super::options::{Act, Data, OPTIONS, Opt, PLAIN_BODIES};
use super::words::quote;
use crate::secret::{HIDDEN, Secret, body_may_be_shown, header_may_be_shown, shown_url};

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

/// Reads `words`, the first of which is `curl`. `read_file` gives the content of `@FILE`.
pub fn parse(
    words: &[Vec<u8>],
    read_file: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Command, CurlError> {
    let mut parser = Parser::new(words, read_file);
    parser.read()?;
    parser.finish()
}

/// The words as they may be shown, up to the first that cannot be understood; for errors that lie after them.
pub(super) fn show(words: &[Vec<u8>]) -> String {
    let no_files = |_: &str| Ok(Vec::new());
    let mut parser = Parser::new(words, &no_files);
    match parser.read() {
        Ok(()) => parser.shown.join(" "),
        Err(error) => error.shown,
    }
}

/// Whether a word that stands where a URL should may be repeated in an error: an address with its scheme, an address of
/// this machine, or a word of a header or a method that is no credential itself.
fn may_stand_in_an_error(text: &str) -> bool {
    const HARMLESS: [&str; 7] = ["Bearer", "Basic", "GET", "POST", "PUT", "PATCH", "DELETE"];
    let address = ["http://", "https://", "ftp://", "localhost", "127.0.0.1"]
        .iter()
        .any(|start| {
            text.strip_prefix(start)
                .is_some_and(|rest| !rest.is_empty())
        });
    let one_word = !text
        .bytes()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control());
    (address && one_word) || HARMLESS.contains(&text)
}

struct Parser<'a> {
    words: &'a [Vec<u8>],
    at: usize,
    read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    shown: Vec<String>,
    /// Reasons, each with the options that are ignored for it.
    ignored: Vec<(&'static str, Vec<String>)>,
    secrets: Vec<Secret>,
    method: Option<Method>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Defaults that `-H 'Name:'` took away.
    removed: Vec<HeaderName>,
    data: Option<Vec<u8>>,
    json: bool,
    get: bool,
    head: bool,
    head_shown: usize,
    basic: Option<String>,
    bearer_token: Option<String>,
    cookies: Vec<Vec<u8>>,
    url: Option<Url>,
    /// Where in `shown` the URL stands, and how it is written once the whole command is understood.
    url_shown: Option<(usize, String)>,
    /// `-g`: brackets in a URL are themselves.
    globoff: bool,
    /// The error of a URL with brackets, unless `-g` is found before or after it.
    brackets: Option<CurlError>,
}

impl<'a> Parser<'a> {
    fn new(words: &'a [Vec<u8>], read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>) -> Self {
        Self {
            words,
            at: 0,
            read_file,
            shown: Vec::new(),
            ignored: Vec::new(),
            secrets: Vec::new(),
            method: None,
            headers: Vec::new(),
            removed: Vec::new(),
            data: None,
            json: false,
            get: false,
            head: false,
            head_shown: 0,
            basic: None,
            bearer_token: None,
            cookies: Vec::new(),
            url: None,
            url_shown: None,
            globoff: false,
            brackets: None,
        }
    }

    /// An error at the end of what was read so far: `word` is the faulty word as it may be shown, `part` the piece of
    /// it to point at.
    fn fault(
        &self,
        word: &str,
        part: &str,
        message: String,
        label: &str,
        help: Option<String>,
    ) -> CurlError {
        let mut shown = self.shown.join(" ");
        if !shown.is_empty() && !word.is_empty() {
            shown.push(' ');
        }
        let start = shown.len() + word.find(part).unwrap_or(0);
        shown.push_str(word);
        let span = (start, start + part.len());
        if self.at < self.words.len() {
            shown.push_str(" …");
        }
        CurlError::new(shown, span, message, label, help)
    }

    fn read(&mut self) -> Result<(), CurlError> {
        let first = self
            .words
            .first()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .unwrap_or_default();
        self.at = 1;
        if !matches!(first.rsplit(['/', '\\']).next(), Some("curl" | "curl.exe")) {
            let shown = if first.is_empty() { "(nothing)" } else { "…" };
            let help = "write `loadgen burst -- curl …`".to_owned();
            return Err(self.fault(
                shown,
                shown,
                "this is not a curl command".into(),
                "expected `curl`",
                Some(help),
            ));
        }
        self.shown.push("curl".into());
        let mut options_ended = false;
        while let Some(word) = self.words.get(self.at) {
            self.at += 1;
            if options_ended || !word.starts_with(b"-") || word == b"-" {
                self.take_url(word, "")?;
            } else if word == b"--" {
                options_ended = true;
                self.shown.push("--".into());
            } else if word.starts_with(b"--") {
                self.long(word)?;
            } else {
                self.cluster(word)?;
            }
        }
        match self.brackets.take() {
            Some(error) if !self.globoff => Err(error),
            _ => Ok(()),
        }
    }

    fn long(&mut self, word: &[u8]) -> Result<(), CurlError> {
        let text = String::from_utf8_lossy(word).into_owned();
        let (name, attached) = match text[2..].split_once('=') {
            Some((name, _)) => (name.to_owned(), true),
            None => (text[2..].to_owned(), false),
        };
        let written = format!("--{name}");
        let Some(option) = OPTIONS.iter().find(|option| option.long == name) else {
            let near = OPTIONS
                .iter()
                .find(|option| !name.is_empty() && option.long.starts_with(&name));
            let help = near.map(|option| format!("did you mean --{}?", option.long));
            let shown = if attached {
                format!("{written}=…")
            } else {
                written.clone()
            };
            return Err(self.fault(
                &shown,
                &written,
                format!("{written} is not an option that is understood here"),
                "unknown option",
                help,
            ));
        };
        if attached {
            let shown = format!("{written}=…");
            let help = option
                .takes_value
                .then(|| format!("write the value as the next word: {written} VALUE"));
            let message = "curl does not take a value after `=`".to_owned();
            return Err(self.fault(
                &shown,
                &shown,
                message,
                "unknown option to curl as well",
                help,
            ));
        }
        if !option.takes_value {
            return self.apply(option, &written, &written, None);
        }
        let Some(given) = self.words.get(self.at) else {
            let message = format!("{written} needs a value");
            return Err(self.fault(&written, &written, message, "nothing follows", None));
        };
        self.at += 1;
        self.apply(option, &format!("{written} "), &written, Some(given))
    }

    /// `-sSXPOST`: options until one takes a value, which is the rest of the word or the next word.
    fn cluster(&mut self, word: &[u8]) -> Result<(), CurlError> {
        let mut before = "-".to_owned();
        let mut rest = &word[1..];
        while let Some((&letter, after)) = rest.split_first() {
            rest = after;
            let shown_letter = if letter.is_ascii_graphic() {
                letter as char
            } else {
                '?'
            };
            let written = format!("-{shown_letter}");
            let Some(option) = OPTIONS.iter().find(|option| option.short == Some(letter)) else {
                let shown = format!(
                    "{before}{shown_letter}{}",
                    if rest.is_empty() { "" } else { "…" }
                );
                let start = &shown[before.len()..before.len() + shown_letter.len_utf8()];
                let start = if before == "-" {
                    written.as_str()
                } else {
                    start
                };
                let message = format!("{written} is not an option that is understood here");
                return Err(self.fault(&shown, start, message, "unknown option", None));
            };
            before.push(shown_letter);
            if !option.takes_value {
                // The cluster is shown as one word when its last letter has been read.
                let last = rest.is_empty();
                self.apply(option, if last { &before } else { "" }, &written, None)?;
                continue;
            }
            if !rest.is_empty() {
                return self.apply(option, &before, &written, Some(rest));
            }
            let Some(given) = self.words.get(self.at) else {
                let message = format!("{written} needs a value");
                return Err(self.fault(&before, &before, message, "nothing follows", None));
            };
            self.at += 1;
            return self.apply(option, &format!("{before} "), &written, Some(given));
        }
        Ok(())
    }

    /// Applies one option. `before` is what stands before its value in the shown command.
    fn apply(
        &mut self,
        option: &Opt,
        before: &str,
        written: &str,
        given: Option<&[u8]>,
    ) -> Result<(), CurlError> {
        let shown_flag = before.trim_end().to_owned();
        if let Act::Refuse(reason) = option.act {
            let shown = if shown_flag.is_empty() {
                written
            } else {
                &shown_flag
            };
            return Err(self.fault(
                shown,
                shown,
                format!("{written} is not offered: {reason}"),
                "refused",
                None,
            ));
        }
        let Some(given) = given else {
            if !shown_flag.is_empty() {
                self.shown.push(shown_flag.clone());
            }
            match option.act {
                Act::Get => self.get = true,
                Act::Globoff => self.globoff = true,
                Act::Head => {
                    self.head = true;
                    self.head_shown = self.shown.len();
                }
                Act::Ignore(reason) => self.note_ignored(written, reason),
                _ => unreachable!("the table gives every other act a value"),
            }
            return Ok(());
        };
        match option.act {
            Act::Request => self.take_method(before, given),
            Act::Header => self.take_header(before, given),
            Act::Data(kind) => self.take_data(before, written, kind, given),
            Act::User => {
                let text = self.text(before, given)?;
                self.refuse_variable(before, &text, false)?;
                if !text.contains(':') {
                    let message = format!("{written} needs USER:PASSWORD");
                    let help =
                        Some("curl would ask for the password; nobody is asked here".to_owned());
                    let shown = format!("{before}{HIDDEN}");
                    return Err(self.fault(&shown, HIDDEN, message, "no password", help));
                }
                self.secrets.push(Secret::new(&text));
                self.secrets.extend(
                    text.split_once(':')
                        .map(|(_, password)| Secret::new(password)),
                );
                self.basic = Some(text);
                self.push_shown(before, HIDDEN);
                Ok(())
            }
            Act::Bearer => {
                let text = self.text(before, given)?;
                self.refuse_variable(before, &text, true)?;
                let shown = if is_placeholder(&text) {
                    text.clone()
                } else {
                    HIDDEN.into()
                };
                self.bearer_token = Some(text);
                self.push_shown(before, &shown);
                Ok(())
            }
            Act::Cookie => {
                let text = self.text(before, given)?;
                if !text.contains('=') {
                    let shown = format!("{before}…");
                    let message = format!("{written} names a cookie file, which is not offered");
                    let help = Some("write the cookies: -b 'name=value; other=value'".to_owned());
                    return Err(self.fault(&shown, "…", message, "no `=`, so it is a file", help));
                }
                self.refuse_variable(before, &text, false)?;
                for cookie in text.split(';') {
                    self.secrets.extend(
                        cookie
                            .split_once('=')
                            .map(|(_, value)| Secret::new(value.trim())),
                    );
                }
                self.cookies.push(text.into_bytes());
                self.push_shown(before, HIDDEN);
                Ok(())
            }
            Act::UserAgent => self.take_simple(before, header::USER_AGENT, given),
            Act::Referer => self.take_simple(before, header::REFERER, given),
            Act::Url => self.take_url(given, before),
            Act::Ignore(reason) => {
                self.note_ignored(written, reason);
                self.push_shown(before, &String::from_utf8_lossy(given));
                Ok(())
            }
            Act::Get | Act::Globoff | Act::Head | Act::Refuse(_) => {
                unreachable!("the table gives these acts no value")
            }
        }
    }

    fn push_shown(&mut self, before: &str, value: &str) {
        self.shown.push(format!(
            "{before}{}",
            if value == HIDDEN {
                HIDDEN.into()
            } else {
                quote(value)
            }
        ));
    }

    fn note_ignored(&mut self, written: &str, reason: &'static str) {
        let at = self.ignored.iter().position(|(known, _)| *known == reason);
        let at = at.unwrap_or_else(|| {
            self.ignored.push((reason, Vec::new()));
            self.ignored.len() - 1
        });
        let options = &mut self.ignored[at].1;
        if !options.iter().any(|known| known == written) {
            options.push(written.to_owned());
        }
    }

    fn text(&self, before: &str, given: &[u8]) -> Result<String, CurlError> {
        String::from_utf8(given.to_vec()).map_err(|_| {
            let shown = format!("{before}…");
            self.fault(&shown, "…", "this value is not UTF-8".into(), "here", None)
        })
    }

    /// A `$NAME` or `${…}` that no shell replaced. `any_case`: where a dollar has no other use, also `$name`.
    fn refuse_variable(&self, before: &str, text: &str, any_case: bool) -> Result<(), CurlError> {
        let Some(variable) = find_variable(text, any_case) else {
            return Ok(());
        };
        let name = text
            .split_once(':')
            .map(|(name, _)| name)
            .filter(|name| header_name(name).is_some());
        let shown = match name {
            Some(name) if before.trim_end().ends_with('H') || before.trim_end() == "--header" => {
                format!("{before}'{name}: …{variable}…'")
            }
            _ => format!("{before}'…{variable}…'"),
        };
        let fault = super::words::Fault::Substitution(variable.to_owned());
        Err(self.fault(
            &shown,
            variable,
            fault.to_string(),
            fault.label(),
            fault.help(),
        ))
    }

    fn take_method(&mut self, before: &str, given: &[u8]) -> Result<(), CurlError> {
        let text = String::from_utf8_lossy(given).into_owned();
        match Method::from_bytes(given) {
            Ok(method) => {
                self.method = Some(method);
                self.push_shown(before, &text);
                Ok(())
            }
            Err(_) => {
                let shown = format!("{before}{HIDDEN}");
                Err(self.fault(&shown, HIDDEN, "this is not a method".into(), "here", None))
            }
        }
    }

    fn take_simple(
        &mut self,
        before: &str,
        name: HeaderName,
        given: &[u8],
    ) -> Result<(), CurlError> {
        let text = self.text(before, given)?;
        self.refuse_variable(before, &text, false)?;
        if text.is_empty() {
            self.removed.push(name);
        } else {
            let value = self.header_value(before, &text)?;
            let shown = if header_may_be_shown(name.as_str()) {
                text
            } else {
                HIDDEN.into()
            };
            self.set_default(name, value);
            self.push_shown(before, &shown);
            return Ok(());
        }
        self.push_shown(before, "");
        Ok(())
    }

    fn header_value(&self, before: &str, text: &str) -> Result<HeaderValue, CurlError> {
        HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
            let shown = format!("{before}…");
            self.fault(
                &shown,
                "…",
                "this header value holds a control character".into(),
                "here",
                None,
            )
        })
    }

    /// `Name: value`, `Name:` (takes a default away) or `Name;` (an empty value).
    fn take_header(&mut self, before: &str, given: &[u8]) -> Result<(), CurlError> {
        let text = self.text(before, given)?;
        if text.starts_with('@') {
            let shown = format!("{before}@…");
            return Err(self.fault(
                &shown,
                "@…",
                "headers from a file are not offered".into(),
                "here",
                None,
            ));
        }
        let (name, value, emptied) = match (text.split_once(':'), text.strip_suffix(';')) {
            (Some((name, value)), _) => (name, value.trim(), false),
            (None, Some(name)) => (name, "", true),
            (None, None) => {
                let shown = format!("{before}…");
                let help = Some("curl would leave it out without a word".to_owned());
                return Err(self.fault(
                    &shown,
                    "…",
                    "a header is `Name: value`".into(),
                    "no colon",
                    help,
                ));
            }
        };
        let Some(header) = header_name(name) else {
            let shown = format!("{before}…");
            return Err(self.fault(
                &shown,
                "…",
                "this is not a header name".into(),
                "here",
                None,
            ));
        };
        let any_case = header == header::AUTHORIZATION;
        self.refuse_variable(before, &text, any_case)?;
        let token = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let placeholder = header == header::AUTHORIZATION
            && token.is_some_and(|(_, token)| is_placeholder(token));
        let shown = if placeholder || header_may_be_shown(name) || value.is_empty() {
            text.clone()
        } else {
            format!("{name}: {HIDDEN}")
        };
        if !emptied && value.is_empty() {
            self.removed.push(header);
            self.push_shown(before, &shown);
            return Ok(());
        }
        if !placeholder && !header_may_be_shown(name) {
            self.secrets.push(Secret::new(value));
            if let Some((_, token)) = token {
                self.secrets.push(Secret::new(token));
            }
            if header == header::COOKIE {
                for cookie in value.split(';') {
                    self.secrets.extend(
                        cookie
                            .split_once('=')
                            .map(|(_, value)| Secret::new(value.trim())),
                    );
                }
            }
        }
        let mut header_value = self.header_value(before, value)?;
        header_value.set_sensitive(!header_may_be_shown(name));
        self.push_shown(before, &shown);
        match header.as_str() {
            "content-length" | "transfer-encoding" | "connection" => {
                self.note_ignored(
                    &format!("-H '{name}'"),
                    "the framing of the request is computed",
                );
            }
            "accept-encoding" => self.note_ignored(&format!("-H '{name}'"), PLAIN_BODIES),
            "expect" => self.note_ignored(&format!("-H '{name}'"), "the body is sent at once"),
            _ => self.headers.push((header, header_value)),
        }
        Ok(())
    }

    fn take_data(
        &mut self,
        before: &str,
        written: &str,
        kind: Data,
        given: &[u8],
    ) -> Result<(), CurlError> {
        let (mut piece, shown) = match kind {
            Data::Raw => (given.to_vec(), shown_data(given)),
            Data::Text | Data::Binary | Data::Json => match given.strip_prefix(b"@") {
                Some(file) => (
                    self.file(before, written, file)?,
                    String::from_utf8_lossy(given).into_owned(),
                ),
                None => (given.to_vec(), shown_data(given)),
            },
            Data::Encoded => self.url_encoded(before, written, given)?,
        };
        if kind == Data::Text && given.starts_with(b"@") {
            piece.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        }
        self.json |= kind == Data::Json;
        if shown == HIDDEN {
            self.secrets
                .extend(std::str::from_utf8(given).ok().map(Secret::new));
        }
        match &mut self.data {
            None => self.data = Some(piece),
            Some(data) => {
                if kind != Data::Json {
                    data.push(b'&');
                }
                data.append(&mut piece);
            }
        }
        self.push_shown(before, &shown);
        Ok(())
    }

    fn file(&self, before: &str, written: &str, file: &[u8]) -> Result<Vec<u8>, CurlError> {
        let name = String::from_utf8_lossy(file).into_owned();
        let shown = format!("{before}@{name}");
        if name == "-" {
            let message = format!("{written} @- would read standard input, which is not offered");
            return Err(self.fault(&shown, "@-", message, "here", None));
        }
        (self.read_file)(&name).map_err(|error| {
            let message = format!("cannot read {name}: {error}");
            self.fault(&shown, &format!("@{name}"), message, "this file", None)
        })
    }

    /// curl's manual, `--data-urlencode`: `content`, `=content`, `name=content`, `@file`, `name@file`.
    fn url_encoded(
        &self,
        before: &str,
        written: &str,
        given: &[u8],
    ) -> Result<(Vec<u8>, String), CurlError> {
        let Some(at) = given.iter().position(|byte| matches!(byte, b'=' | b'@')) else {
            return Ok((form_encode(given), shown_data(given)));
        };
        let (name, content) = (&given[..at], &given[at + 1..]);
        let (content, shown) = match given[at] {
            b'@' => (
                self.file(before, written, content)?,
                String::from_utf8_lossy(given).into_owned(),
            ),
            _ => (content.to_vec(), shown_data(given)),
        };
        let mut piece = name.to_vec();
        if !name.is_empty() {
            piece.push(b'=');
        }
        piece.extend(form_encode(&content));
        Ok((piece, shown))
    }

    fn take_url(&mut self, word: &[u8], before: &str) -> Result<(), CurlError> {
        let text = self.text(before, word)?;
        // What stands here by mistake (a header whose quotes were forgotten) may be a credential.
        let shown_text = if may_stand_in_an_error(&text) {
            shown_url(&text)
        } else {
            HIDDEN.to_owned()
        };
        let shown = if shown_text == HIDDEN {
            format!("{before}{HIDDEN}")
        } else {
            format!("{before}{}", quote(&shown_text))
        };
        let at = if shown.contains(&shown_text) {
            shown_text.clone()
        } else {
            shown.clone()
        };
        if self.url.is_some() {
            let help = Some(
                "one burst sends one request; is a quote missing around a value with spaces?"
                    .to_owned(),
            );
            return Err(self.fault(
                &shown,
                &at,
                "a second URL".into(),
                "the first one stands before",
                help,
            ));
        }
        self.refuse_variable(before, &text, false)?;
        if text.starts_with("-") {
            return Err(self.fault(&shown, &at, "this is not a URL".into(), "here", None));
        }
        // curl guesses the scheme of a bare host; `localhost:8787` must not be read as the scheme `localhost`.
        let absolute = if text.contains("://") {
            text.clone()
        } else {
            format!("http://{text}")
        };
        let mut brackets = None;
        let bad = |message: String| self.fault(&shown, &at, message, "this URL", None);
        if text
            .bytes()
            .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
        {
            return Err(bad("a URL holds no blanks (write %20)".into()));
        }
        let path_and_query = absolute.split_once("://").map_or("", |(_, rest)| rest);
        let path_and_query = path_and_query
            .find(['/', '?'])
            .map_or("", |at| &path_and_query[at..]);
        if path_and_query.contains(['{', '}', '[', ']']) {
            brackets = Some(bad(
                "curl would expand the brackets into several URLs (write them as %7B %7D %5B %5D, or give -g)"
                    .into(),
            ));
        }
        let mut url = Url::parse(&absolute).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad("only http and https are spoken".into()));
        }
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            let decode = |text: &str| {
                percent_decode(text.as_bytes())
                    .map_err(|()| bad("the user information of the URL is not UTF-8".into()))
            };
            let user = decode(url.username())?;
            let password = decode(url.password().unwrap_or_default())?;
            self.secrets.push(Secret::new(&password));
            // An explicit -u wins over the URL, as in curl.
            self.basic.get_or_insert(format!("{user}:{password}"));
            url.set_username("")
                .and_then(|()| url.set_password(None))
                .expect("an http URL with a host takes both");
        }
        for (name, value) in url.query_pairs() {
            if shown_url(&format!("?{name}=x")).contains(HIDDEN) {
                self.secrets.push(Secret::new(value));
            }
        }
        self.brackets = brackets;
        self.url = Some(url);
        self.url_shown = Some((
            self.shown.len(),
            format!("{before}{}", quote(&shown_url(&text))),
        ));
        self.shown.push(shown);
        Ok(())
    }

    /// Gives a header a value unless `-H` sets or removes it.
    fn set_default(&mut self, name: HeaderName, value: HeaderValue) {
        if !self.removed.contains(&name) && !self.headers.iter().any(|(known, _)| *known == name) {
            self.headers.push((name, value));
        }
    }

    fn finish(mut self) -> Result<Command, CurlError> {
        if let Some((at, url)) = self.url_shown.take() {
            self.shown[at] = url;
        }
        let Some(mut url) = self.url.take() else {
            self.shown.push(String::new());
            let shown = self.shown.join(" ");
            let end = shown.len();
            return Err(CurlError::new(
                format!("{shown}URL?"),
                (end, end + 4),
                "the command has no URL",
                "expected here",
                Some("was the URL taken as the value of the option before it?".into()),
            ));
        };
        if self.head && self.data.is_some() && !self.get {
            let shown = self.shown.join(" ");
            let start = self.shown[..self.head_shown.saturating_sub(1)]
                .join(" ")
                .len()
                + 1;
            let end = self.shown[..self.head_shown].join(" ").len();
            let message = "-I and data contradict each other, in curl as well";
            return Err(CurlError::new(
                shown,
                (start, end),
                message,
                "asks for HEAD",
                Some("drop one".into()),
            ));
        }
        let default = match (self.head, self.get, &self.data) {
            (true, _, _) => Method::HEAD,
            (_, false, Some(_)) => Method::POST,
            _ => Method::GET,
        };
        let mut body = Vec::new();
        let has_body = self.data.is_some() && !self.get;
        if let Some(data) = self.data.take() {
            if self.get {
                let data = String::from_utf8_lossy(&data).into_owned();
                let query = url
                    .query()
                    .map_or(data.clone(), |query| format!("{query}&{data}"));
                url.set_query(Some(&query));
            } else {
                body = data;
            }
        }
        if self.json {
            self.set_default(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            self.set_default(header::ACCEPT, HeaderValue::from_static("application/json"));
        } else if has_body {
            self.set_default(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
        }
        self.set_default(header::ACCEPT, HeaderValue::from_static("*/*"));
        self.set_default(
            header::USER_AGENT,
            HeaderValue::from_static(crate::USER_AGENT),
        );
        self.finish_authorization();
        if !self.cookies.is_empty() {
            let mut value = HeaderValue::from_bytes(&self.cookies.join(&b';')).map_err(|_| {
                self.fault(
                    "",
                    "",
                    "a cookie holds a control character".into(),
                    "in this command",
                    None,
                )
            })?;
            value.set_sensitive(true);
            self.set_default(header::COOKIE, value);
        }
        let authorization = self
            .headers
            .iter()
            .find(|(name, _)| *name == header::AUTHORIZATION);
        let bearer = match authorization.and_then(|(_, value)| value.to_str().ok()) {
            None if authorization.is_none() => Bearer::Absent,
            Some(value)
                if value.split_once(' ').is_some_and(|(scheme, token)| {
                    scheme.eq_ignore_ascii_case("bearer") && is_placeholder(token)
                }) =>
            {
                Bearer::Placeholder
            }
            _ => Bearer::Given,
        };
        Ok(Command {
            method: self.method.unwrap_or(default),
            url,
            headers: self
                .headers
                .into_iter()
                .fold(HeaderMap::new(), |mut map, (name, value)| {
                    map.append(name, value);
                    map
                }),
            body: Bytes::from(body),
            bearer,
            notes: self
                .ignored
                .iter()
                .map(|(reason, options)| {
                    format!(
                        "ignored of the curl command: {} ({reason})",
                        options.join(", ")
                    )
                })
                .collect(),
            shown: self.shown.join(" "),
            secrets: self.secrets,
        })
    }

    /// `-H Authorization` wins over `--oauth2-bearer`, that over `-u`.
    fn finish_authorization(&mut self) {
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
            return;
        };
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            self.set_default(header::AUTHORIZATION, value);
        }
    }
}

fn header_name(name: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).ok()
}

/// Whether a token is one of the words that documentation puts where the reader's own token belongs.
fn is_placeholder(token: &str) -> bool {
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

/// The first `$NAME` or `${…}` in `text`.
fn find_variable(text: &str, any_case: bool) -> Option<&str> {
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        if let Some(inner) = rest.strip_prefix('{')
            && let Some(end) = inner.find('}')
        {
            return Some(&text[at..at + end + 3]);
        }
        let name = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(rest, |end| &rest[..end]);
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if begins && (any_case || !name.contains(|c: char| c.is_ascii_lowercase())) {
            return Some(&text[at..at + 1 + name.len()]);
        }
    }
    None
}

/// A body as it may be shown in the command.
fn shown_data(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if body_may_be_shown(text) => text.to_owned(),
        _ => HIDDEN.to_owned(),
    }
}

/// curl 7.88: everything but the unreserved characters as %XX, a space as `+`.
fn form_encode(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte)
            }
            b' ' => encoded.push(b'+'),
            _ => encoded.extend(format!("%{byte:02X}").into_bytes()),
        }
    }
    encoded
}

fn percent_decode(text: &[u8]) -> Result<String, ()> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |at: usize| {
            after
                .get(at)
                .and_then(|&digit| (digit as char).to_digit(16))
        };
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curl::parse_line;

    fn files(name: &str) -> io::Result<Vec<u8>> {
        match name {
            "body.txt" => Ok(b"a b\r\nc\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn curl(line: &str) -> Command {
        parse_line(line, &files).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn error(line: &str) -> CurlError {
        parse_line(line, &files).expect_err("the command is faulty")
    }

    fn header<'a>(command: &'a Command, name: &str) -> Option<&'a str> {
        command
            .headers
            .get(name)
            .map(|value| value.to_str().expect("ascii"))
    }

    #[test]
    fn the_documented_burst_is_read_in_full() {
        let command = curl(
            "curl -X POST https://your-app.pages.dev/api/transactions \\\n  -H \"Authorization: Bearer YOUR_TOKEN\" \
             -H \"Content-Type: application/json\" -d '{\"test\":\"data\"}'",
        );
        assert_eq!(command.method, Method::POST);
        assert_eq!(command.url.path(), "/api/transactions");
        assert_eq!(header(&command, "content-type"), Some("application/json"));
        assert_eq!(command.body.as_ref(), br#"{"test":"data"}"#);
        assert_eq!(command.bearer, Bearer::Placeholder);
        assert!(command.notes.is_empty());
    }

    #[test]
    fn chromes_copy_as_curl_is_read() {
        let command = curl(
            "curl 'https://h.example/api/transactions?x=1' \\\n  -H 'accept: */*' \\\n  -H 'authorization: Bearer abc.def.ghi' \\\n  \
             -H 'content-type: application/json' \\\n  -b 'sid=1234567' \\\n  --data-raw $'{\"d\":\"it\\'s \\u0021\"}' \\\n  \
             --compressed",
        );
        assert_eq!(command.method, Method::POST);
        assert_eq!(command.body.as_ref(), br#"{"d":"it's !"}"#);
        assert_eq!(header(&command, "cookie"), Some("sid=1234567"));
        assert_eq!(command.bearer, Bearer::Given);
        assert_eq!(command.notes.len(), 1, "{:?}", command.notes);
        assert!(
            !command.shown.contains("abc.def.ghi") && !command.shown.contains("1234567"),
            "{}",
            command.shown
        );
    }

    // What curl 7.88.1 sent to a server that printed it.
    #[test]
    fn bodies_are_those_that_curl_sends() {
        for (options, method, body, content_type) in [
            (
                "-d a=1 -d b=2",
                "POST",
                "a=1&b=2",
                Some("application/x-www-form-urlencoded"),
            ),
            (
                "-d @body.txt -d q=1",
                "POST",
                "a bc&q=1",
                Some("application/x-www-form-urlencoded"),
            ),
            (
                "--data-binary @body.txt",
                "POST",
                "a b\r\nc\n",
                Some("application/x-www-form-urlencoded"),
            ),
            (
                "--data-raw @body.txt",
                "POST",
                "@body.txt",
                Some("application/x-www-form-urlencoded"),
            ),
            (
                "--json '{\"a\":' --json '1}'",
                "POST",
                "{\"a\":1}",
                Some("application/json"),
            ),
            (
                "-d a=1 --json '{}'",
                "POST",
                "a=1{}",
                Some("application/json"),
            ),
            (
                "--json '{}' -d a=1",
                "POST",
                "{}&a=1",
                Some("application/json"),
            ),
            (
                "--data-urlencode 'a b&c' --data-urlencode 'n=v w/+' --data-urlencode '=x y' --data-urlencode n@body.txt",
                "POST",
                "a+b%26c&n=v+w%2F%2B&x+y&n=a+b%0D%0Ac%0A",
                Some("application/x-www-form-urlencoded"),
            ),
            (
                "-XPUT -d@body.txt",
                "PUT",
                "a bc",
                Some("application/x-www-form-urlencoded"),
            ),
            ("-sSXPOST", "POST", "", None),
            ("-X DELETE", "DELETE", "", None),
            ("-I", "HEAD", "", None),
            ("", "GET", "", None),
            (
                "-d ''",
                "POST",
                "",
                Some("application/x-www-form-urlencoded"),
            ),
            (
                "-H 'Content-Type: text/plain' -d x",
                "POST",
                "x",
                Some("text/plain"),
            ),
            ("-H 'Content-Type:' -d x", "POST", "x", None),
            (
                "-sSid x=1",
                "POST",
                "x=1",
                Some("application/x-www-form-urlencoded"),
            ),
        ] {
            let command = curl(&format!("curl http://h/p {options}"));
            assert_eq!(command.method.as_str(), method, "{options}");
            assert_eq!(String::from_utf8_lossy(&command.body), body, "{options}");
            assert_eq!(header(&command, "content-type"), content_type, "{options}");
        }
    }

    #[test]
    fn get_moves_the_data_into_the_query() {
        let command = curl("curl 'http://h/p?z=1' -G -d a=1 --data-urlencode 'b=2 3'");
        assert_eq!(
            (command.method.as_str(), command.url.query()),
            ("GET", Some("z=1&a=1&b=2+3"))
        );
        assert!(command.body.is_empty());
        assert_eq!(curl("curl http://h/p -I -G -d a=1").method, Method::HEAD);
    }

    #[test]
    fn headers_are_those_that_curl_sends() {
        let command = curl("curl http://h -b a=b -b c=d -A me -e ref -u u:pw");
        assert_eq!(header(&command, "cookie"), Some("a=b;c=d"));
        assert_eq!(header(&command, "user-agent"), Some("me"));
        assert_eq!(header(&command, "referer"), Some("ref"));
        assert_eq!(header(&command, "authorization"), Some("Basic dTpwdw=="));
        let command = curl("curl http://u:p%40@h/x#frag -H 'Accept:' -H 'X-Empty;'");
        assert_eq!(header(&command, "authorization"), Some("Basic dTpwQA=="));
        assert_eq!(
            (header(&command, "accept"), header(&command, "x-empty")),
            (None, Some(""))
        );
        assert_eq!(command.url.as_str(), "http://h/x");
        let both = curl("curl http://h --oauth2-bearer tok -u u:pw");
        assert_eq!(header(&both, "authorization"), Some("Bearer tok"));
    }

    #[test]
    fn a_bare_host_with_a_port_is_http() {
        assert_eq!(
            curl("curl localhost:8787/api").url.as_str(),
            "http://localhost:8787/api"
        );
    }

    #[test]
    fn an_error_points_at_the_place() {
        for (line, pointed_at, message) in [
            (
                "curl http://h --frobnicate x",
                "--frobnicate",
                "not an option",
            ),
            ("curl -sQs3cret http://h", "Q", "not an option"),
            ("curl -Qs3cret http://h", "-Q", "not an option"),
            ("curl --request=POST http://h", "--request=…", "after `=`"),
            ("curl -F a=b http://h", "-F", "not offered"),
            (
                "curl http://h http://other/x",
                "http://other/x",
                "second URL",
            ),
            ("curl -X POST", "URL?", "no URL"),
            ("curl http://h -d @absent", "@absent", "cannot read"),
            ("curl http://h -H", "-H", "needs a value"),
            (
                "curl http://h -H 'Authorization: Bearer $TOKEN'",
                "$TOKEN",
                "not replaced",
            ),
            (
                "curl http://h -H \"Authorization: Bearer $TOKEN\"",
                "$TOKEN",
                "not replaced",
            ),
            (
                "curl http://h -H 'Authorization: Bearer ${token}'",
                "${token}",
                "not replaced",
            ),
            ("curl 'http://$HOST/x'", "$HOST", "not replaced"),
            (
                "curl http://h -H 'Authorization: Bearer s3cret",
                "'",
                "never closed",
            ),
            ("curl http://h?a=1&b=2", "&", "outside quotes"),
            ("curl http://h -I -d a", "-I", "contradict"),
            ("curl http://h -H NoColon", "…", "Name: value"),
            ("wget http://h", "…", "not a curl"),
            ("curl ftp://h/x", "ftp://h/x", "only http"),
            ("curl http://h/{a,b}", "{…}", "braces"),
            ("curl 'http://h/[1-3]'", "http://h/[1-3]", "brackets"),
        ] {
            let error = error(line);
            assert_eq!(error.pointed_at(), pointed_at, "{line}: {error}");
            assert!(error.to_string().contains(message), "{line}: {error}");
            let printed = format!("{:?} {error:?}", miette::Report::new(self::error(line)));
            assert!(!printed.contains("s3cret"), "{printed}");
        }
    }

    #[test]
    fn a_dollar_in_a_single_quoted_body_or_query_name_is_data() {
        let command = curl("curl 'http://h/x?$filter=a' -d '{\"description\":\"$TOKEN\"}'");
        assert_eq!(command.body.as_ref(), br#"{"description":"$TOKEN"}"#);
    }

    #[test]
    fn ignored_options_leave_a_note_and_change_nothing() {
        let command =
            curl("curl -sSkL -o /dev/null -w '%{http_code}' --retry 3 --http2 -m 5 http://h");
        assert_eq!(command.notes.len(), 6, "{:?}", command.notes);
        assert_eq!(command.method, Method::GET);
    }

    #[test]
    fn the_shown_command_is_read_back_as_the_same_request() {
        let line = "curl -sSXPUT 'http://h/p?a=1&b=2' -H 'Content-Type: text/plain' --data-raw 'it'\\''s' -A 'a b'";
        let (first, second) = (curl(line), curl(&curl(line).shown));
        assert_eq!(
            (first.method, first.url, first.headers, first.body),
            (second.method, second.url, second.headers, second.body)
        );
    }

    #[test]
    fn no_credential_is_shown_or_debugged() {
        let command = curl(
            "curl 'http://u:s3cret1@h/x?api_key=s3cret2' -H 'X-Api-Key: s3cret3' -b 'a=s3cret4' \
             -H 'Cookie: b=s3cret5' -H 'Authorization: Bearer s3cret6' -d '{\"password\":\"s3cret7\"}'",
        );
        assert!(!command.shown.contains("s3cret"), "{}", command.shown);
        assert!(
            !format!("{command:?} {:?}", command.headers).contains("s3cret"),
            "{command:?}"
        );
        for number in 1..=7 {
            let planted = format!("s3cret{number}");
            assert!(
                command
                    .secrets
                    .iter()
                    .any(|secret| secret.expose().contains(&planted)),
                "{planted}"
            );
        }
    }
}
