//! The first byte of each value; the table is in the documentation of the parent module.

pub(super) const UNDEFINED: u8 = 0;
pub(super) const NULL: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const TRUE: u8 = 3;
pub(super) const DOUBLE: u8 = 4;
pub(super) const INTEGER: u8 = 5;
pub(super) const STRING: u8 = 6;
pub(super) const BIGINT: u8 = 7;
pub(super) const NEGATIVE_BIGINT: u8 = 8;
pub(super) const OBJECT: u8 = 9;
pub(super) const ARRAY: u8 = 10;
pub(super) const MAP: u8 = 11;
pub(super) const BYTES: u8 = 12;
pub(super) const BUFFER: u8 = 13;
pub(super) const DATE: u8 = 14;
pub(super) const ERROR: u8 = 15;
pub(super) const DOUBLES: u8 = 16;
