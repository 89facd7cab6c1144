//! The simulated platform, seen from inside a Worker: closures run as invocations and as events of objects.

mod ambient;
mod d1;
mod deployments;
mod edges;
mod faults;
mod fingerprint;
mod history;
mod invocation;
mod javascript;
mod kv;
mod meta;
mod objects;
mod regress;
mod setups;
mod streams;
