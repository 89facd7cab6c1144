//! Errors of a configuration, each at its place in the file.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use toml_span::Span;

/// The text of a configuration and what to call it.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) file: Arc<str>,
    pub(super) text: Arc<str>,
}

impl fmt::Debug for Source {
    /// Without the text: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.into(),
            text: text.into(),
        }
    }

    /// Line and column (in characters) of a byte offset, both from 1.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1; `None` if the problem is the whole file.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, or why.
    pub help: Option<String>,
    /// Byte range in the file.
    span: Option<(usize, usize)>,
}

impl Problem {
    pub(super) fn at(source: &Source, span: Span, message: String, help: Option<String>) -> Self {
        let length = span.end.saturating_sub(span.start).max(1);
        // A table's span runs to the end of the table; its first line is enough to point at.
        let first_line = source.text[source.text.floor_char_boundary(span.start)..]
            .find('\n')
            .unwrap_or(length);
        let place = Some(source.line_and_column(span.start));
        Self {
            place,
            message,
            help,
            span: Some((span.start, length.min(first_line.max(1)))),
        }
    }

    pub(super) fn of_file(message: String) -> Self {
        Self {
            place: None,
            message,
            help: None,
            span: None,
        }
    }
}

/// A configuration that cannot be used, with all of its problems in the order of the file.
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) print one `file:line:column: problem` per problem; as a
/// [`Diagnostic`] it shows the lines themselves.
#[derive(Clone)]
pub struct ConfigError {
    source: Source,
    named: NamedSource<Arc<str>>,
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(source: Source, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place);
        let named = NamedSource::new(&source.file, source.text.clone()).with_language("TOML");
        Self {
            source,
            named,
            problems,
        }
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let source = Source::new(&path.to_string_lossy(), "");
        Self::new(
            source,
            vec![Problem::of_file(format!("cannot be read: {error}"))],
        )
    }

    /// The problems, in the order of the file; at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.source.file)?;
            if let Some((line, column)) = problem.place {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, "\n    {}", help.replace('\n', "\n    "))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigError {
    /// As `Display`: `unwrap()` prints this, and the file's text may be long and hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.named)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = |problem: &Problem| {
            let (start, length) = problem.span?;
            Some(LabeledSpan::new(
                Some(problem.message.clone()),
                start,
                length,
            ))
        };
        Some(Box::new(self.problems.iter().filter_map(label)))
    }
}
