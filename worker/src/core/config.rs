//! Configuration: the Worker's variables and secrets, read once and checked.
//!
//! A wrong value never switches anything off and never blocks anybody for ever: it falls back to the default and leaves a
//! [`Warning`] that `/api/health` shows. Secrets have no default; what is missing without them says so in health.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use url::Url;

use crate::core::cache::Pace;
use crate::core::decimal;
use crate::core::limiter::Algorithm;
use crate::core::policy::Policies;

/// Cloudflare KV refuses an `expirationTtl` below this many seconds (KVPUT 2026-06-22).
pub const CACHE_TTL_MIN_SECONDS: u64 = 60;

/// The highest quota that is taken; more is a wrong value. The log of one identifier is one value in a Durable Object, which
/// holds 2 MB (DOLIM 2026-06-01), and an admitted request needs up to 9 bytes of it.
pub const QUOTA_MAX: u64 = 100_000;

/// The longest window, dedupe window and the like that is taken, in seconds: one day.
pub const WINDOW_MAX_SECONDS: u64 = 86_400;

/// The longest time to live that is taken, in seconds: one year.
pub const CACHE_TTL_MAX_SECONDS: u64 = 31_536_000;

/// How often KV is written to in a day by default: the free plan allows 1,000 (KVPRICE 2026-04-21), and some are left for the
/// operator's own `wrangler kv key put`.
pub const KV_WRITES_PER_DAY: u64 = 900;

/// The most writes a day that are taken: one per millisecond.
pub const KV_WRITES_PER_DAY_MAX: u64 = 86_400_000;

/// Which deployment this is; goes into alerts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine.
    #[default]
    Development,
    /// Deployed for trying out.
    Preview,
    /// Deployed for users.
    Production,
}

impl Environment {
    /// The value of `ENVIRONMENT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Preview => "preview",
            Self::Production => "production",
        }
    }
}

/// Text that is never shown: `Debug` hides it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The key of webhook signatures: the bytes behind `whsec_`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookKey(Vec<u8>);

impl WebhookKey {
    /// Reads `whsec_<base64>` (Standard Webhooks). Padding may be left out.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix("whsec_")?.trim_end_matches('=');
        let bytes = STANDARD_NO_PAD.decode(encoded).ok()?;
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The bytes, for the one place that signs.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(hidden)")
    }
}

/// A value that was not taken as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Name of the variable or secret.
    pub name: &'static str,
    /// What is wrong and what serves instead. The value itself is not repeated.
    pub reason: &'static str,
}

/// Everything that can be configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENVIRONMENT`
    pub environment: Environment,
    /// `ENABLE_RATE_LIMITING`: off only by an exact `"false"`.
    pub rate_limiting: bool,
    /// `ENABLE_DEBUG_LOGS`: on only by an exact `"true"`.
    pub debug_logs: bool,
    /// `RATE_LIMIT_REQUESTS_PER_MINUTE`, `RATE_LIMIT_AUTH_REQUESTS`, `RATE_LIMIT_WRITE_REQUESTS`, `RATE_LIMIT_WINDOW_SECONDS`
    pub policies: Policies,
    /// `RATE_LIMIT_ALGORITHM`
    pub algorithm: Algorithm,
    /// `CACHE_TTL_SECONDS`: how long an isolate's own memory may serve a value.
    pub cache_ttl_seconds: u64,
    /// `CACHE_DASHBOARD_TTL`
    pub dashboard_ttl_seconds: u64,
    /// `CACHE_REPORTS_TTL`
    pub reports_ttl_seconds: u64,
    /// `CACHE_KV_WRITES_PER_DAY` (not in the original design): how often all isolates together may write to KV.
    pub kv_writes: Pace,
    /// `ALLOWED_ORIGINS`, each as a browser writes it.
    pub allowed_origins: Vec<String>,
    /// `ALERT_DEDUPE_SECONDS`, in milliseconds.
    pub alert_dedupe_ms: u64,
    /// `AUTH_JWT_SECRET`
    pub jwt_secret: Option<Secret>,
    /// `ERROR_ALERT_WEBHOOK`: an `http` or `https` address, which may itself hold a secret.
    pub error_webhook: Option<Secret>,
    /// `SECURITY_ALERT_WEBHOOK`
    pub security_webhook: Option<Secret>,
    /// `WEBHOOK_SECRET`
    pub webhook_key: Option<WebhookKey>,
    /// What was not taken as it stands.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Reads the configuration through `lookup`, which gives the text of a variable or secret, or `None` where there is none.
    ///
    /// ```
    /// use edgeproof_worker::core::config::Config;
    /// use edgeproof_worker::core::policy::PolicyName;
    /// let config = Config::from_lookup(|name| (name == "RATE_LIMIT_WRITE_REQUESTS").then(|| "20".to_owned()));
    /// assert_eq!(config.policies.get(PolicyName::Write).quota.limit, 20);
    /// assert_eq!(config.policies.get(PolicyName::General).quota.limit, 100);
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader {
            lookup,
            warnings: Vec::new(),
        };
        let general = reader.whole("RATE_LIMIT_REQUESTS_PER_MINUTE", 100, QUOTA_MAX) as u32;
        let auth = reader.whole("RATE_LIMIT_AUTH_REQUESTS", 5, QUOTA_MAX) as u32;
        let write = reader.whole("RATE_LIMIT_WRITE_REQUESTS", 50, QUOTA_MAX) as u32;
        let window_seconds = reader.whole("RATE_LIMIT_WINDOW_SECONDS", 60, WINDOW_MAX_SECONDS);
        Self {
            environment: reader.named("ENVIRONMENT", |text| {
                [
                    Environment::Development,
                    Environment::Preview,
                    Environment::Production,
                ]
                .into_iter()
                .find(|environment| environment.as_str() == text)
            }),
            rate_limiting: reader.flag("ENABLE_RATE_LIMITING", true),
            debug_logs: reader.flag("ENABLE_DEBUG_LOGS", false),
            policies: Policies::new(general, auth, write, window_seconds * 1_000),
            algorithm: reader.named("RATE_LIMIT_ALGORITHM", Algorithm::parse),
            cache_ttl_seconds: reader.ttl("CACHE_TTL_SECONDS", 300),
            dashboard_ttl_seconds: reader.ttl("CACHE_DASHBOARD_TTL", 300),
            reports_ttl_seconds: reader.ttl("CACHE_REPORTS_TTL", 600),
            kv_writes: Pace::of(reader.whole(
                "CACHE_KV_WRITES_PER_DAY",
                KV_WRITES_PER_DAY,
                KV_WRITES_PER_DAY_MAX,
            )),
            allowed_origins: reader.origins("ALLOWED_ORIGINS"),
            alert_dedupe_ms: reader.whole("ALERT_DEDUPE_SECONDS", 300, WINDOW_MAX_SECONDS) * 1_000,
            jwt_secret: reader.jwt_secret("AUTH_JWT_SECRET"),
            error_webhook: reader.webhook("ERROR_ALERT_WEBHOOK"),
            security_webhook: reader.webhook("SECURITY_ALERT_WEBHOOK"),
            webhook_key: reader.webhook_key("WEBHOOK_SECRET"),
            warnings: reader.warnings,
        }
    }
}

struct Reader<F> {
    lookup: F,
    warnings: Vec<Warning>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
    }

    fn warn(&mut self, name: &'static str, reason: &'static str) {
        self.warnings.push(Warning { name, reason });
    }

    fn whole(&mut self, name: &'static str, default: u64, max: u64) -> u64 {
        let Some(text) = self.text(name) else {
            return default;
        };
        match decimal::parse(&text) {
            Some(value) if (1..=max).contains(&value) => value,
            Some(value) if value > max => {
                self.warn(name, "larger than can be kept; the default serves");
                default
            }
            _ => {
                self.warn(name, "not a whole number of at least 1; the default serves");
                default
            }
        }
    }

    fn flag(&mut self, name: &'static str, default: bool) -> bool {
        match self.text(name).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.warn(name, "neither true nor false; the default serves");
                default
            }
        }
    }

    fn ttl(&mut self, name: &'static str, default: u64) -> u64 {
        let seconds = self.whole(name, default, CACHE_TTL_MAX_SECONDS);
        if seconds < CACHE_TTL_MIN_SECONDS {
            self.warn(name, "below the 60 seconds that KV needs; 60 serves");
        }
        seconds.max(CACHE_TTL_MIN_SECONDS)
    }

    fn named<T: Default>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> T {
        let Some(text) = self.text(name) else {
            return T::default();
        };
        parse(&text).unwrap_or_else(|| {
            self.warn(name, "not one of the known names; the default serves");
            T::default()
        })
    }

    fn origins(&mut self, name: &'static str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let mut origins = Vec::new();
        for entry in text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            match origin(entry) {
                Some(origin) => origins.push(origin),
                None => self.warn(
                    name,
                    "holds an entry that is no origin; the entry is dropped",
                ),
            }
        }
        origins
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        self.text(name).filter(|text| !text.is_empty()).map(Secret)
    }

    fn jwt_secret(&mut self, name: &'static str) -> Option<Secret> {
        let secret = self.secret(name)?;
        if secret.expose().len() < 32 {
            self.warn(
                name,
                "shorter than the 32 bytes that HS256 needs (RFC 7518); taken all the same",
            );
        }
        Some(secret)
    }

    fn webhook(&mut self, name: &'static str) -> Option<Secret> {
        let secret = self.secret(name)?;
        let usable = Url::parse(secret.expose())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !usable {
            self.warn(name, "not an http or https address; no alert is sent there");
        }
        usable.then_some(secret)
    }

    fn webhook_key(&mut self, name: &'static str) -> Option<WebhookKey> {
        let secret = self.secret(name)?;
        let key = WebhookKey::parse(secret.expose());
        if key.is_none() {
            self.warn(
                name,
                "not of the form whsec_<base64>; alerts are sent without a signature",
            );
        }
        key
    }
}

/// `scheme://host[:port]` as a browser writes it in `Origin`, or `None` if the entry is anything else: `*`, `null`, a path.
fn origin(entry: &str) -> Option<String> {
    let url = Url::parse(entry)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let origin = url.origin().ascii_serialization();
    // Parsing is generous: it drops a default port and takes a path. Only what was an origin already is taken.
    // A star is a valid character of a host name there, but nobody who writes one means it so.
    (origin.eq_ignore_ascii_case(entry) && !origin.contains('*')).then_some(origin)
}

#[cfg(test)]
mod tests {
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
            empty.jwt_secret.is_none()
                && empty.error_webhook.is_none()
                && empty.webhook_key.is_none()
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
}
