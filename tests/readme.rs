//! Placeholder while the suites are written.
