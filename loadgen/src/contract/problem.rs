//! Problem documents (RFC 9457) of denials.

use std::borrow::Cow;

use serde::Deserialize;

use crate::answer::Answer;

/// The problem type of a used-up quota (IANA, HTTP Problem Types, "quota-exceeded").
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The members of a problem document that are judged.
#[derive(Debug, Deserialize)]
pub struct Problem<'a> {
    /// `type`: a URI that names the problem.
    #[serde(borrow, rename = "type")]
    pub kind: Option<Cow<'a, str>>,
    /// `status`: the status of the answer, repeated.
    pub status: Option<u16>,
    /// `violated-policies` of the type [`QUOTA_EXCEEDED`].
    #[serde(borrow, rename = "violated-policies")]
    pub violated: Option<Vec<Cow<'a, str>>>,
}

impl<'a> Problem<'a> {
    /// The problem document of an answer; `None` if its media type or its body is not that of one.
    pub fn of(answer: &'a Answer) -> Option<Self> {
        if !answer
            .media_type()
            .eq_ignore_ascii_case(b"application/problem+json")
        {
            return None;
        }
        serde_json::from_slice(&answer.body).ok()
    }
}
