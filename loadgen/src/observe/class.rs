//! The class of one answer.

use crate::refusal::Platform429;

/// The class of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The limiter let the request through.
    Admitted,
    /// The Worker's own 429.
    Denied,
    /// A 429 that is no denial of the Worker's own; `Some` if its body says that the platform sent it.
    Foreign(Option<Platform429>),
    /// A status from 500.
    ServerError,
    /// A status below 200 or from 300 to 399.
    Redirect,
}
