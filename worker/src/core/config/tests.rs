//! What is read of variables, right ones and wrong ones.

use super::{Config, Environment, WebhookKey, origin};
use crate::core::limiter::Algorithm;
use crate::core::policy::PolicyName;
use proptest::prelude::*;

fn config(vars: &[(&str, &str)]) -> Config {
    Config::from_lookup(|name| {
        vars.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn quotas(config: &Config) -> [u32; 3] {
    PolicyName::ALL.map(|name| config.policies.get(name).quota.limit)
}

#[test]
fn nothing_configured_means_the_defaults_without_a_warning() {
    let config = config(&[]);
    assert_eq!(quotas(&config), [100, 5, 50]);
    assert_eq!(
        config.policies.get(PolicyName::Write).quota.window_ms,
        60_000
    );
    assert_eq!(config.algorithm, Algorithm::SlidingLog);
    assert_eq!(config.environment, Environment::Development);
    assert!(config.rate_limiting && !config.debug_logs);
    assert_eq!(
        [
            config.cache_ttl_seconds,
            config.dashboard_ttl_seconds,
            config.reports_ttl_seconds
        ],
        [300, 300, 600]
    );
    assert_eq!(config.alert_dedupe_ms, 300_000);
    assert!(
        config.allowed_origins.is_empty()
            && config.jwt_secret.is_none()
            && config.webhook_key.is_none()
    );
    assert!(config.warnings.is_empty());
}

#[test]
fn a_number_that_is_not_one_falls_back_to_the_default_with_one_warning() {
    for wrong in [
        "",
        " ",
        "fifty",
        "0",
        "-5",
        "+5",
        "1e3",
        "1_000",
        "NaN",
        "5.0",
        "0x10",
        "50 ",
        "Infinity",
        "100001",
        "99999999999999999999",
    ] {
        for (name, place) in [
            ("RATE_LIMIT_REQUESTS_PER_MINUTE", 0),
            ("RATE_LIMIT_AUTH_REQUESTS", 1),
            ("RATE_LIMIT_WRITE_REQUESTS", 2),
        ] {
            let config = config(&[(name, wrong)]);
            assert_eq!(
                quotas(&config)[place],
                [100, 5, 50][place],
                "{name}={wrong:?}"
            );
            assert_eq!(config.warnings.len(), 1, "{name}={wrong:?}");
            assert_eq!(config.warnings[0].name, name);
        }
    }
    assert_eq!(quotas(&config(&[("RATE_LIMIT_WRITE_REQUESTS", "1")]))[2], 1);
    assert_eq!(
        quotas(&config(&[("RATE_LIMIT_WRITE_REQUESTS", "100000")]))[2],
        100_000
    );
    assert_eq!(
        config(&[("RATE_LIMIT_WINDOW_SECONDS", "0")])
            .policies
            .get(PolicyName::Auth)
            .quota
            .window_ms,
        60_000
    );
    assert_eq!(
        config(&[("ALERT_DEDUPE_SECONDS", "soon")]).alert_dedupe_ms,
        300_000
    );
}

#[test]
fn only_an_exact_false_switches_rate_limiting_off() {
    for on in [
        "true", "False", "FALSE", "0", "no", "off", "", " false", "false ",
    ] {
        let config = config(&[("ENABLE_RATE_LIMITING", on)]);
        assert!(config.rate_limiting, "{on:?}");
        assert_eq!(config.warnings.len(), usize::from(on != "true"), "{on:?}");
    }
    let off = config(&[("ENABLE_RATE_LIMITING", "false")]);
    assert!(!off.rate_limiting && off.warnings.is_empty());
    let loud = config(&[("ENABLE_DEBUG_LOGS", "TRUE")]);
    assert!(!loud.debug_logs && loud.warnings.len() == 1);
}

#[test]
fn a_ttl_below_that_of_kv_is_raised() {
    let config = config(&[
        ("CACHE_DASHBOARD_TTL", "59"),
        ("CACHE_REPORTS_TTL", "1"),
        ("CACHE_TTL_SECONDS", "-1"),
    ]);
    assert_eq!(
        [
            config.dashboard_ttl_seconds,
            config.reports_ttl_seconds,
            config.cache_ttl_seconds
        ],
        [60, 60, 300]
    );
    assert_eq!(config.warnings.len(), 3);
}

#[test]
fn unknown_names_are_the_default() {
    let config = config(&[
        ("ENVIRONMENT", "Production"),
        ("RATE_LIMIT_ALGORITHM", "leaky"),
    ]);
    assert_eq!(
        (config.environment, config.algorithm),
        (Environment::Development, Algorithm::SlidingLog)
    );
    assert_eq!(config.warnings.len(), 2);
}

#[test]
fn an_entry_that_is_no_origin_is_dropped() {
    for (entry, kept) in [
        ("https://app.example.com", Some("https://app.example.com")),
        ("HTTPS://App.Example.com", Some("https://app.example.com")),
        ("http://localhost:5173", Some("http://localhost:5173")),
        (
            "https://[2001:db8::1]:8443",
            Some("https://[2001:db8::1]:8443"),
        ),
        ("*", None),
        ("null", None),
        ("https://", None),
        ("https://a.example/", None),
        ("https://a.example/x", None),
        ("a.example", None),
        ("https://*.example.com", None),
        ("ftp://a.example", None),
        ("https://user@a.example", None),
    ] {
        assert_eq!(origin(entry).as_deref(), kept, "{entry}");
    }
    let config = config(&[(
        "ALLOWED_ORIGINS",
        "https://a.example, *,,null , https://b.example",
    )]);
    assert_eq!(
        config.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.warnings.len(), 2);
}

#[test]
fn secrets_are_never_shown() {
    let config = config(&[
        ("AUTH_JWT_SECRET", "hush-hush-hush-hush-hush-hush-hush"),
        ("ERROR_ALERT_WEBHOOK", "https://hooks.example/hush"),
        ("SECURITY_ALERT_WEBHOOK", "hush, not an address"),
        ("WEBHOOK_SECRET", "whsec_aHVzaA=="),
    ]);
    assert!(config.webhook_key.is_some() && config.security_webhook.is_none());
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains("104"), "{shown}");
}

#[test]
fn empty_secrets_are_absent_and_wrong_ones_are_said() {
    let empty = config(&[
        ("AUTH_JWT_SECRET", ""),
        ("ERROR_ALERT_WEBHOOK", ""),
        ("WEBHOOK_SECRET", ""),
    ]);
    assert!(
        empty.jwt_secret.is_none() && empty.error_webhook.is_none() && empty.webhook_key.is_none()
    );
    assert!(empty.warnings.is_empty());
    for wrong in [
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_???",
        "WHSEC_aGk=",
    ] {
        assert_eq!(WebhookKey::parse(wrong), None, "{wrong}");
    }
    for wrong in [
        "ftp://a.example",
        "a.example",
        "javascript:alert(1)",
        "https://",
    ] {
        assert!(
            config(&[("ERROR_ALERT_WEBHOOK", wrong)])
                .error_webhook
                .is_none(),
            "{wrong}"
        );
    }
}

proptest! {
    #[test]
    fn no_value_means_no_limit_or_a_block_for_ever(value in "\\PC{0,12}") {
        let vars = ["RATE_LIMIT_REQUESTS_PER_MINUTE", "RATE_LIMIT_AUTH_REQUESTS", "RATE_LIMIT_WRITE_REQUESTS", "RATE_LIMIT_WINDOW_SECONDS"];
        let config = Config::from_lookup(|name| vars.contains(&name).then(|| value.clone()));
        for policy in config.policies.iter() {
            prop_assert!((1..=100_000).contains(&policy.quota.limit));
            prop_assert!((1_000..=86_400_000).contains(&policy.quota.window_ms));
        }
    }
}
