//! Keys and values in order of the keys' bytes, and how many bytes they are.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Which keys a `list` wants.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// First key, inclusive.
    pub start: Option<String>,
    /// First key, exclusive.
    pub start_after: Option<String>,
    /// End, exclusive.
    pub end: Option<String>,
    /// Keys must begin with this.
    pub prefix: Option<String>,
    /// From the last to the first.
    pub reverse: bool,
    /// The maximum number of keys.
    pub limit: Option<usize>,
}

/// The keys and values of one object.
#[derive(Debug, Default)]
pub(super) struct Values {
    map: BTreeMap<Box<str>, Bytes>,
    bytes: u64,
}

impl Values {
    /// Bytes of keys and values.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.map.iter().map(|(key, value)| (&**key, value))
    }

    pub(super) fn get(&self, key: &str) -> Option<&Bytes> {
        self.map.get(key)
    }

    /// Puts a value; returns the one that was there.
    pub(super) fn insert(&mut self, key: Box<str>, value: Bytes) -> Option<Bytes> {
        let key_bytes = key.len();
        self.bytes += (key_bytes + value.len()) as u64;
        let old = self.map.insert(key, value);
        self.forget(key_bytes, old.as_ref());
        old
    }

    /// Removes a key; returns the value that was there.
    pub(super) fn remove(&mut self, key: &str) -> Option<Bytes> {
        let old = self.map.remove(key);
        self.forget(key.len(), old.as_ref());
        old
    }

    /// Removes everything; returns what was there.
    pub(super) fn take(&mut self) -> BTreeMap<Box<str>, Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.map)
    }

    /// The keys and values in a range.
    pub(super) fn list(&self, options: &ListOptions) -> Vec<(Box<str>, Bytes)> {
        let prefix = options.prefix.as_deref().unwrap_or("");
        let mut start = Bound::Included(prefix);
        if let Some(first) = options.start.as_deref()
            && first > prefix
        {
            start = Bound::Included(first);
        }
        if let Some(last) = options.start_after.as_deref()
            && last >= prefix
        {
            start = Bound::Excluded(last);
        }
        let end = options.end.as_deref();
        let pairs = self.map.range::<str, _>((start, Bound::Unbounded));
        let pairs = pairs
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| end.is_none_or(|end| &***key < end));
        let mut found: Vec<_> = pairs
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if options.reverse {
            found.reverse();
        }
        found.truncate(options.limit.unwrap_or(usize::MAX));
        found
    }

    fn forget(&mut self, key_bytes: usize, old: Option<&Bytes>) {
        if let Some(old) = old {
            self.bytes -= (key_bytes + old.len()) as u64;
        }
    }
}
