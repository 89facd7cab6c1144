//! The answers of a run: each is classified, held against the contract, and counted.

pub mod check;
pub mod checks;
pub mod class;
pub mod fields;
mod remainders;
pub mod tally;

pub use check::{Check, Outcome};
pub use checks::Checks;
pub use class::Class;
pub use tally::{Stop, Tally};
