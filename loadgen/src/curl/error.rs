//! What is wrong with a curl command, and where.

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

/// What is wrong with a curl command, and where.
///
/// The text shown is the command without credentials, cut after the faulty word; the label points into it.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct CurlError {
    message: String,
    label: String,
    #[help]
    help: Option<String>,
    #[source_code]
    shown: String,
    #[label("{label}")]
    span: SourceSpan,
}

impl CurlError {
    /// `shown` is the command as it may be shown; the bytes `start..end` of it are at fault.
    pub(super) fn new(
        shown: String,
        (start, end): (usize, usize),
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        let end = end.min(shown.len());
        let start = start.min(end);
        Self {
            message: message.into(),
            label: label.into(),
            help,
            span: (start, end - start).into(),
            shown,
        }
    }

    /// The part of the shown command that the label points at.
    pub fn pointed_at(&self) -> &str {
        let start = self.span.offset();
        &self.shown[start..start + self.span.len()]
    }

    /// The command as the error shows it.
    pub(super) fn into_shown(self) -> String {
        self.shown
    }
}
