//! Sends bursts to a Worker and judges whether it kept its contract.
//!
//! This crate knows no Worker. A program for one API hands its contract and its Worker to [`cli::main`] as a
//! [`program::Program`]; where its Worker's configuration is, [`configuration`] says. The binary of this crate has the generic
//! contract and no Worker.
//!
//! A burst's way through the files:
//!
//! 1. [`cli`] reads the command line ([`args`]); [`curl`] a pasted curl command after `--`.
//! 2. [`plan`] says what is sent: one request, many times, by some clients in the name of some users; [`schedule`]
//!    assigns each request to a user, a client and a PoP.
//! 3. [`target`] is where it goes: the embedded simulator in virtual time, or a server over HTTP.
//! 4. [`driver`] drives the plan as a closed loop; [`observe`] holds each answer against the [`contract`] as it arrives and
//!    counts it.
//! 5. [`expect`] says what the counts should be, [`verdict`] what they mean, [`report`] prints it, and [`secret`] keeps
//!    credentials out of what is printed.
//!
//! [`burst`] is the sequence of these steps. Nothing is ever sent twice, no redirect is followed, and a host that is not
//! loopback is reached only when it is named and the number of requests is capped.

pub mod answer;
pub mod args;
pub mod burst;
pub mod cli;
pub mod clock;
pub mod configuration;
pub mod contract;
pub mod curl;
pub mod driver;
pub mod expect;
pub mod observe;
pub mod plan;
pub mod program;
pub mod refusal;
pub mod report;
pub mod schedule;
pub mod secret;
pub mod target;
pub mod variables;
pub mod verdict;

/// `1 request`, `2 requests`: a number with its noun, whose plural ends in s.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The load generator's `User-Agent`.
pub const USER_AGENT: &str = concat!("edgeproof-loadgen/", env!("CARGO_PKG_VERSION"));
