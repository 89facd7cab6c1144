//! What happened in a run: one typed [`Record`] per finished operation.
//!
//! The world writes records when it was built with a history; checks, reports and people read them. A check never sees
//! the world itself, so whatever it needs to judge a run must stand here. Records are in order of their `end`; an
//! operation that never finished (a hung fetch, a request cut off by the end of the run) has no record.
//!
//! [`History::to_json_lines`] prints one record per line, for other tools.

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, in virtual time.
pub type Nanos = u64;

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

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
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
    /// One call of D1: a query, an exec or a batch.
    D1 {
        /// Binding name of the database.
        database: String,
        /// The statements, without their parameters.
        sql: Vec<String>,
    },
    /// An outbound fetch.
    Fetch {
        /// HTTP method.
        method: String,
        /// Host name, without path or query: those may hold secrets.
        host: String,
    },
    /// A scheduled (cron) invocation.
    Scheduled {
        /// The cron expression.
        cron: String,
    },
    /// An isolate started.
    IsolateStart,
    /// An isolate was evicted.
    IsolateStop,
    /// A fault began or ended.
    Fault {
        /// The fault as it stands in the list.
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
pub enum Outcome {
    /// Nothing more to say.
    Done,
    /// An HTTP answer.
    Status {
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
    },
    /// A failure, with the text that the Worker saw.
    Error {
        /// The exact message.
        message: String,
    },
}

/// One finished operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it began.
    pub start: Nanos,
    /// When its outcome was known to the actor.
    pub end: Nanos,
    /// IATA code of the PoP where the actor stands.
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

/// All records of a run, in order of their `end`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    records: Vec<Record>,
}

impl History {
    /// Appends a record.
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The records, in order of their `end`.
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
