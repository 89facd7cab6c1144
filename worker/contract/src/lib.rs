//! The promises of the Worker's API, for the load generator.
//!
//! [`api`] is the contract at any server: routes and the policies that limit them, the Worker's own 429, the login.
//! [`simulated`] is the Worker itself as the embedded simulator runs it; it is compiled in, with its configuration,
//! migrations and seeds, so that the program reads no file.

pub mod api;
pub mod simulated;

use std::rc::Rc;

use edgeproof_loadgen::program::Program;

/// The load generator `loadgen` for this Worker.
pub fn program() -> Program {
    Program {
        name: "loadgen",
        command: "cargo loadgen",
        contract: Rc::new(api::Api),
        worker: Some(simulated::worker()),
    }
}
