//! [`Error`]: what every call of this API may answer, with the variants, texts and conversions of
//! workers-rs 0.8.7.
//!
//! A JavaScript `Error` object becomes [`Error::UnknownJsError`] (or one of the variants that have
//! a code of their own), a thrown string becomes [`Error::JsError`], anything else
//! [`Error::Internal`]. The way back, [`Error::to_js_value`], keeps a stored original.
//!
//! It is `Send` and `Sync`, as upstream's is, so `?` turns it into an `anyhow::Error`. A JavaScript value inside stays on its thread:
//! read on another one, it panics.

use crate::js_sys::{self, Reflect};
use crate::kv::KvError;
use crate::wasm_bindgen::{JsCast, JsValue};
use strum::IntoStaticStr;

/// Everything that can go wrong in a Worker.
#[derive(Debug, IntoStaticStr)]
#[non_exhaustive]
pub enum Error {
    /// A body whose content type does not fit what was asked for.
    BadEncoding,
    /// The body was read before: it can be read once.
    BodyUsed,
    /// JSON could not be made: a message and the status a handler should answer.
    Json((String, u16)),
    /// A string thrown by JavaScript.
    JsError(String),
    /// A message of the crate `http` that cannot be made.
    #[cfg(feature = "http")]
    Http(http::Error),
    /// An error that cannot occur.
    Infallible,
    /// A thrown value that is neither an `Error` object nor a string.
    Internal(JsValue),
    /// An I/O error.
    Io(std::io::Error),
    /// The environment has no binding of this name.
    BindingError(String),
    /// A route that cannot be registered.
    RouteInsertError(matchit::InsertError),
    /// A route asked for data the router does not have.
    RouteNoDataError,
    /// A message from Rust code.
    RustError(String),
    /// JSON did not have the shape asked for, or a value cannot be written as JSON.
    SerdeJsonError(serde_json::Error),
    /// A value could not be converted between Rust and JavaScript.
    SerdeWasmBindgenError(serde_wasm_bindgen::Error),
    /// A number that is no HTTP status.
    #[cfg(feature = "http")]
    StatusCode(http::status::InvalidStatusCode),
    /// An error of a D1 database.
    #[cfg(feature = "d1")]
    D1(crate::d1::D1Error),
    /// Bytes that are not UTF-8.
    Utf8Error(std::str::Utf8Error),
    /// A time zone that is not known.
    #[cfg(feature = "timezone")]
    TimezoneError,
    /// An error of a KV namespace.
    KvError(KvError),
    /// The recipient of an e-mail is on the suppression list (code `E_RECIPIENT_SUPPRESSED`).
    EmailRecipientSuppressed(String),
    /// The sender may not write to this recipient (code `RCPT_NOT_ALLOWED`).
    EmailRecipientNotAllowed(String),
    /// A rate limit of the platform was met (code `E_RATE_LIMIT_EXCEEDED`).
    RateLimitExceeded(String),
    /// A daily limit of the platform was met (code `E_DAILY_LIMIT_EXCEEDED`).
    DailyLimitExceeded(String),
    /// A service of the platform failed (code `E_INTERNAL_SERVER_ERROR`).
    InternalError(String),
    /// Any other JavaScript `Error` object.
    UnknownJsError {
        /// The object as it was thrown.
        original: JsValue,
        /// Its `name`, such as `TypeError`.
        name: Option<String>,
        /// Its `message`.
        message: String,
        /// Its `code`, if that is a string.
        code: Option<String>,
        /// Its `cause`, converted in turn.
        cause: Option<Box<Error>>,
    },
}

type Variant = fn(String) -> Error;

/// The codes that have a variant of their own, with that variant.
const CODED: [(&str, Variant); 5] = [
    ("E_RECIPIENT_SUPPRESSED", Error::EmailRecipientSuppressed),
    ("RCPT_NOT_ALLOWED", Error::EmailRecipientNotAllowed),
    ("E_RATE_LIMIT_EXCEEDED", Error::RateLimitExceeded),
    ("E_DAILY_LIMIT_EXCEEDED", Error::DailyLimitExceeded),
    ("E_INTERNAL_SERVER_ERROR", Error::InternalError),
];

/// How many causes of causes are converted; a chain may be circular. The number is upstream's.
const CAUSES_MAX: u32 = 16;

impl Error {
    /// This error as the value JavaScript would see: a stored original where there is one, a string
    /// for [`Error::JsError`], else a new `Error` object whose message names the causes too.
    pub fn to_js_value(&self) -> JsValue {
        match self {
            Self::UnknownJsError { original, .. } => original.clone(),
            Self::Internal(value) => value.clone(),
            Self::JsError(text) => JsValue::from_str(text),
            Self::EmailRecipientSuppressed(text) => coded(text, CODED[0].0),
            Self::EmailRecipientNotAllowed(text) => coded(text, CODED[1].0),
            Self::RateLimitExceeded(text) => coded(text, CODED[2].0),
            Self::DailyLimitExceeded(text) => coded(text, CODED[3].0),
            Self::InternalError(text) => coded(text, CODED[4].0),
            other => js_sys::Error::new(&with_causes(other)).into(),
        }
    }

    fn from_value(value: JsValue, causes_left: u32) -> Self {
        match value.dyn_into::<js_sys::Error>() {
            Ok(error) => Self::from_error_object(error, causes_left),
            Err(value) => match value.as_string() {
                Some(text) => Self::JsError(text),
                None => Self::Internal(value),
            },
        }
    }

    fn from_error_object(error: js_sys::Error, causes_left: u32) -> Self {
        let message = String::from(error.message());
        let code = property(&error, "code");
        if let Some((_, variant)) = code
            .as_deref()
            .and_then(|code| CODED.iter().find(|(known, _)| *known == code))
        {
            return variant(message);
        }
        let cause = error.cause();
        let cause = (causes_left > 0 && !cause.is_null() && !cause.is_undefined())
            .then(|| Box::new(Self::from_value(cause, causes_left - 1)));
        let name = JsValue::from(error.name()).as_string();
        Self::UnknownJsError {
            original: error.into(),
            name,
            message,
            code,
            cause,
        }
    }
}

/// A property of an error object, if it is a string.
fn property(error: &js_sys::Error, name: &str) -> Option<String> {
    Reflect::get(error, &JsValue::from_str(name))
        .ok()?
        .as_string()
}

fn coded(message: &str, code: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    Reflect::set(&error, &JsValue::from_str("code"), &JsValue::from_str(code))
        .expect("a property of a new object can be set");
    error.into()
}

/// The text of an error and, indented below it, of each of its sources: the form upstream gives to
/// JavaScript.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\nCaused by:\n    ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadEncoding => f.write_str("content-type mismatch"),
            Self::BodyUsed => f.write_str("body has already been read"),
            Self::Infallible => f.write_str("infallible"),
            Self::RouteNoDataError => f.write_str("route has no corresponding shared data"),
            Self::JsError(text) | Self::RustError(text) => f.write_str(text),
            Self::BindingError(binding) => write!(f, "no binding found for `{binding}`"),
            Self::Json((text, status)) => write!(f, "{text} (status: {status})"),
            // These have a source, which says the rest.
            Self::Io(_) => f.write_str("I/O error"),
            Self::Utf8Error(_) => f.write_str("UTF-8 decoding error"),
            Self::SerdeJsonError(_) => f.write_str("JSON serialization error"),
            Self::SerdeWasmBindgenError(_) => f.write_str("wasm-bindgen serialization error"),
            Self::RouteInsertError(_) => f.write_str("failed to insert route"),
            #[cfg(feature = "http")]
            Self::Http(_) => f.write_str("HTTP error"),
            #[cfg(feature = "http")]
            Self::StatusCode(_) => f.write_str("invalid HTTP status code"),
            #[cfg(feature = "timezone")]
            Self::TimezoneError => f.write_str("invalid timezone"),
            #[cfg(feature = "d1")]
            Self::D1(error) => write!(f, "D1: {error:#?}"),
            Self::KvError(error) => error.fmt(f),
            Self::Internal(value) => write!(f, "unrecognized JavaScript value: {value:?}"),
            Self::EmailRecipientSuppressed(text)
            | Self::EmailRecipientNotAllowed(text)
            | Self::RateLimitExceeded(text)
            | Self::DailyLimitExceeded(text)
            | Self::InternalError(text) => write!(f, "{}: {text}", <&'static str>::from(self)),
            Self::UnknownJsError {
                name,
                message,
                code,
                ..
            } => {
                f.write_str(name.as_deref().unwrap_or("Error"))?;
                if let Some(code) = code {
                    write!(f, " [{code}]")?;
                }
                write!(f, ": {message}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Utf8Error(error) => Some(error),
            Self::SerdeJsonError(error) => Some(error),
            Self::SerdeWasmBindgenError(error) => Some(error),
            Self::RouteInsertError(error) => Some(error),
            #[cfg(feature = "http")]
            Self::Http(error) => Some(error),
            #[cfg(feature = "http")]
            Self::StatusCode(error) => Some(error),
            Self::UnknownJsError {
                cause: Some(cause), ..
            } => Some(cause),
            _ => None,
        }
    }
}

impl From<JsValue> for Error {
    fn from(value: JsValue) -> Self {
        Self::from_value(value, CAUSES_MAX)
    }
}

impl From<js_sys::Error> for Error {
    fn from(error: js_sys::Error) -> Self {
        Self::from_error_object(error, CAUSES_MAX)
    }
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        error.to_js_value()
    }
}

impl From<serde_wasm_bindgen::Error> for Error {
    fn from(error: serde_wasm_bindgen::Error) -> Self {
        JsValue::from(error).into()
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<std::str::Utf8Error> for Error {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::Utf8Error(error)
    }
}

impl From<core::convert::Infallible> for Error {
    fn from(_: core::convert::Infallible) -> Self {
        Self::Infallible
    }
}

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        Self::KvError(error)
    }
}

#[cfg(feature = "d1")]
impl From<crate::d1::D1Error> for Error {
    fn from(error: crate::d1::D1Error) -> Self {
        Self::D1(error)
    }
}

impl From<url::ParseError> for Error {
    fn from(error: url::ParseError) -> Self {
        Self::RustError(error.to_string())
    }
}

impl From<serde_urlencoded::de::Error> for Error {
    fn from(error: serde_urlencoded::de::Error) -> Self {
        Self::RustError(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::SerdeJsonError(error)
    }
}

impl From<matchit::InsertError> for Error {
    fn from(error: matchit::InsertError) -> Self {
        Self::RouteInsertError(error)
    }
}

#[cfg(feature = "http")]
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}

#[cfg(feature = "http")]
impl From<http::status::InvalidStatusCode> for Error {
    fn from(error: http::status::InvalidStatusCode) -> Self {
        Self::StatusCode(error)
    }
}

#[cfg(feature = "http")]
impl From<http::header::InvalidHeaderName> for Error {
    fn from(error: http::header::InvalidHeaderName) -> Self {
        Self::RustError(format!("Invalid header name: {error:?}"))
    }
}

#[cfg(feature = "http")]
impl From<http::header::InvalidHeaderValue> for Error {
    fn from(error: http::header::InvalidHeaderValue) -> Self {
        Self::RustError(format!("Invalid header value: {error:?}"))
    }
}

#[cfg(feature = "timezone")]
impl From<chrono_tz::ParseError> for Error {
    fn from(_: chrono_tz::ParseError) -> Self {
        Self::RustError("Invalid timezone".to_owned())
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::RustError(text.to_owned())
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::RustError(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    fn thrown(message: &str, properties: &[(&str, JsValue)]) -> JsValue {
        let error = js_sys::TypeError::new(message);
        for (name, value) in properties {
            Reflect::set(&error, &JsValue::from_str(name), value).unwrap();
        }
        error.into()
    }

    #[test]
    fn what_javascript_threw_decides_the_variant() {
        assert!(
            matches!(Error::from(JsValue::from_str("text")), Error::JsError(text) if text == "text")
        );
        assert!(matches!(
            Error::from(JsValue::from_f64(7.0)),
            Error::Internal(_)
        ));
        assert_eq!(
            Error::from(thrown("why", &[])).to_string(),
            "TypeError: why"
        );
        assert_eq!(
            Error::from(thrown("why", &[("code", "E_X".into())])).to_string(),
            "TypeError [E_X]: why"
        );
        let coded = Error::from(thrown("why", &[("code", "E_RATE_LIMIT_EXCEEDED".into())]));
        assert!(matches!(coded, Error::RateLimitExceeded(_)));
        assert_eq!(coded.to_string(), "RateLimitExceeded: why");
    }

    #[test]
    fn causes_are_converted_and_a_circle_of_them_ends() {
        let error = Error::from(thrown("outer", &[("cause", thrown("inner", &[]))]));
        assert_eq!(error.source().unwrap().to_string(), "TypeError: inner");
        let circle = thrown("round", &[]);
        Reflect::set(&circle, &"cause".into(), &circle).unwrap();
        let error = Error::from(circle.clone());
        let (mut depth, mut source) = (0, error.source());
        while let Some(cause) = source {
            (depth, source) = (depth + 1, cause.source());
        }
        assert_eq!(depth, CAUSES_MAX);
        // A circle of counted references is never freed by itself.
        Reflect::set(&circle, &"cause".into(), &JsValue::UNDEFINED).unwrap();
    }

    #[test]
    fn an_error_keeps_its_original_on_the_way_back() {
        let original = thrown("why", &[]);
        assert_eq!(JsValue::from(Error::from(original.clone())), original);
        assert_eq!(
            Error::from("text")
                .to_js_value()
                .dyn_into::<js_sys::Error>()
                .unwrap()
                .message(),
            "text"
        );
        assert_eq!(
            Error::JsError("text".into())
                .to_js_value()
                .as_string()
                .as_deref(),
            Some("text")
        );
        let coded = Error::from(Error::DailyLimitExceeded("why".into()).to_js_value());
        assert!(matches!(coded, Error::DailyLimitExceeded(text) if text == "why"));
    }

    #[test]
    fn sources_are_named_for_javascript_and_not_repeated_for_rust() {
        let error = Error::from(serde_json::from_str::<u8>("x").unwrap_err());
        assert_eq!(error.to_string(), "JSON serialization error");
        let message = String::from(
            error
                .to_js_value()
                .dyn_into::<js_sys::Error>()
                .unwrap()
                .message(),
        );
        assert_eq!(
            message,
            "JSON serialization error\nCaused by:\n    expected value at line 1 column 1"
        );
    }

    #[test]
    fn each_plain_variant_has_upstreams_text() {
        for (error, text) in [
            (Error::BadEncoding, "content-type mismatch"),
            (Error::BodyUsed, "body has already been read"),
            (Error::Infallible, "infallible"),
            (
                Error::RouteNoDataError,
                "route has no corresponding shared data",
            ),
            (Error::BindingError("X".into()), "no binding found for `X`"),
            (Error::Json(("no".into(), 500)), "no (status: 500)"),
            (
                KvError::InvalidKvStore("X".into()).into(),
                "invalid kv store: X",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
