//! The production Worker on the command line of edgeproof.
//!
//! [`api`] is the contract at any server: routes and the policies that limit them, the Worker's own 429, the login.
//! [`simulated`] is the Worker itself as the embedded simulator runs it; it is compiled in, with its configuration,
//! migrations and seeds, so that the program reads no file and can be moved. [`mod@reference`] is a day of its traffic. [`folder`]
//! finds what cannot be compiled in: the crate, for the commands that build it.

pub mod api;
pub mod folder;
pub mod reference;
pub mod simulated;

use std::rc::Rc;

use edgeproof_cli::{CrateFolder, Development, Linked};

/// The secret without which the Worker serves no user.
pub const JWT_SECRET: &str = "AUTH_JWT_SECRET";

/// The Worker for the commands of edgeproof.
pub fn linked() -> Linked {
    Linked {
        package: "edgeproof-worker",
        name: "sim",
        command: "cargo sim",
        about: "The production Worker on a simulated Cloudflare",
        configuration: simulated::CONFIGURATION,
        folder: CrateFolder::Found(folder::find),
        contract: Rc::new(api::Api),
        rules: Rc::new(simulated::Rules),
        development: Development {
            seeds: Some(simulated::SEEDS),
            secrets: &[JWT_SECRET],
            line: Some(
                r#"demo user: POST /api/auth/login {"username":"demo","password":"demo-pass-9137"}"#,
            ),
        },
        traffic: Some(reference::REFERENCE),
    }
}

/// The same under the name of its load generator.
pub fn loadgen() -> Linked {
    Linked {
        name: "loadgen",
        command: "cargo loadgen",
        ..linked()
    }
}
