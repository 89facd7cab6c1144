//! The simulated platform, seen from inside a Worker: closures run as invocations and as events of objects.

mod ambient;
mod configuration;
mod crons;
mod d1;
mod deployments;
mod edges;
mod facade;
mod faults;
mod fingerprint;
mod history;
mod invocation;
mod javascript;
mod kv;
mod meta;
mod objects;
mod rate_limit;
mod regress;
mod setups;
mod streams;
