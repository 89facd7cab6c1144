//! The promises of an API, as the load generator asks for them.
//!
//! The load generator itself knows no API. A [`Contract`] tells it what it needs at any server: which requests a limit
//! counts, which 429 is a denial of the API's own, which statuses are right, and how a client logs in. [`Simulated`]
//! adds what only the embedded simulator needs: the Worker's variables, the quotas they configure, and tokens of its
//! users. [`generic`] is the contract for a server whose API is unknown.
//!
//! A contract deliberately says nothing of counts: they follow from the plan and the quota in force.

pub mod generic;
pub mod problem;

use std::fmt;

use crate::answer::Answer;
use crate::plan::{Plan, Template};
use crate::secret::Secret;

use problem::Problem;

/// What an API promises its clients.
pub trait Contract: fmt::Debug {
    /// The request that is sent where no curl command says otherwise.
    fn sample(&self) -> Sample;

    /// Which limit the plan's requests count towards.
    fn charge(&self, plan: &Plan) -> Charge;

    /// What is wrong with the status of an answer, as the end of a sentence that begins with the status (it may be
    /// empty); `None` if the API may answer so. It is not called for a 429.
    fn wrong_status(&self, plan: &Plan, charge: Charge, answer: &Answer) -> Option<&'static str>;

    /// Reads a 429 as a denial of the API's own; `None` if the 429 came from elsewhere, such as the platform.
    fn denial<'a>(&self, answer: &'a Answer) -> Option<Denial<'a>>;

    /// Whether `RateLimit` and `RateLimit-Policy` are read and judged.
    fn judges_fields(&self) -> bool;

    /// The request that logs a user in; `None` if the API has no login.
    fn login(&self, user: &str, password: &Secret) -> Option<Template>;

    /// The bearer token in the answer to [`login`](Self::login); `None` if there is none.
    fn token(&self, answer: &Answer) -> Option<Secret>;

    /// Texts that name the API.
    fn words(&self) -> Words;
}

/// The Worker behind a contract, as the embedded simulator runs it.
pub trait Simulated: fmt::Debug {
    /// Names of the variables and secrets that the Worker reads; `None` if they are not known, so that any can be given.
    fn variables(&self) -> Option<Vec<String>>;

    /// Whether the value of this variable is no secret.
    fn is_plain(&self, name: &str) -> bool;

    /// The limit that this charge has under the Worker's variables.
    fn configured(&self, charge: Charge, variables: Lookup<'_>) -> Configured;

    /// Secrets that every world sets, as name and value.
    fn secrets(&self) -> Vec<(&'static str, &'static str)>;

    /// Rows that a new world has under these variables.
    fn seeds(&self, variables: Lookup<'_>) -> Vec<Seed>;

    /// A valid token of a user of the burst, numbered from 1. `now`: Unix seconds of the world.
    fn token(&self, user: u32, now: u64) -> Secret;
}

/// Gives the value of a variable of the Worker.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A request that the API accepts.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What is sent.
    pub template: Template,
    /// Whether it must carry a token.
    pub needs_token: bool,
}

/// Which limit a request counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// None: every request is admitted.
    Free,
    /// The API's policy of this name.
    Policy(&'static str),
    /// The contract does not say.
    Unknown,
}

/// A quota of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// `q`: requests per window and identity.
    pub requests: u64,
    /// `w`: the window in seconds.
    pub window_seconds: u64,
}

/// The limit that a Worker's variables configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured {
    /// Whether the limiter is on.
    pub enabled: bool,
    /// The quota of the plan's charge; `None` if nothing is limited or nothing is known.
    pub quota: Option<Quota>,
    /// The limiter's algorithm, where its counts cannot be computed.
    pub inexact: Option<&'static str>,
}

/// A denial of the API's own, and what is checked in it.
#[derive(Debug)]
pub struct Denial<'a> {
    /// Its problem document, where the contract promises one.
    pub problem: Option<Problem<'a>>,
    /// Whether `Retry-After` must hold whole seconds within the window.
    pub retry_after_required: bool,
}

/// SQL to run on a database of a new world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The database's binding.
    pub binding: &'static str,
    /// The name of the text in errors.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Texts that name an API.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Commands for the long help, one a line.
    pub examples: &'static str,
    /// What happens without a curl command, such as `GET / is sent`.
    pub sample: &'static str,
    /// What every denial of the API's own carries, such as `the problem type of the API`.
    pub mark: &'static str,
    /// A report's sentence on the 429s if all of them were denials of the API's own.
    pub own_denials: &'static str,
}
