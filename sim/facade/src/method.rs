//! [`Method`]: the request methods of workers-rs.
//!
//! Ten of them; a request with any other method reaches the Worker as `GET`, as it does upstream.
//! [`crate::Request`] keeps the true method beside it and passes that on.

use std::fmt;

/// The method of a request.
#[derive(Default, Debug, Clone, PartialEq, Hash, Eq)]
pub enum Method {
    /// `HEAD`
    Head = 0,
    /// `GET`
    #[default]
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `CONNECT`
    Connect,
    /// `TRACE`
    Trace,
    /// `REPORT`
    Report,
}

/// The methods and their names, in the order of the enum.
const NAMES: [(Method, &str); Method::COUNT] = [
    (Method::Head, "HEAD"),
    (Method::Get, "GET"),
    (Method::Post, "POST"),
    (Method::Put, "PUT"),
    (Method::Patch, "PATCH"),
    (Method::Delete, "DELETE"),
    (Method::Options, "OPTIONS"),
    (Method::Connect, "CONNECT"),
    (Method::Trace, "TRACE"),
    (Method::Report, "REPORT"),
];

impl Method {
    /// How many there are.
    pub(crate) const COUNT: usize = 10;

    /// Every method, in the order of the enum.
    pub fn all() -> Vec<Method> {
        NAMES.iter().map(|(method, _)| method.clone()).collect()
    }

    /// Its place in the enum, for tables.
    pub(crate) fn index(&self) -> usize {
        self.clone() as usize
    }

    /// The method of this name in any case, or `GET`.
    fn named(name: &str) -> Self {
        NAMES
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map_or(Self::Get, |(method, _)| method.clone())
    }

    /// What the Worker sees of a method on the wire.
    pub(crate) fn from_wire(method: &http::Method) -> Self {
        Self::named(method.as_str())
    }

    /// The method on the wire.
    pub(crate) fn to_wire(&self) -> http::Method {
        match self {
            Self::Head => http::Method::HEAD,
            Self::Get => http::Method::GET,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Patch => http::Method::PATCH,
            Self::Delete => http::Method::DELETE,
            Self::Options => http::Method::OPTIONS,
            Self::Connect => http::Method::CONNECT,
            Self::Trace => http::Method::TRACE,
            Self::Report => http::Method::from_bytes(b"REPORT").expect("REPORT is a token"),
        }
    }
}

impl From<String> for Method {
    fn from(name: String) -> Self {
        Self::named(&name)
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.as_ref().to_owned()
    }
}

impl AsRef<str> for Method {
    fn as_ref(&self) -> &'static str {
        NAMES[self.index()].1
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_methods_are_one_table() {
        for (index, method) in Method::all().into_iter().enumerate() {
            assert_eq!(method.index(), index);
            assert_eq!(Method::from(method.to_string().to_lowercase()), method);
            assert_eq!(method.to_wire().as_str(), method.as_ref());
            assert_eq!(Method::from_wire(&method.to_wire()), method);
        }
        assert_eq!(Method::all().len(), Method::COUNT);
    }

    #[test]
    fn an_unknown_method_reaches_the_worker_as_get() {
        assert_eq!(Method::from("PROPFIND".to_owned()), Method::Get);
    }
}
