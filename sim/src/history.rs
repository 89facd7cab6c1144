//! What happened in a run: one typed [`Record`] per operation.
//!
//! The world writes records when it was built with a history; checks, reports and people read them. A check never sees
//! the world itself, so a record must say everything it needs to judge a run: what an operation did and returned, what
//! caused it, and which operations never ended. Records are in order of their `end`; those that never ended (a hung
//! fetch, a request cut off by the end of the run) come last.
//!
//! Values of KV, of an object's storage and of bodies appear as a [`Digest`]; parameters and rows of SQL as they are, and
//! they may be private: [`History::to_json_lines`], which prints one record per line, is for other tools and not for a log.

use crate::kernel::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, in virtual time.
pub type Nanos = u64;

/// A digest of a value: equal bytes give equal digests, and different bytes different ones but for chance (64 bits).
pub type Digest = Fingerprint;

/// Who performed an operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A client of the Worker, by the number the world gave it.
    Client(u32),
    /// One invocation of the Worker, by its number in the run.
    Invocation(u64),
    /// A Durable Object: class and 64-digit hexadecimal id.
    Object {
        /// Class name, as in the Worker's configuration.
        class: String,
        /// The object's id, 64 hexadecimal digits.
        id: String,
    },
    /// The platform itself: evictions, faults, alarms being scheduled.
    Platform,
}

/// A version of a KV entry: its place in the order in which the central store took the writes.
///
/// 0 stands for "never written".
pub type KvVersion = u64;

/// A statement of SQL and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SqlCall {
    /// The text.
    pub sql: String,
    /// The bound values in order; a blob is an object `{"blob": "<hexadecimal digits>"}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<serde_json::Value>,
}

/// The rows that a statement of SQL returned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SqlRows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows, with cells as in [`SqlCall::parameters`].
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Rows inserted, updated or deleted.
    pub changes: u64,
}

/// What an object did with its storage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "storage", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StorageCall {
    /// `get` of one key.
    Get {
        /// The key.
        key: String,
    },
    /// `put` of one key.
    Put {
        /// The key.
        key: String,
        /// Size of the value as it is stored.
        bytes: u64,
        /// Digest of the value.
        value_digest: Digest,
    },
    /// `delete` of one key.
    Delete {
        /// The key.
        key: String,
    },
    /// `deleteAll`.
    DeleteAll,
    /// `list`.
    List {
        /// The prefix asked for.
        prefix: String,
    },
    /// `sql.exec`.
    Sql {
        /// The statement.
        #[serde(flatten)]
        call: SqlCall,
    },
    /// `getAlarm`.
    GetAlarm,
    /// `setAlarm` or `deleteAlarm`.
    SetAlarm {
        /// When, in milliseconds since the Unix epoch; `None` deletes it.
        alarm_ms: Option<u64>,
    },
    /// `transaction` begins.
    Begin,
    /// `transaction` ends.
    End {
        /// Whether its writes stay.
        keep: bool,
    },
}

/// What was done. In JSON an operation and its outcome stand in one object, so no field of one has the name of a field of
/// the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Op {
    /// A client's HTTP request, from sending to the last byte of the answer.
    Request {
        /// HTTP method.
        method: String,
        /// Path without query.
        path: String,
        /// The client's address, as `CF-Connecting-IP` gave it.
        ip: String,
    },
    /// `get` of one KV key.
    KvGet {
        /// Binding name of the namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The cacheTtl asked for, in seconds.
        cache_ttl_seconds: u64,
    },
    /// `put` of one KV key.
    KvPut {
        /// Binding name of the namespace.
        namespace: String,
        /// The key.
        key: String,
        /// Size of the value.
        bytes: u64,
        /// Digest of the value.
        #[serde(default)]
        value_digest: Digest,
        /// When the value expires, in seconds since the Unix epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expiration_seconds: Option<u64>,
    },
    /// `delete` of one KV key.
    KvDelete {
        /// Binding name of the namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// `list` of a KV namespace.
    KvList {
        /// Binding name of the namespace.
        namespace: String,
        /// The prefix asked for.
        #[serde(default)]
        prefix: String,
    },
    /// A call of a Durable Object through a stub.
    ObjectCall {
        /// Class of the object.
        class: String,
        /// Id of the object, hexadecimal.
        id: String,
        /// Path of the request.
        path: String,
    },
    /// An object's instance was made (constructor ran).
    ObjectStart {
        /// Class of the object.
        class: String,
        /// Id of the object, hexadecimal.
        id: String,
    },
    /// An object's instance was thrown away; its storage stays.
    ObjectStop {
        /// Class of the object.
        class: String,
        /// Id of the object, hexadecimal.
        id: String,
        /// `idle`, or the text of the reset.
        reason: String,
    },
    /// An alarm handler ran.
    Alarm {
        /// Class of the object.
        class: String,
        /// Id of the object, hexadecimal.
        id: String,
        /// 0 for the first try.
        retry: u32,
    },
    /// An object's call of its own storage.
    Storage {
        /// Class of the object.
        class: String,
        /// Id of the object, hexadecimal.
        id: String,
        /// What it did.
        #[serde(flatten)]
        call: StorageCall,
    },
    /// One call of D1: a query, an exec or a batch.
    D1 {
        /// Binding name of the database.
        database: String,
        /// The texts of the statements.
        sql: Vec<String>,
        /// The bound values of each, as in [`SqlCall::parameters`].
        #[serde(default)]
        parameters: Vec<Vec<serde_json::Value>>,
    },
    /// An outbound fetch.
    Fetch {
        /// HTTP method.
        method: String,
        /// Host name, without path or query: those may hold secrets.
        host: String,
    },
    /// A call of a rate limiter.
    RateLimit {
        /// Binding name of the limiter.
        limiter: String,
        /// The key that it counts.
        key: String,
    },
    /// A scheduled (cron) invocation.
    Scheduled {
        /// The cron expression.
        cron: String,
    },
    /// A Worker got new code.
    Deploy {
        /// Its name.
        worker: String,
        /// Number of the code, from 1.
        code_version: u32,
    },
    /// An isolate started.
    IsolateStart,
    /// An isolate was evicted.
    IsolateStop,
    /// A fault began; its text says how long it lasts. Its end has no record.
    Fault {
        /// The fault as it is printed.
        kind: String,
    },
    /// A console line of the Worker.
    Console {
        /// `log`, `debug`, `warn`, `error`.
        level: String,
        /// The text.
        text: String,
    },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It ended and has no further result.
    Done,
    /// It has not ended: its actor was cut off, or the run was.
    Unfinished,
    /// An HTTP answer.
    Status {
        /// The status code.
        status: u16,
    },
    /// An HTTP answer whose connection ended before its body did.
    Broken {
        /// The status code.
        status: u16,
    },
    /// What a KV read returned.
    KvRead {
        /// The version returned; `None` for a miss (404) of a key that was never written or whose last write is a delete.
        version: Option<KvVersion>,
        /// When that state was read from the central store; the age of the answer is `end - fetched_at`.
        fetched_at: Nanos,
        /// Whether the PoP's cache answered.
        cached: bool,
        /// Digest of the value returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
    },
    /// The keys that a list of KV returned.
    KvListed {
        /// The keys, in order.
        keys: Vec<String>,
        /// Whether there are no more.
        complete: bool,
    },
    /// A KV write or delete that the central store took.
    KvWritten {
        /// The version it made.
        version: KvVersion,
        /// When the central store took it.
        committed_at: Nanos,
    },
    /// What a D1 call cost.
    D1 {
        /// Rows scanned.
        rows_read: u64,
        /// Rows (and index entries) written.
        rows_written: u64,
        /// What each statement returned.
        #[serde(default)]
        results: Vec<SqlRows>,
    },
    /// What a call of an object's storage returned and cost.
    Stored {
        /// Digest of the value that was read; `None` for a key without one, and for a call that returns none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Digest>,
        /// The keys of a list, in order, each with the digest of its value.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<(String, Digest)>,
        /// The rows of SQL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<SqlRows>,
        /// Rows read, as billed.
        rows_read: u64,
        /// Rows written, as billed.
        rows_written: u64,
    },
    /// What a rate limiter answered.
    RateLimited {
        /// Whether the call was within the limit.
        within: bool,
    },
    /// A failure, with the text that the Worker saw.
    Error {
        /// The exact message.
        message: String,
    },
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the record in its run, in order of `start`; from 1.
    #[serde(default)]
    pub number: u64,
    /// Number of the record that caused it: the client's request for what a Worker does to answer it, the call of an
    /// object for what the object does, the `setAlarm` for the alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// Whether it is the second copy of a message that a fault doubled. Its cause is the record of the first copy; the
    /// platform is its actor, in no PoP, because its answer is discarded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// When it began.
    pub start: Nanos,
    /// When the actor learned its outcome; the end of the run, if it never did.
    pub end: Nanos,
    /// IATA code of the actor's PoP.
    pub pop: String,
    /// The isolate that ran the actor, if one did.
    pub isolate: Option<u32>,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    #[serde(flatten)]
    pub op: Op,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All records of a run, in order of their `end`; those that never ended come last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    records: Vec<Record>,
}

impl History {
    /// Appends a record.
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The records, in order of their `end`; those that never ended come last.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// One JSON object per line, in the order of [`records`](Self::records).
    pub fn to_json_lines(&self) -> String {
        let mut text = String::new();
        for record in &self.records {
            text.push_str(&serde_json::to_string(record).expect("a record holds only plain data"));
            text.push('\n');
        }
        text
    }

    /// Reads what [`to_json_lines`](Self::to_json_lines) printed.
    ///
    /// # Errors
    /// The first line that is not a record, with serde's reason.
    pub fn from_json_lines(text: &str) -> Result<Self, serde_json::Error> {
        let records = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        Ok(Self { records })
    }
}

impl FromIterator<Record> for History {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        Self {
            records: records.into_iter().collect(),
        }
    }
}
