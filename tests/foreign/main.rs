//! Workers that are not ours, in the style of public ones, each with the tests that its author would write.

mod attribute;
mod dice;
#[cfg(feature = "real")]
mod real;
mod reminders;
mod shelf;
mod visits;
