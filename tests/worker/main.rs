//! The production Worker in the simulator: one file for each part of what it promises, and for each of its parts.

mod alerts;
mod auth;
mod away;
mod bindings;
mod budget;
mod burst;
mod cache;
mod comparison;
mod costs;
mod eviction;
mod health;
mod isolation;
mod limiter;
mod logs;
mod pops;
mod queries;
mod secrets;
