//! Limits and errors of Cloudflare's REST API for KV and D1.
//!
//! Codes of the API are not published as a list. Those with a tag were seen: `OBS` in several unrelated public
//! repositories (answers recorded from the API, or printed by wrangler), `WRANGLER 4.164.0` in wrangler's own source.
//! [`OTHER`] stands where no source gives a code.

/// Pairs or keys of one bulk write or delete. Reference of the API, `kv/namespaces/bulk` 2026-10: 10,000.
pub const BULK_KEYS: usize = 10_000;
/// Size of one bulk write's request in bytes. Reference of the API, `kv/namespaces/bulk` 2026-10: 100 MB.
pub const BULK_BYTES: usize = 100_000_000;
/// Smallest and largest `limit` of a list of keys. Reference of the API, `kv/namespaces/keys` 2026-10; the text OBS 2026-10-09.
pub const KEYS_LIMIT: std::ops::RangeInclusive<u64> = 10..=1_000;
/// Length of a namespace's title in bytes. Reference of the API, `kv/namespaces` 2026-10: 512.
pub const TITLE_BYTES: usize = 512;

/// An error of the API: HTTP status, code, text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The number that wrangler prints as `[code: N]`.
    pub code: u32,
    /// What is wrong.
    pub message: String,
}

impl ApiError {
    /// An error.
    pub fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// An error for which no source gives a code.
    pub fn other(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, OTHER, message)
    }

    /// A wrong or missing token. OBS 2025-2026: code 10000, with 401 and with 403; here 401 without a token, 403 with a wrong one.
    pub fn authentication(status: u16) -> Self {
        Self::new(status, AUTHENTICATION, "Authentication error")
    }

    /// A path that does not exist. OBS 2022-2026, status 404.
    pub fn no_route(path: &str) -> Self {
        Self::new(
            404,
            7003,
            format!("Could not route to {path}, perhaps your object identifier is invalid?"),
        )
    }

    /// A method that a path does not have. OBS 2022-2026: code 10405, status 405.
    pub fn no_method() -> Self {
        Self::new(
            405,
            10_405,
            "Method not allowed for this authentication scheme",
        )
    }

    /// No namespace of this id, for any operation but a deletion. OBS 2026-10-09, status 404.
    pub fn no_namespace() -> Self {
        Self::new(404, 10_013, "get namespace: 'namespace not found'")
    }

    /// No namespace of this id, for a deletion. OBS 2026-09-29, status 404.
    pub fn no_namespace_to_delete() -> Self {
        Self::new(404, 10_013, "namespace not found")
    }

    /// No Worker of this name. OBS 2022-2026, status 404.
    pub fn no_worker() -> Self {
        Self::new(404, 10_007, "This Worker does not exist on your account.")
    }

    /// Two namespaces of one title. OBS 2026-04-02, status 400.
    pub fn title_taken() -> Self {
        Self::new(
            400,
            10_014,
            "a namespace with this account ID and title already exists",
        )
    }

    /// No such key; `operation` is `get` or `metadata`. OBS 2026-10-09, status 404.
    pub fn no_key(operation: &str) -> Self {
        Self::new(404, 10_009, format!("{operation}: 'key not found'"))
    }

    /// A `limit` outside [`KEYS_LIMIT`]. OBS 2026-10-09 for the lower end, status 400; the upper end's text is ours.
    pub fn keys_limit(limit: u64) -> Self {
        let text = if limit < *KEYS_LIMIT.start() {
            "limit argument must be at least 10"
        } else {
            "limit argument must be at most 1000"
        };
        Self::new(400, 10_028, text)
    }

    /// A value of a bulk write that claims to be Base64 and is not. OBS 2022-03-22 (workers-sdk#666).
    pub fn not_base64(key: &str, problem: &str) -> Self {
        Self::new(
            400,
            OTHER,
            format!(
                "bulk put: 'could not base64 decode value for key: \"{key}\", err: '{problem}''"
            ),
        )
    }

    /// No database of this id or name. OBS 2025-2026, status 404.
    pub fn no_database(name: &str) -> Self {
        Self::new(404, 7404, format!("The database {name} could not be found"))
    }

    /// Two databases of one name. Code: WRANGLER 4.164.0; text: OBS 2026, status 400.
    pub fn name_taken(name: &str) -> Self {
        Self::new(
            400,
            7502,
            format!("Database with name: '{name}' already exists"),
        )
    }

    /// As many databases as the plan allows. Code: WRANGLER 4.164.0; text: workers-sdk#2913.
    pub fn too_many_databases(limit: u32) -> Self {
        Self::new(
            400,
            7406,
            format!("System limit reached: databases per account ({limit})"),
        )
    }

    /// A property of a D1 call that is wrong. OBS 2026 for `databaseId`, status 400.
    pub fn invalid_property(property: &str, problem: &str) -> Self {
        Self::new(
            400,
            7400,
            format!("Invalid property: {property} => {problem}"),
        )
    }

    /// SQL that failed: the text is SQLite's. OBS 2025-2026, status 400.
    pub fn sql(message: impl Into<String>) -> Self {
        Self::new(400, D1, message)
    }
}

/// Code of a missing or wrong token. OBS 2025-2026.
pub const AUTHENTICATION: u32 = 10_000;
/// Code of every failure in a database. OBS 2025-2026.
pub const D1: u32 = 7500;
/// Code where no source gives one: the only code that KV was seen to return for input that it refuses (OBS 2022-03-22,
/// workers-sdk#666). Not 10000, which wrangler takes for a problem of the token.
pub const OTHER: u32 = 10_012;
