//! Configuration: the Worker's variables and secrets, read once and checked.
//!
//! A wrong value never switches anything off and never blocks anybody for ever: it falls back to the default and leaves a
//! [`Warning`] that `/api/health` shows. Secrets have no default; what is missing without them says so in health.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use url::Url;

use crate::core::decimal;
use crate::core::limiter::Algorithm;
use crate::core::pace::Pace;
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
    // A star is a valid character of a host name there, but it is meant as a wildcard.
    (origin.eq_ignore_ascii_case(entry) && !origin.contains('*')).then_some(origin)
}

#[cfg(test)]
mod tests;
