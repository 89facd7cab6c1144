//! Uploads of SQL to import, and downloads of exports.
//!
//! Production hands out signed URLs of its object storage. Here the URL has an unguessable name, which authorises the
//! request instead of the token: an upload's name serves one upload, an export's any number of downloads within an
//! hour. They are in memory only.

use super::answer::Answer;
use crate::kernel::time::Instant;
use crate::limits::api::ApiError;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use md5::{Digest, Md5};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

/// How long a name is valid. WRANGLER 4.164.0 says so of an export: "This link will be valid for one hour".
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The maximum number of names; the oldest is removed first: an abandoned upload must not hold memory for ever.
const MOST: usize = 16;

/// A request for one of these names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferCall {
    /// SQL comes.
    Upload {
        /// The name.
        name: String,
        /// The SQL.
        body: Bytes,
    },
    /// SQL is fetched.
    Download {
        /// The name.
        name: String,
    },
}

/// The meaning of a name.
#[derive(Debug)]
enum Content {
    /// A place for SQL to upload, for this database.
    Awaited { database: String },
    /// SQL that was uploaded.
    Uploaded {
        database: String,
        etag: String,
        sql: Bytes,
    },
    /// SQL to download.
    Export { sql: Bytes },
}

#[derive(Debug)]
struct Transfer {
    name: String,
    until: Instant,
    content: Content,
}

/// The names that are valid now, oldest first.
#[derive(Debug, Default)]
pub(super) struct Transfers(RefCell<VecDeque<Transfer>>);

impl Transfers {
    /// A name for an upload to a database.
    pub(super) fn await_upload(&self, now: Instant, database: &str) -> Result<String, ApiError> {
        let database = database.to_owned();
        self.add(now, Content::Awaited { database })
    }

    /// A name for an export.
    pub(super) fn export(&self, now: Instant, sql: String) -> Result<String, ApiError> {
        self.add(now, Content::Export { sql: sql.into() })
    }

    /// Whether a path has a name that is valid now.
    pub(super) fn know(&self, now: Instant, path: &str) -> bool {
        let transfers = self.0.borrow();
        transfers.iter().any(|transfer| {
            transfer.until > now && path.split('/').any(|part| part == transfer.name)
        })
    }

    /// Takes what was uploaded under a name for this database; `None` if there is none with this checksum.
    pub(super) fn take_upload(&self, name: &str, wanted: &str, checksum: &str) -> Option<Bytes> {
        let mut transfers = self.0.borrow_mut();
        let place = transfers.iter().position(|transfer| {
            let Content::Uploaded { database, etag, .. } = &transfer.content else {
                return false;
            };
            transfer.name == name && database == wanted && etag.eq_ignore_ascii_case(checksum)
        })?;
        match transfers.remove(place)?.content {
            Content::Uploaded { sql, .. } => Some(sql),
            _ => None,
        }
    }

    fn add(&self, now: Instant, content: Content) -> Result<String, ApiError> {
        let mut transfers = self.0.borrow_mut();
        transfers.retain(|transfer| transfer.until > now);
        if transfers.len() >= MOST {
            transfers.pop_front();
        }
        let name = random_name()?;
        transfers.push_back(Transfer {
            name: name.clone(),
            until: now + LIFETIME,
            content,
        });
        Ok(name)
    }

    pub(super) fn run(&self, now: Instant, call: TransferCall) -> Result<Answer, ApiError> {
        let (TransferCall::Upload { name, .. } | TransferCall::Download { name }) = &call;
        let mut transfers = self.0.borrow_mut();
        let found = transfers
            .iter_mut()
            .find(|transfer| transfer.name == *name && transfer.until > now)
            .ok_or_else(unknown)?;
        match (call, &mut found.content) {
            (TransferCall::Upload { body, .. }, content @ Content::Awaited { .. }) => {
                let etag = md5(&body);
                let quoted = HeaderValue::from_str(&format!("\"{etag}\""));
                let header = (ETAG, quoted.expect("hexadecimal digits"));
                let Content::Awaited { database } = content else {
                    return Err(unknown());
                };
                *content = Content::Uploaded {
                    database: std::mem::take(database),
                    etag,
                    sql: body,
                };
                Ok(Answer::Raw {
                    headers: vec![header],
                    body: Bytes::new(),
                })
            }
            (TransferCall::Download { .. }, Content::Export { sql }) => {
                let kind = HeaderValue::from_static("application/sql");
                Ok(Answer::Raw {
                    headers: vec![(CONTENT_TYPE, kind)],
                    body: sql.clone(),
                })
            }
            _ => Err(unknown()),
        }
    }
}

/// The answer to a name that is not valid, or no longer.
pub(super) fn unknown() -> ApiError {
    ApiError::other(404, "no upload or export has this name any more")
}

/// The checksum by which wrangler and the API identify a file.
fn md5(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// 128 bits from the operating system's random source: the world's own can be predicted from its seed.
#[expect(
    clippy::disallowed_methods,
    reason = "a name that stands for a token must not follow from a seed"
)]
fn random_name() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|problem| ApiError::other(500, format!("no entropy for a name: {problem}")))?;
    Ok(hex(&bytes))
}
