//! Steps inside `storage.transaction`.

use super::{sql, storage};
use crate::{Answer, answer, value};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use worker::{Delay, Error, SqlStorage, State, Transaction};

/// What a transaction does. A failing step is an answer, except for `throw` and those in `must`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// `get`.
    Get {
        /// The key.
        key: String,
    },
    /// `get` of many keys.
    GetMultiple {
        /// The keys.
        keys: Vec<String>,
    },
    /// `put` of a value as serde writes it.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Value,
    },
    /// `put` of what serde makes of a map: no struct.
    PutMultiple {
        /// Keys and values.
        values: Map<String, Value>,
    },
    /// `delete`.
    Delete {
        /// The key.
        key: String,
    },
    /// `delete` of many keys.
    DeleteMultiple {
        /// The keys.
        keys: Vec<String>,
    },
    /// `deleteAll`.
    DeleteAll,
    /// `list`.
    List(storage::List),
    /// `rollback`.
    Rollback,
    /// SQL of the object, which is part of the transaction.
    Sql(sql::Query),
    /// Waits on a timer.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Fails with a message.
    Throw {
        /// The message.
        message: String,
    },
    /// A step whose failure fails the transaction.
    Must {
        /// The step.
        step: Box<Step>,
    },
}

/// Runs a transaction: what its steps answered, and how it ended.
pub(super) async fn run(state: &State, steps: Vec<Step>) -> Answer {
    let answers = Rc::new(RefCell::new(Vec::new()));
    let recorded = Rc::clone(&answers);
    let sql = state.storage().sql();
    let storage = state.storage();
    let end = storage.transaction(move |transaction| async move {
        for mut step in steps {
            let mut ends = matches!(step, Step::Throw { .. });
            if let Step::Must { step: inner } = step {
                step = *inner;
                ends = true;
            }
            let result = one(&transaction, &sql, step).await;
            match result {
                Err(error) if ends => return Err(error),
                result => recorded.borrow_mut().push(answer::of(result)),
            }
        }
        Ok(())
    });
    let end = end.await.map(|()| Value::Null);
    Ok(json!({"steps": answers.take(), "end": answer::of(end)}))
}

async fn one(transaction: &Transaction, sql: &SqlStorage, step: Step) -> Answer {
    match step {
        Step::Get { key } => transaction.get::<Value>(&key).await,
        Step::GetMultiple { keys } => value::pairs(&transaction.get_multiple(keys).await?),
        Step::Put { key, value } => {
            transaction.put(&key, value).await?;
            Ok(Value::Null)
        }
        Step::PutMultiple { values } => {
            transaction.put_multiple(values).await?;
            Ok(Value::Null)
        }
        Step::Delete { key } => Ok(json!(transaction.delete(&key).await?)),
        Step::DeleteMultiple { keys } => Ok(json!(transaction.delete_multiple(keys).await?)),
        Step::DeleteAll => {
            transaction.delete_all().await?;
            Ok(Value::Null)
        }
        Step::List(list) => {
            let found = match list.options() {
                Some(options) => transaction.list_with_options(options).await?,
                None => transaction.list().await?,
            };
            value::pairs(&found)
        }
        Step::Rollback => {
            transaction.rollback()?;
            Ok(Value::Null)
        }
        Step::Sql(query) => sql::run(sql, &query),
        Step::Wait { ms } => {
            Delay::from(Duration::from_millis(ms)).await;
            Ok(Value::Null)
        }
        Step::Throw { message } => Err(Error::RustError(message)),
        Step::Must { .. } => Err("a `must` holds no other `must`".into()),
    }
}
