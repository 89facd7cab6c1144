//! The Worker as the embedded simulator runs it.

use std::cell::RefCell;

use edgeproof_loadgen::configuration::{Configuration, Migrations};
use edgeproof_loadgen::contract::{Charge, Configured, Lookup, Quota, Seed, Simulated};
use edgeproof_loadgen::secret::Secret;
use edgeproof_worker::core::config::{Config, Environment};
use edgeproof_worker::core::jwt;
use edgeproof_worker::core::limiter::Algorithm;
use edgeproof_worker::core::policy::PolicyName;

use crate::JWT_SECRET;
use crate::api::{AUTH, GENERAL, WRITE};

/// Every migration, in the order in which wrangler applies them.
pub const MIGRATIONS: Migrations = Migrations {
    binding: "DB",
    files: &[
        (
            "0001_initial.sql",
            include_str!("../../migrations/0001_initial.sql"),
        ),
        (
            "0002_months.sql",
            include_str!("../../migrations/0002_months.sql"),
        ),
        (
            "0003_cost.sql",
            include_str!("../../migrations/0003_cost.sql"),
        ),
    ],
};

/// Rows of the environment `development`: the demo user, among others.
pub const SEEDS: &str = include_str!("../../seeds/development.sql");

const SEED: Seed = Seed {
    binding: "DB",
    name: "seeds/development.sql",
    sql: SEEDS,
};

/// Signs tokens that are valid only in a simulated world.
const SECRET: &str = "of the embedded simulator, good for no other Worker";

/// How long tokens are valid: no burst may outlive its tokens.
const TOKEN_SECONDS: u64 = 365 * 24 * 3600;

/// The Worker's configuration, which is in the program.
pub const CONFIGURATION: Configuration = Configuration::Compiled {
    name: "worker/wrangler.toml",
    text: include_str!("../../wrangler.toml"),
    migrations: &[MIGRATIONS],
};

/// What the Worker's variables mean, and the tokens of its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules;

impl Simulated for Rules {
    /// The names that the Worker itself asks for when it reads its configuration.
    fn variables(&self) -> Option<Vec<String>> {
        let names = RefCell::new(Vec::new());
        Config::from_lookup(|name| {
            names.borrow_mut().push(name.to_owned());
            None
        });
        Some(names.into_inner())
    }

    /// The plain variables are those of `wrangler.toml`; everything else that the Worker reads is a secret.
    fn is_plain(&self, name: &str) -> bool {
        ["ENABLE_", "RATE_LIMIT_", "CACHE_"]
            .iter()
            .any(|group| name.starts_with(group))
            || ["ENVIRONMENT", "ALLOWED_ORIGINS", "ALERT_DEDUPE_SECONDS"].contains(&name)
    }

    fn configured(&self, charge: Charge, variables: Lookup<'_>) -> Configured {
        let config = Config::from_lookup(variables);
        let policy = match charge {
            _ if !config.rate_limiting => None,
            GENERAL => Some(PolicyName::General),
            WRITE => Some(PolicyName::Write),
            AUTH => Some(PolicyName::Auth),
            _ => None,
        };
        Configured {
            enabled: config.rate_limiting,
            quota: policy.map(|policy| {
                let quota = &config.policies.get(policy).quota;
                Quota {
                    requests: u64::from(quota.limit),
                    window_seconds: quota.window_ms / 1000,
                }
            }),
            inexact: (config.rate_limiting && config.algorithm != Algorithm::SlidingLog)
                .then(|| config.algorithm.as_str()),
        }
    }

    fn secrets(&self) -> Vec<(&'static str, &'static str)> {
        vec![(JWT_SECRET, SECRET)]
    }

    fn seeds(&self, variables: Lookup<'_>) -> Vec<Seed> {
        match Config::from_lookup(variables).environment {
            Environment::Development => vec![SEED],
            _ => Vec::new(),
        }
    }

    fn token(&self, user: u32, now: u64) -> Secret {
        let subject = format!("user-{user}");
        Secret::new(jwt::mint(SECRET, &subject, "user", now, TOKEN_SECONDS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A migration that is added to the folder must be added here.
    #[test]
    fn the_migrations_are_those_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
        let names = std::fs::read_dir(folder).expect("the Worker's migrations");
        let names = names.map(|entry| entry.expect("listed").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("text"))
            .filter(|name| name.ends_with(".sql"))
            .collect();
        names.sort();
        let embedded: Vec<&str> = MIGRATIONS.files.iter().map(|(name, _)| *name).collect();
        assert_eq!(embedded, names);
    }

    #[test]
    fn quotas_follow_the_variables() {
        let variables = |name: &str| match name {
            "RATE_LIMIT_WRITE_REQUESTS" => Some("7".to_owned()),
            "RATE_LIMIT_WINDOW_SECONDS" => Some("30".to_owned()),
            _ => None,
        };
        let configured = |charge| Rules.configured(charge, &variables);
        let quota = |requests| {
            Some(Quota {
                requests,
                window_seconds: 30,
            })
        };
        assert_eq!(configured(WRITE).quota, quota(7));
        assert_eq!(configured(GENERAL).quota, quota(100));
        assert_eq!(configured(AUTH).quota, quota(5));
        assert_eq!(configured(Charge::Free).quota, None);
        assert_eq!(configured(Charge::Unknown).quota, None);
    }

    #[test]
    fn a_limiter_that_is_off_or_inexact_has_no_computed_counts() {
        let off = |name: &str| (name == "ENABLE_RATE_LIMITING").then(|| "false".to_owned());
        let configured = Rules.configured(WRITE, &off);
        assert_eq!((configured.enabled, configured.quota), (false, None));
        let bucket =
            |name: &str| (name == "RATE_LIMIT_ALGORITHM").then(|| "token-bucket".to_owned());
        assert_eq!(
            Rules.configured(WRITE, &bucket).inexact,
            Some("token-bucket")
        );
    }
}
