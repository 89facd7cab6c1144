//! What was asked of the host while a world ran, although no world can answer it.

use crate::listening::as_host;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::fmt;

/// Something that only the host can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// A clock that no world has, such as one of CPU time; with its number.
    Clock(i64),
    /// A device that gives the host's entropy, opened by this path.
    Device(String),
    /// A thread: it would run beside the world, in an order of the host's.
    Thread,
    /// The source panicked when it was asked.
    SourcePanicked,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(number) => write!(f, "the host's clock number {number}"),
            Self::Device(path) => write!(f, "the host's entropy from {path}"),
            Self::Thread => write!(f, "a second thread"),
            Self::SourcePanicked => write!(f, "a source that panicked"),
        }
    }
}

/// A question that the host had to answer, or that nobody did.
#[derive(Debug)]
pub struct Leak {
    /// What was asked for.
    pub question: Question,
    backtrace: Backtrace,
}

impl Leak {
    /// Who asked.
    pub fn backtrace(&self) -> &Backtrace {
        &self.backtrace
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, asked for at\n{}", self.question, self.backtrace)
    }
}

/// A loop that asks again and again must not fill the memory: the first few say enough.
const LEAKS_KEPT: usize = 8;

thread_local! {
    /// Cheap to look at: a world looks in each of its turns.
    static NOTED: Cell<bool> = const { Cell::new(false) };
    static LEAKS: RefCell<Vec<Leak>> = const { RefCell::new(Vec::new()) };
}

/// The leaks of this thread since the last call, at most eight.
pub fn take_leaks() -> Vec<Leak> {
    if NOTED.replace(false) {
        LEAKS.try_with(RefCell::take).unwrap_or_default()
    } else {
        Vec::new()
    }
}

/// Notes a question with the backtrace of who asks.
pub(crate) fn note(question: Question) {
    let full = LEAKS.try_with(|leaks| {
        leaks
            .try_borrow()
            .is_ok_and(|leaks| leaks.len() >= LEAKS_KEPT)
    });
    if full == Ok(false) {
        // Walking the stack opens files and takes locks of the host's.
        let backtrace = as_host(Backtrace::force_capture);
        let _ = LEAKS.try_with(|leaks| {
            if let Ok(mut leaks) = leaks.try_borrow_mut() {
                NOTED.set(true);
                leaks.push(Leak {
                    question,
                    backtrace,
                });
            }
        });
    }
}
