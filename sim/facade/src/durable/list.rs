//! [`ListOptions`]: which keys a list gives.

use edgeproof_sim::platform::durable::storage::ListOptions as RawListOptions;
use serde::Serialize;

/// Which keys a list gives.
#[derive(Default, Serialize, Debug)]
pub struct ListOptions<'a> {
    start: Option<&'a str>,
    end: Option<&'a str>,
    prefix: Option<&'a str>,
    reverse: Option<bool>,
    limit: Option<usize>,
}

impl<'a> ListOptions<'a> {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// From this key on.
    pub fn start(mut self, val: &'a str) -> Self {
        self.start = Some(val);
        self
    }

    /// Up to this key, exclusive.
    pub fn end(mut self, val: &'a str) -> Self {
        self.end = Some(val);
        self
    }

    /// Those that begin with this.
    pub fn prefix(mut self, val: &'a str) -> Self {
        self.prefix = Some(val);
        self
    }

    /// From the last to the first.
    pub fn reverse(mut self, val: bool) -> Self {
        self.reverse = Some(val);
        self
    }

    /// At most this many keys.
    pub fn limit(mut self, val: usize) -> Self {
        self.limit = Some(val);
        self
    }

    /// A limit of 0, which the platform refuses.
    pub(super) fn wants_none(&self) -> bool {
        self.limit == Some(0)
    }

    pub(super) fn to_raw(&self) -> RawListOptions {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        RawListOptions {
            start: owned(self.start),
            start_after: None,
            end: owned(self.end),
            prefix: owned(self.prefix),
            reverse: self.reverse.unwrap_or(false),
            limit: self.limit,
        }
    }
}
