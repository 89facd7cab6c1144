//! The object: it does the steps that it is sent, one event each.

#![cfg_attr(
    target_family = "wasm",
    allow(missing_docs, reason = "the attribute makes methods without")
)]

mod sql;
mod storage;
mod transaction;

use crate::{Answer, answer, read};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
// The attribute expands to paths below `wasm_bindgen`.
#[cfg_attr(
    not(target_family = "wasm"),
    expect(unused_imports, reason = "only wasm needs it")
)]
use worker::wasm_bindgen;
use worker::{Delay, DurableObject, Env, Error, Request, Response, Result, State, durable_object};

/// What an object does.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// Steps one after the other, in one event. A failing one is an answer like any other, except for `throw` and `must`.
    All {
        /// The steps.
        steps: Vec<Step>,
    },
    /// A step whose failure ends what it is part of: the event, the transaction, the critical section.
    Must {
        /// The step.
        step: Box<Step>,
    },
    /// Fails with a message, as a handler that returns an error.
    Throw {
        /// The message.
        message: String,
    },
    /// Waits on a timer.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Counts in memory and tells the new number.
    Memory,
    /// Adds to the list in memory.
    Mark {
        /// What to add.
        text: String,
    },
    /// The list in memory.
    Marks,
    /// Adds one to a stored number, with a timer between reading and writing if `wait_ms` says so.
    Increment {
        /// The key.
        key: String,
        /// How long to wait in between.
        wait_ms: Option<u64>,
    },
    /// `blockConcurrencyWhile` around steps.
    Block {
        /// The steps.
        steps: Vec<Step>,
    },
    /// `storage.transaction` around steps of a transaction.
    Transaction {
        /// The steps.
        steps: Vec<transaction::Step>,
    },
    /// `waitUntil`: steps that go on after the answer.
    Background {
        /// The steps.
        steps: Vec<Step>,
    },
    /// What the alarm is to do; kept in memory.
    OnAlarm {
        /// The steps.
        steps: Vec<Step>,
    },
    /// What the alarms have done so far: one list of answers each.
    AlarmLog,
    /// SQL.
    Sql(sql::Query),
    /// A call of the storage.
    #[serde(untagged)]
    Storage(storage::Call),
}

/// The object.
#[durable_object]
#[derive(Debug)]
pub struct Thing {
    inner: Rc<Inner>,
}

/// What steps act on; shared, because critical sections and background work outlive the borrow of the object.
#[derive(Debug)]
struct Inner {
    state: State,
    memory: Cell<u32>,
    marks: RefCell<Vec<String>>,
    on_alarm: RefCell<Vec<Step>>,
    alarms: RefCell<Vec<Value>>,
}

impl DurableObject for Thing {
    fn new(state: State, _: Env) -> Self {
        let inner = Inner {
            state,
            memory: Cell::default(),
            marks: RefCell::default(),
            on_alarm: RefCell::default(),
            alarms: RefCell::default(),
        };
        Self {
            inner: Rc::new(inner),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let step: Step = match read(&request.text().await?) {
            Ok(step) => step,
            Err(mistake) => return Response::error(mistake, 400),
        };
        let ends_event = step.ends_what_it_is_part_of();
        let result = run(Rc::clone(&self.inner), step).await;
        if ends_event && let Err(error) = result {
            return Err(error);
        }
        Response::from_json(&answer::of(result))
    }

    async fn alarm(&self) -> Result<Response> {
        let steps = self.inner.on_alarm.borrow().clone();
        let (answers, end) = run_all(&self.inner, steps).await;
        self.inner.alarms.borrow_mut().push(json!(answers));
        end?;
        Response::empty()
    }
}

impl Step {
    fn ends_what_it_is_part_of(&self) -> bool {
        match self {
            Self::Must { .. } | Self::Throw { .. } => true,
            Self::All { steps } => steps.iter().any(Self::ends_what_it_is_part_of),
            _ => false,
        }
    }
}

/// Runs steps until one ends the whole: all answers so far, and how it ended.
async fn run_all(inner: &Rc<Inner>, steps: Vec<Step>) -> (Vec<Value>, Result<()>) {
    let mut answers = Vec::new();
    for step in steps {
        let ends = step.ends_what_it_is_part_of();
        match run(Rc::clone(inner), step).await {
            Err(error) if ends => return (answers, Err(error)),
            result => answers.push(answer::of(result)),
        }
    }
    (answers, Ok(()))
}

fn run(inner: Rc<Inner>, step: Step) -> Pin<Box<dyn Future<Output = Answer>>> {
    Box::pin(async move {
        match step {
            Step::All { steps } => {
                let (answers, end) = run_all(&inner, steps).await;
                end.map(|()| json!(answers))
            }
            Step::Must { step } => run(inner, *step).await,
            Step::Throw { message } => Err(Error::RustError(message)),
            Step::Wait { ms } => {
                Delay::from(Duration::from_millis(ms)).await;
                Ok(Value::Null)
            }
            Step::Memory => {
                inner.memory.set(inner.memory.get() + 1);
                Ok(json!(inner.memory.get()))
            }
            Step::Mark { text } => {
                inner.marks.borrow_mut().push(text);
                Ok(Value::Null)
            }
            Step::Marks => Ok(json!(*inner.marks.borrow())),
            Step::Increment { key, wait_ms } => {
                let storage = inner.state.storage();
                let number: u32 = storage.get(&key).await?.unwrap_or(0);
                if let Some(ms) = wait_ms {
                    Delay::from(Duration::from_millis(ms)).await;
                }
                storage.put(&key, number + 1).await?;
                Ok(json!(number + 1))
            }
            Step::Block { steps } => {
                let within = Rc::clone(&inner);
                let answers = Rc::new(RefCell::new(Vec::new()));
                let recorded = Rc::clone(&answers);
                let section = inner.state.block_concurrency_while(async move {
                    let (answers, end) = run_all(&within, steps).await;
                    recorded.replace(answers);
                    end
                });
                let end = section.await.map(|()| Value::Null);
                Ok(json!({"steps": answers.take(), "end": answer::of(end)}))
            }
            Step::Transaction { steps } => transaction::run(&inner.state, steps).await,
            Step::Background { steps } => {
                let within = Rc::clone(&inner);
                inner.state.wait_until(async move {
                    // What a background task fails with is nobody's answer.
                    let _ = run_all(&within, steps).await;
                });
                Ok(Value::Null)
            }
            Step::OnAlarm { steps } => {
                inner.on_alarm.replace(steps);
                Ok(Value::Null)
            }
            Step::AlarmLog => Ok(json!(*inner.alarms.borrow())),
            Step::Sql(query) => sql::run(&inner.state.storage().sql(), &query),
            Step::Storage(call) => storage::run(&inner.state.storage(), call).await,
        }
    })
}
