//! D1, the SQL database. The database is here; its statements, parameters, results and errors are in `d1/`.

mod argument;
mod error;
mod macros;
mod result;
mod statement;

pub use argument::{D1Argument, D1PreparedArgument, D1Type};
pub use error::D1Error;
pub use result::{D1Result, D1ResultMeta};
pub use serde_wasm_bindgen;
pub use statement::D1PreparedStatement;

use crate::Result;
use crate::js::thrown;
use crate::wasm_bindgen::JsValue;
use edgeproof_sim::Bindings;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::limits;
use edgeproof_sim::platform::d1::Call;
use result::milliseconds;

/// A D1 database.
#[derive(Debug)]
pub struct D1Database {
    database: u32,
}

impl D1Database {
    pub(crate) fn new(database: u32) -> Self {
        Self { database }
    }

    /// A statement; nothing is sent until it is run.
    pub fn prepare<T: Into<String>>(&self, query: T) -> D1PreparedStatement {
        D1PreparedStatement::new(self.database, query.into())
    }

    /// The error that the platform answers: only databases of D1's alpha could be dumped, and there are none any more. No time
    /// passes, and no query is counted.
    ///
    /// # Errors
    /// Always `D1_DUMP_ERROR`.
    pub async fn dump(&self) -> Result<Vec<u8>> {
        let (message, cause) = limits::d1::dump_refused();
        let mut refused = Exception::error(message);
        refused.cause = Some(cause);
        Err(D1Error::classify(thrown(refused)))
    }

    /// Runs statements in order, as one transaction.
    ///
    /// # Errors
    /// The first statement's that fails; nothing of the batch is kept then.
    pub async fn batch(&self, statements: Vec<D1PreparedStatement>) -> Result<Vec<D1Result>> {
        let statements = statements
            .into_iter()
            .map(D1PreparedStatement::into_raw)
            .collect();
        let results = Bindings::current()
            .d1_call(self.database, Call::Batch(statements))
            .await;
        let results = results.map_err(|failure| D1Error::classify(thrown(failure)))?;
        Ok(results.into_iter().map(D1Result::new).collect())
    }

    /// Runs a text, a statement per line.
    ///
    /// # Errors
    /// The first line's that fails.
    pub async fn exec(&self, query: &str) -> Result<D1ExecResult> {
        let results = Bindings::current()
            .d1_call(self.database, Call::Exec(query.into()))
            .await;
        let results = results.map_err(|failure| D1Error::classify(thrown(failure)))?;
        let duration = results.iter().map(milliseconds).sum();
        Ok(D1ExecResult {
            count: u32::try_from(results.len()).unwrap_or(u32::MAX),
            duration,
        })
    }
}

/// What [`D1Database::exec`] did.
#[derive(Debug, Clone)]
pub struct D1ExecResult {
    count: u32,
    duration: f64,
}

impl D1ExecResult {
    /// How many statements ran.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn count(&self) -> std::result::Result<Option<u32>, JsValue> {
        Ok(Some(self.count))
    }

    /// How long they took, in milliseconds.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn duration(&self) -> std::result::Result<Option<f64>, JsValue> {
        Ok(Some(self.duration))
    }
}
