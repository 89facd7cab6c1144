//! One request of a sequence: what is fixed when it is generated, and what an earlier answer decides.

use std::fmt::Write as _;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Path and query, as they stand on the wire.
    Fixed(String),
    /// The `Location` of the sequence's latest 201, or a path that names nothing yet.
    Created,
}

/// What `Authorization` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// No such header.
    None,
    /// This value; bytes, because a header may hold more than ASCII.
    Fixed(Vec<u8>),
    /// The token that the sequence's latest login gave out; no header before the first.
    Issued,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What it is meant to be, for the tables and reports.
    pub(crate) label: String,
    /// Something in it on which platforms are known to differ, as `CONFORMANCE.md` calls it.
    pub(crate) peculiarity: Option<&'static str>,
    pub(crate) method: &'static str,
    pub(crate) target: Target,
    pub(crate) credential: Credential,
    /// Sent as `CF-Connecting-IP`, which the platform sets.
    pub(crate) address: String,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// Without `Content-Length`.
    pub(crate) chunked: bool,
}

/// A step whose open places are filled in: what goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) address: String,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) chunked: bool,
}

/// What a sequence's earlier answers said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) token: Option<String>,
    pub(crate) location: Option<String>,
}

impl Step {
    /// The request, given what earlier answers said.
    pub(crate) fn request(&self, known: &Known) -> Request {
        let mut headers = self.headers.clone();
        match (&self.credential, &known.token) {
            (Credential::Fixed(value), _) => headers.push(("authorization", value.clone())),
            (Credential::Issued, Some(token)) => {
                headers.push(("authorization", format!("Bearer {token}").into_bytes()));
            }
            (Credential::None, _) | (Credential::Issued, None) => {}
        }
        let target = match &self.target {
            Target::Fixed(target) => target.clone(),
            Target::Created => known
                .location
                .clone()
                .unwrap_or_else(|| "/api/transactions/9007199254740991".to_owned()),
        };
        Request {
            method: self.method,
            target,
            address: self.address.clone(),
            headers,
            body: self.body.clone(),
            chunked: self.chunked,
        }
    }
}

impl Request {
    /// The command line that sends it.
    pub(crate) fn curl(&self) -> String {
        let quoted = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            format!("'{}'", text.replace('\'', r"'\''"))
        };
        let mut line = format!(
            "curl --path-as-is -X {} -H {}",
            self.method,
            quoted(format!("CF-Connecting-IP: {}", self.address).as_bytes())
        );
        for (name, value) in &self.headers {
            let header = [name.as_bytes(), b": ", value].concat();
            write!(line, " -H {}", quoted(&header)).expect("a String takes anything");
        }
        if self.chunked {
            line += " -H 'Transfer-Encoding: chunked'";
        }
        if !self.body.is_empty() {
            if self.body.len() > 1_000 {
                let shown = quoted(&self.body[..60]);
                write!(line, " --data-binary {shown}… # {} bytes", self.body.len())
            } else {
                write!(line, " --data-binary {}", quoted(&self.body))
            }
            .expect("a String takes anything");
        }
        write!(line, " \"$URL\"{}", quoted(self.target.as_bytes()))
            .expect("a String takes anything");
        line
    }
}
