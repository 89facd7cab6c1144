//! The REST API that wrangler's KV and D1 commands use, over real sockets.

mod api;

mod databases;
mod garbage;
mod import_export;
mod keys;
mod live;
mod namespaces;
mod state;
mod token;
