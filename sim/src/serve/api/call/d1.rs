//! What a request asks of D1.

use super::incoming::{Incoming, Paging};
use crate::limits::api::ApiError;
use crate::serve::percent::decoded;
use edgeproof_sqlite::Value;
use serde::Deserialize;

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
    /// Create a database.
    Create {
        /// Its name.
        name: String,
    },
    /// An operation on one database.
    In {
        /// Its UUID or its name.
        database: String,
        /// The operation.
        what: InDatabase,
    },
}

/// An operation on one database.
#[derive(Debug, Clone, PartialEq)]
pub enum InDatabase {
    /// Read its properties.
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
    /// Run the SQL that was uploaded.
    ImportIngest {
        /// The name under which it was uploaded.
        filename: String,
        /// Its MD5.
        etag: String,
    },
    /// Ask for the progress of an import.
    ImportPoll {
        /// The bookmark that the answer before gave.
        bookmark: String,
    },
    /// Export the database as SQL.
    Export {
        /// Without the schema.
        no_schema: bool,
        /// Without the rows.
        no_data: bool,
        /// Only these tables; all if the list is empty.
        tables: Vec<String>,
    },
    /// Time Travel, which is not modelled.
    TimeTravel,
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
    pub(super) fn create_database(&self) -> Result<D1Call, ApiError> {
        let Name { name } = self.json(7400)?;
        if name.is_empty() {
            return Err(ApiError::invalid_property("name", "Required"));
        }
        Ok(D1Call::Create { name })
    }

    pub(super) fn in_database(
        &self,
        database: &str,
        rest: &[&str],
        path: &str,
    ) -> Result<D1Call, ApiError> {
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
        Ok(D1Call::In { database, what })
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
