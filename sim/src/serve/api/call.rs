//! What a request asks for: method, path, query, headers and body made a [`Call`], or the error that it gets.
//!
//! [`parse`] is pure and total: any bytes give a call or an error, and nothing is looked up or changed. It is what a fuzzer should
//! drive.

pub use super::transfer::TransferCall;
use super::{BASE, multipart, text};
use crate::limits::{self, api, api::ApiError};
use crate::serve::percent::decoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use edgeproof_sqlite::Value;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Where SQL to import is uploaded.
pub(super) const IMPORT: &str = "/d1-import/";
/// Where exported SQL is downloaded.
pub(super) const EXPORT: &str = "/d1-export/";

/// A request that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Something of Workers KV.
    Kv(KvCall),
    /// Something of D1.
    D1(D1Call),
    /// An upload or a download.
    Transfer(TransferCall),
    /// The deployed Worker's bindings.
    Settings {
        /// Name of the Worker.
        script: String,
    },
}

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Number of the page, from 1.
    pub page: u64,
    /// Items on a page.
    pub per_page: u64,
}

/// How namespaces are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By title, and not by id.
    pub by_title: bool,
    /// Backwards.
    pub descending: bool,
}

/// A pair of a bulk write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// Metadata as JSON text.
    pub metadata: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub expiration: Option<u64>,
    /// In how many seconds it expires; beats `expiration`.
    pub expiration_ttl: Option<u64>,
}

/// A call of Workers KV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvCall {
    /// List namespaces.
    Namespaces {
        /// Which of them.
        paging: Paging,
        /// In what order.
        order: Order,
    },
    /// Make a namespace.
    Create {
        /// Its title.
        title: String,
    },
    /// Something with one namespace.
    In {
        /// Its id.
        namespace: String,
        /// What.
        what: InNamespace,
    },
}

/// What is done with one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InNamespace {
    /// Look at it.
    Get,
    /// Give it a new title.
    Rename {
        /// The title.
        title: String,
    },
    /// Delete it.
    Delete,
    /// List keys.
    Keys {
        /// What they begin with.
        prefix: String,
        /// After which key the list goes on.
        cursor: Option<String>,
        /// How many at most.
        limit: u64,
    },
    /// Read a value.
    Value {
        /// Its key.
        key: String,
    },
    /// Read the metadata of a value.
    Metadata {
        /// Its key.
        key: String,
    },
    /// Write one pair.
    Put(Pair),
    /// Delete a key.
    DeleteValue {
        /// The key.
        key: String,
    },
    /// Write many pairs.
    BulkPut(Vec<Pair>),
    /// Delete many keys.
    BulkDelete(Vec<String>),
    /// Read many values.
    BulkGet {
        /// Their keys.
        keys: Vec<String>,
        /// As JSON, and not as text.
        json: bool,
        /// With their metadata.
        with_metadata: bool,
    },
}

/// A statement with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    /// One statement, or several without parameters.
    pub sql: String,
    /// The parameters.
    pub parameters: Vec<Value>,
}

/// A call of D1.
#[derive(Debug, Clone, PartialEq)]
pub enum D1Call {
    /// List databases.
    Databases {
        /// Only the one of this name.
        name: Option<String>,
        /// Which of them.
        paging: Paging,
    },
    /// Make a database.
    Create {
        /// Its name.
        name: String,
    },
    /// Something with one database.
    In {
        /// Its UUID or its name.
        database: String,
        /// What.
        what: InDatabase,
    },
}

/// What is done with one database.
#[derive(Debug, Clone, PartialEq)]
pub enum InDatabase {
    /// Look at it.
    Get {
        /// Only these of its properties.
        fields: Option<Vec<String>>,
    },
    /// Delete it.
    Delete,
    /// Run SQL.
    Query {
        /// As one transaction.
        statements: Vec<Sql>,
        /// Rows as arrays, and not as objects.
        raw: bool,
    },
    /// Ask for a place to upload SQL to.
    ImportInit {
        /// MD5 of the SQL.
        etag: String,
    },
    /// Run what was uploaded.
    ImportIngest {
        /// The name under which it was uploaded.
        filename: String,
        /// Its MD5.
        etag: String,
    },
    /// Ask how far an import is.
    ImportPoll {
        /// The bookmark that the answer before gave.
        bookmark: String,
    },
    /// Write the database down as SQL.
    Export {
        /// Without the schema.
        no_schema: bool,
        /// Without the rows.
        no_data: bool,
        /// Only these tables; all if there is none.
        tables: Vec<String>,
    },
    /// Time Travel, which is not modelled.
    TimeTravel,
}

/// Whether a request is one that an unguessable name stands for, and not the token.
pub(super) fn is_transfer(target: &str) -> bool {
    target.starts_with(IMPORT) || target.starts_with(EXPORT)
}

/// Reads a request. `target` is its path and query as they came, percent-encoding and all.
///
/// # Errors
/// No such route or method, a path, query or body that is not what the route takes: as the API would answer.
pub fn parse(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Call, ApiError> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Incoming {
        method,
        query: url::form_urlencoded::parse(query.as_bytes()).collect(),
        headers,
        body,
    };
    if is_transfer(path) {
        return request
            .transfer(path)
            .ok_or_else(|| ApiError::no_route(path));
    }
    let rest = path
        .strip_prefix(BASE)
        .and_then(|rest| rest.strip_prefix("/accounts/"))
        .ok_or_else(|| ApiError::no_route(path))?;
    let segments: Vec<&str> = rest.split('/').collect();
    let method = request.method.as_str();
    // The first segment is the account, which may be called anything.
    match (method, segments.as_slice()) {
        ("GET", [_, "storage", "kv", "namespaces"]) => request.namespaces(),
        ("POST", [_, "storage", "kv", "namespaces"]) => Ok(Call::Kv(KvCall::Create {
            title: request.title()?,
        })),
        (_, [_, "storage", "kv", "namespaces", namespace, rest @ ..]) => {
            request.in_namespace(namespace, rest, path)
        }
        ("GET", [_, "d1", "database"]) => Ok(Call::D1(D1Call::Databases {
            name: request.parameter("name").map(str::to_owned),
            paging: request.paging(100, 10_000)?,
        })),
        ("POST", [_, "d1", "database"]) => request.create_database(),
        (_, [_, "d1", "database", database, rest @ ..]) => {
            request.in_database(database, rest, path)
        }
        ("GET", [_, "workers", "scripts", script, "settings"]) => Ok(Call::Settings {
            script: decoded(script).ok_or_else(|| ApiError::no_route(path))?,
        }),
        (_, [_, "storage", "kv", "namespaces"] | [_, "d1", "database"]) => {
            Err(ApiError::no_method())
        }
        _ => Err(ApiError::no_route(path)),
    }
}

/// A request, taken apart.
struct Incoming<'a> {
    method: &'a Method,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    headers: &'a HeaderMap,
    body: Bytes,
}

#[derive(Deserialize)]
struct Title {
    title: String,
}

#[derive(Deserialize)]
struct SavedPair {
    key: String,
    value: String,
    #[serde(default)]
    base64: bool,
    metadata: Option<serde_json::Value>,
    expiration: Option<serde_json::Number>,
    expiration_ttl: Option<serde_json::Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BulkGet {
    keys: Vec<String>,
    r#type: Option<String>,
    #[serde(default)]
    with_metadata: bool,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct Statement {
    sql: String,
    #[serde(default)]
    params: Option<Vec<serde_json::Value>>,
}

/// One statement, or a batch of them.
#[derive(Deserialize)]
struct Query {
    sql: Option<String>,
    #[serde(default)]
    params: Option<Vec<serde_json::Value>>,
    batch: Option<Vec<Statement>>,
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum Import {
    Init { etag: String },
    Ingest { filename: String, etag: String },
    Poll { current_bookmark: Option<String> },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DumpOptions {
    no_schema: Option<bool>,
    no_data: Option<bool>,
    tables: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Export {
    output_format: String,
    dump_options: Option<DumpOptions>,
}

impl Incoming<'_> {
    fn parameter(&self, wanted: &str) -> Option<&str> {
        let mut query = self.query.iter();
        let (_, value) = query.find(|(name, _)| name == wanted)?;
        Some(value)
    }

    /// A parameter that is a number, if it is there.
    fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let wrong = |value: &str| {
            let text = format!("{name}={value}: a whole number was expected");
            ApiError::other(400, text)
        };
        self.parameter(name)
            .map(|value| value.parse().map_err(|_| wrong(value)))
            .transpose()
    }

    fn paging(&self, per_page: u64, most: u64) -> Result<Paging, ApiError> {
        let page = self.number("page")?.unwrap_or(1);
        let per_page = self.number("per_page")?.unwrap_or(per_page);
        if page == 0 || per_page == 0 || per_page > most {
            let text = format!("page must be at least 1, and per_page from 1 to {most}");
            return Err(ApiError::other(400, text));
        }
        Ok(Paging { page, per_page })
    }

    fn json<T: DeserializeOwned>(&self, code: u32) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|problem| ApiError::new(400, code, format!("the request's body: {problem}")))
    }

    // --- KV --------------------------------------------------------------------------------------------------------

    fn namespaces(&self) -> Result<Call, ApiError> {
        let by_title = match self.parameter("order") {
            None | Some("id" | "") => false,
            Some("title") => true,
            Some(other) => {
                let text = format!("order={other}: id or title was expected");
                return Err(ApiError::other(400, text));
            }
        };
        let descending = match self.parameter("direction") {
            None | Some("asc" | "") => false,
            Some("desc") => true,
            Some(other) => {
                let text = format!("direction={other}: asc or desc was expected");
                return Err(ApiError::other(400, text));
            }
        };
        Ok(Call::Kv(KvCall::Namespaces {
            // The reference of the API says 20 by default, and wrangler asks for 1000.
            paging: self.paging(20, 1_000)?,
            order: Order {
                by_title,
                descending,
            },
        }))
    }

    fn title(&self) -> Result<String, ApiError> {
        let Title { title } = self.json(api::OTHER)?;
        if title.is_empty() || title.len() > api::TITLE_BYTES {
            let most = api::TITLE_BYTES;
            let text = format!("a namespace's title has from 1 to {most} bytes");
            return Err(ApiError::other(400, text));
        }
        Ok(title)
    }

    fn in_namespace(&self, namespace: &str, rest: &[&str], path: &str) -> Result<Call, ApiError> {
        let namespace = decoded(namespace)
            .filter(|id| !id.is_empty())
            .ok_or_else(|| ApiError::no_route(path))?;
        let what = match (self.method.as_str(), rest) {
            ("GET", []) => InNamespace::Get,
            ("PUT", []) => InNamespace::Rename {
                title: self.title()?,
            },
            ("DELETE", []) => InNamespace::Delete,
            ("GET", ["keys"]) => self.keys()?,
            ("GET", ["values", key]) => InNamespace::Value {
                key: decoded_key(key)?,
            },
            ("PUT", ["values", key]) => InNamespace::Put(self.pair(decoded_key(key)?)?),
            ("DELETE", ["values", key]) => InNamespace::DeleteValue {
                key: decoded_key(key)?,
            },
            ("GET", ["metadata", key]) => InNamespace::Metadata {
                key: decoded_key(key)?,
            },
            ("PUT", ["bulk"]) => InNamespace::BulkPut(self.pairs()?),
            ("DELETE", ["bulk"]) | ("POST", ["bulk", "delete"]) => {
                let keys: Vec<String> = self.json(api::OTHER)?;
                check_bulk(keys.len())?;
                InNamespace::BulkDelete(keys)
            }
            ("POST", ["bulk", "get"]) => self.bulk_get()?,
            (
                _,
                [] | ["keys" | "bulk"] | ["values" | "metadata", _] | ["bulk", "delete" | "get"],
            ) => {
                return Err(ApiError::no_method());
            }
            _ => return Err(ApiError::no_route(path)),
        };
        Ok(Call::Kv(KvCall::In { namespace, what }))
    }

    fn keys(&self) -> Result<InNamespace, ApiError> {
        let limit = self.number("limit")?.unwrap_or(*api::KEYS_LIMIT.end());
        if !api::KEYS_LIMIT.contains(&limit) {
            return Err(ApiError::keys_limit(limit));
        }
        let cursor = self.parameter("cursor").filter(|cursor| !cursor.is_empty());
        let read = |cursor: &str| {
            let bytes = STANDARD.decode(cursor).ok()?;
            String::from_utf8(bytes).ok()
        };
        let wrong = || ApiError::other(400, "the cursor is none that a list of keys gave");
        Ok(InNamespace::Keys {
            prefix: self.parameter("prefix").unwrap_or_default().to_owned(),
            cursor: cursor
                .map(|cursor| read(cursor).ok_or_else(wrong))
                .transpose()?,
            limit,
        })
    }

    /// What a `PUT` of one value says: the bare value, or a form of it and its metadata.
    fn pair(&self, key: String) -> Result<Pair, ApiError> {
        let content_type = self.headers.get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("");
        let is_form = content_type
            .get(..19)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"));
        let (value, metadata) = if is_form {
            let wrong = |problem: &str| ApiError::other(400, format!("put: '{problem}'"));
            let boundary = multipart::boundary(content_type)
                .ok_or_else(|| wrong("the form's Content-Type names no boundary"))?;
            let parts = multipart::parts(&self.body, &boundary).map_err(wrong)?;
            let part = |wanted| parts.iter().find(|(name, _)| name == wanted);
            let (_, value) = part("value").ok_or_else(|| wrong("the form has no part `value`"))?;
            let metadata = part("metadata")
                .map(|(_, metadata)| text(metadata, "the metadata"))
                .transpose()?;
            (value.clone(), metadata)
        } else {
            (self.body.clone(), None)
        };
        let metadata = metadata
            .map(|metadata| {
                serde_json::from_str(&metadata)
                    .map_err(|problem| ApiError::other(400, format!("the metadata: {problem}")))
            })
            .transpose()?;
        Ok(Pair {
            key,
            value,
            metadata: metadata.and_then(metadata_text),
            expiration: self.time("expiration")?,
            expiration_ttl: self.time("expiration_ttl")?,
        })
    }

    fn time(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.parameter(name)
            .map(|value| value.parse().map_err(|_| wrong_time(name, value)))
            .transpose()
    }

    fn pairs(&self) -> Result<Vec<Pair>, ApiError> {
        let saved: Vec<SavedPair> = self.json(api::OTHER)?;
        check_bulk(saved.len())?;
        let pair = |saved: SavedPair| {
            let value = if saved.base64 {
                STANDARD
                    .decode(&saved.value)
                    .map_err(|problem| ApiError::not_base64(&saved.key, &problem.to_string()))?
            } else {
                saved.value.into_bytes()
            };
            let time = |name: &str, number: Option<serde_json::Number>| {
                number
                    .map(|number| whole(&number).ok_or_else(|| wrong_time(name, &number)))
                    .transpose()
            };
            Ok(Pair {
                key: saved.key,
                value: value.into(),
                metadata: saved.metadata.and_then(metadata_text),
                expiration: time("expiration", saved.expiration)?,
                expiration_ttl: time("expiration_ttl", saved.expiration_ttl)?,
            })
        };
        saved.into_iter().map(pair).collect()
    }

    fn bulk_get(&self) -> Result<InNamespace, ApiError> {
        let asked: BulkGet = self.json(api::OTHER)?;
        let json = match asked.r#type.as_deref() {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => {
                return Err(ApiError::other(400, limits::kv::bulk_get_type(other)));
            }
        };
        let text = match asked.keys.len() {
            0 => limits::kv::BULK_GET_NO_KEYS.to_owned(),
            count if count > limits::kv::BULK_GET_KEYS => limits::kv::bulk_get_too_many(),
            _ => {
                return Ok(InNamespace::BulkGet {
                    keys: asked.keys,
                    json,
                    with_metadata: asked.with_metadata,
                });
            }
        };
        Err(ApiError::other(400, text))
    }

    // --- D1 --------------------------------------------------------------------------------------------------------

    fn create_database(&self) -> Result<Call, ApiError> {
        let Name { name } = self.json(7400)?;
        if name.is_empty() {
            return Err(ApiError::invalid_property("name", "Required"));
        }
        Ok(Call::D1(D1Call::Create { name }))
    }

    fn in_database(&self, database: &str, rest: &[&str], path: &str) -> Result<Call, ApiError> {
        let database = decoded(database)
            .filter(|id| !id.is_empty())
            .ok_or_else(|| ApiError::no_route(path))?;
        let what = match (self.method.as_str(), rest) {
            ("GET", []) => {
                let fields = self.parameter("fields");
                let split = |fields: &str| fields.split(',').map(str::to_owned).collect();
                InDatabase::Get {
                    fields: fields.map(split),
                }
            }
            ("DELETE", []) => InDatabase::Delete,
            ("POST", ["query"]) => self.query(false)?,
            ("POST", ["raw"]) => self.query(true)?,
            ("POST", ["import"]) => match self.json(7400)? {
                Import::Init { etag } => InDatabase::ImportInit { etag },
                Import::Ingest { filename, etag } => InDatabase::ImportIngest { filename, etag },
                Import::Poll { current_bookmark } => InDatabase::ImportPoll {
                    bookmark: current_bookmark.unwrap_or_default(),
                },
            },
            ("POST", ["export"]) => {
                let export: Export = self.json(7400)?;
                if export.output_format != "polling" {
                    let problem = "Invalid literal value, expected \"polling\"";
                    return Err(ApiError::invalid_property("output_format", problem));
                }
                let options = export.dump_options.unwrap_or_default();
                InDatabase::Export {
                    no_schema: options.no_schema.unwrap_or(false),
                    no_data: options.no_data.unwrap_or(false),
                    tables: options.tables.unwrap_or_default(),
                }
            }
            ("GET", ["time_travel", "bookmark"]) | ("POST", ["time_travel", "restore"]) => {
                InDatabase::TimeTravel
            }
            (
                _,
                []
                | ["query" | "raw" | "import" | "export"]
                | ["time_travel", "bookmark" | "restore"],
            ) => {
                return Err(ApiError::no_method());
            }
            _ => return Err(ApiError::no_route(path)),
        };
        Ok(Call::D1(D1Call::In { database, what }))
    }

    fn query(&self, raw: bool) -> Result<InDatabase, ApiError> {
        let query: Query = self.json(7400)?;
        let statements = match (query.batch, query.sql) {
            (Some(batch), None) => batch,
            (None, Some(sql)) => vec![Statement {
                sql,
                params: query.params,
            }],
            (None, None) => return Err(ApiError::invalid_property("sql", "Required")),
            (Some(_), Some(_)) => {
                let problem = "Either sql or batch was expected, and not both";
                return Err(ApiError::invalid_property("batch", problem));
            }
        };
        let statement = |statement: Statement| {
            let parameters = statement.params.unwrap_or_default();
            let parameters = parameters.into_iter().map(parameter);
            Ok(Sql {
                sql: statement.sql,
                parameters: parameters.collect::<Result<_, _>>()?,
            })
        };
        let statements = statements.into_iter().map(statement);
        Ok(InDatabase::Query {
            statements: statements.collect::<Result<_, ApiError>>()?,
            raw,
        })
    }

    // --- transfers -------------------------------------------------------------------------------------------------

    fn transfer(&self, path: &str) -> Option<Call> {
        let call = match self.method.as_str() {
            "PUT" => TransferCall::Upload {
                name: path.strip_prefix(IMPORT)?.to_owned(),
                body: self.body.clone(),
            },
            // What follows the name is a file name, for whoever saves it.
            "GET" => TransferCall::Download {
                name: path.strip_prefix(EXPORT)?.split('/').next()?.to_owned(),
            },
            _ => return None,
        };
        Some(Call::Transfer(call))
    }
}

fn decoded_key(segment: &str) -> Result<String, ApiError> {
    decoded(segment).ok_or_else(|| ApiError::other(400, limits::kv::SERVICE_KEY_UNDECODABLE))
}

fn check_bulk(count: usize) -> Result<(), ApiError> {
    let most = api::BULK_KEYS;
    if count <= most {
        return Ok(());
    }
    let text = format!("{count} keys in one request, and {most} are the most");
    Err(ApiError::other(400, text))
}

/// What is no number counts as 0 (SDK 2026-08-22, miniflare's validator).
fn wrong_time(name: &str, value: impl std::fmt::Display) -> ApiError {
    let text = if name == "expiration" {
        limits::kv::expiration_passed(value)
    } else {
        limits::kv::expiration_ttl_not_positive(value)
    };
    ApiError::other(400, text)
}

/// A number that is whole, however it is written.
fn whole(number: &serde_json::Number) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and below 2^53"
    )]
    let float = |float: f64| {
        let exact = (0.0..9_007_199_254_740_992.0).contains(&float) && float.fract() == 0.0;
        exact.then_some(float as u64)
    };
    number.as_u64().or_else(|| number.as_f64().and_then(float))
}

/// Metadata as a Worker gets it; JSON's `null` stands for none.
fn metadata_text(metadata: serde_json::Value) -> Option<String> {
    (!metadata.is_null()).then(|| metadata.to_string())
}

/// A parameter of SQL, as the binding would send it.
fn parameter(json: serde_json::Value) -> Result<Value, ApiError> {
    use serde_json::Value as Json;
    let wrong = || {
        let problem = "Expected string, number, boolean, null or an array of bytes";
        ApiError::invalid_property("params", problem)
    };
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Integer(i64::from(truth)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(float)) => Value::Real(float),
            (None, None) => return Err(wrong()),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(bytes) => {
            let byte = |byte: &Json| u8::try_from(byte.as_u64()?).ok();
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            Value::Blob(bytes.ok_or_else(wrong)?)
        }
        Json::Object(_) => return Err(wrong()),
    })
}
