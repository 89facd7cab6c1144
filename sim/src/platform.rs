//! The products of the platform, one file or folder each: state machines of (state, now, operation).
//!
//! None of them knows the world, sleeps, or sends a message. Each says what an operation does at an instant; the
//! [world](crate::world) decides when that instant comes.

pub mod cron;
pub mod d1;
pub mod durable;
pub mod isolate;
pub mod kv;
pub mod outbound;
pub mod rate_limit;
