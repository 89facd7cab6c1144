//! Durable Objects: identity, placement, storage, gates, alarm and eviction of each object.
//!
//! Everything here is a state machine: the caller says what happened and at which instant, and the machine returns what
//! follows. The user's code, the tasks that wait, and the timers belong to the engine. File by file:
//!
//! - [`object`]: one object, its instances and their resets; [`class`]: the objects of a class; [`id`]: ids and
//!   handles.
//! - [`gate`]: which event may enter, and when; [`eviction`]: how long an instance is active, and when it is evicted.
//! - [`alarm`]: when the handler runs, and runs again; [`storage`]: keys and values, SQL, transactions.
//!
//! An object has one home PoP, near its first caller. It is *live* while it has an instance. An idle object loses its
//! instance and memory, and keeps its [`Storage`](storage::Storage) and alarm. An object that was never written and is
//! not live costs a few hundred bytes, so a million of them is affordable.
//!
//! Not modelled: hibernating WebSockets, jurisdictions, moves of objects between PoPs, point-in-time recovery.

pub mod alarm;
pub mod class;
pub mod eviction;
pub mod gate;
pub mod id;
pub mod object;
pub mod storage;

pub use class::Class;
pub use id::{ObjectId, ObjectRef};
pub use object::Object;
