//! The arguments of a burst, and the command line that repeats it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::curl::words::quote;
use crate::expect::Expectation;
use crate::secret::{HIDDEN, Secret};

/// The arguments of `loadgen burst`.
#[derive(Debug, Clone, Args)]
pub struct BurstArgs {
    /// How many requests to send in all.
    #[arg(short = 'n', long = "requests", default_value_t = 150, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: u64,
    /// How many clients send at once, each waiting for its answer before its next request.
    #[arg(long, default_value_t = 1, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub clients: u32,
    /// How many users the requests are spread over (embedded simulator only).
    #[arg(long, default_value_t = 1, value_name = "U", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub users: u32,
    /// PoPs at which the requests enter, in turn (airport codes); over HTTP as the header x-sim-pop.
    #[arg(long, value_name = "MEX,…", value_delimiter = ',', value_parser = parse_pop)]
    pub pop: Vec<String>,
    /// Seed of the simulated world.
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
    /// Environment of wrangler.toml (embedded simulator only).
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Replaces a variable of wrangler.toml; may be repeated (embedded simulator only).
    #[arg(long, value_name = "K=V", value_parser = parse_secret)]
    pub var: Vec<Secret>,
    /// The counts to hold the run against, such as admitted=50,denied=100; computed from the quotas if not given.
    #[arg(long, value_name = "COUNTS")]
    pub expect: Option<Expectation>,
    /// Write the report as JSON: to a file, or with `-` to standard output (and then nothing else).
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Log in before the burst and use the token (needs a TARGET).
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_secret, conflicts_with = "token_env")]
    pub login: Option<Secret>,
    /// Take the token from this environment variable (needs a TARGET).
    #[arg(long, value_name = "NAME")]
    pub token_env: Option<String>,
    /// Allow a host that is not loopback, by its exact name; needs --max-requests. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Refuse to send more requests than this, a login included.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,
    /// How long to wait for a connection, and for an answer [default: 30] (needs a TARGET).
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<f64>,
    /// Scheme, host and port of a server; without it, the embedded simulator.
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// A curl command, as pasted (or as one quoted string).
    #[arg(last = true, value_name = "curl …")]
    pub curl: Vec<OsString>,
}

impl BurstArgs {
    /// The command that repeats this run, without credentials. `program` is the command that starts the program;
    /// `is_plain` says whether a variable's value may be shown.
    pub fn repeat(
        &self,
        program: &str,
        is_plain: &dyn Fn(&str) -> bool,
        shown_curl: Option<&str>,
    ) -> String {
        let mut words = vec![format!("{program} burst"), format!("-n {}", self.requests)];
        let mut option = |name: &str, value: &str| words.push(format!("{name} {}", quote(value)));
        if self.clients != 1 {
            option("--clients", &self.clients.to_string());
        }
        if self.users != 1 {
            option("--users", &self.users.to_string());
        }
        if !self.pop.is_empty() {
            option("--pop", &self.pop.join(","));
        }
        if self.target.is_none() {
            option("--seed", &self.seed.to_string());
        }
        if let Some(env) = &self.env {
            option("--env", env);
        }
        for var in &self.var {
            let (name, value) = var.expose().split_once('=').unwrap_or_default();
            let value = if is_plain(name) { value } else { HIDDEN };
            option("--var", &format!("{name}={value}"));
        }
        if let Some(expect) = &self.expect {
            let part =
                |name: &str, count: Option<u64>| count.map(|count| format!("{name}={count}"));
            let parts = [
                part("admitted", expect.admitted),
                part("denied", expect.denied),
            ];
            option(
                "--expect",
                &parts.into_iter().flatten().collect::<Vec<_>>().join(","),
            );
        }
        if let Some(login) = &self.login {
            let user = login.expose().split_once(':').map_or("", |(user, _)| user);
            option("--login", &format!("{user}:{HIDDEN}"));
        }
        if let Some(name) = &self.token_env {
            option("--token-env", name);
        }
        for host in &self.allow_host {
            option("--allow-host", host);
        }
        if let Some(cap) = self.max_requests {
            option("--max-requests", &cap.to_string());
        }
        if let Some(seconds) = self.timeout {
            option("--timeout", &seconds.to_string());
        }
        if let Some(target) = &self.target {
            words.push(quote(&crate::secret::shown_url(target)));
        }
        if let Some(curl) = shown_curl {
            words.push(format!("-- {curl}"));
        }
        words.join(" ")
    }
}

fn parse_pop(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a PoP is an airport code of three letters, such as MEX".into())
    }
}

// Takes anything, so that clap has no reason to print the value in an error.
fn parse_secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.001 to 86400".into()),
    }
}
