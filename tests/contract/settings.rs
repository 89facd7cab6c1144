//! What a server must be started with for this suite, and how a server elsewhere is named. `docs/CONTRACT-SUITE.md` shows it.

use std::net::SocketAddr;

/// Key of the tokens.
const JWT_SECRET: &str = "the contract suite's own secret, 32 bytes or more";

/// An origin that may read answers.
const ORIGIN: &str = "https://app.example.com";

/// Where alerts are taken for a server that this suite did not start.
const WEBHOOK_PORT: u16 = 9911;

/// The variables, over those of `wrangler.toml`.
pub(crate) fn vars() -> [(&'static str, String); 2] {
    [
        // Short, so that a test can wait for its end.
        ("RATE_LIMIT_WINDOW_SECONDS", "10".to_owned()),
        ("ALLOWED_ORIGINS", origin()),
    ]
}

/// The secrets, for a receiver of alerts on a port of this machine.
pub(crate) fn secrets(webhook_port: u16) -> [(&'static str, String); 4] {
    let receiver = format!("http://127.0.0.1:{webhook_port}");
    [
        ("AUTH_JWT_SECRET", jwt_secret()),
        ("ERROR_ALERT_WEBHOOK", format!("{receiver}/error")),
        ("SECURITY_ALERT_WEBHOOK", format!("{receiver}/security")),
        ("WEBHOOK_SECRET", support::receiver::webhook_secret()),
    ]
}

/// `EDGEPROOF_CONTRACT_URL`: a server that runs already.
///
/// # Panics
/// If it is not `http://ADDRESS:PORT`.
pub(crate) fn elsewhere() -> Option<SocketAddr> {
    let url = variable("EDGEPROOF_CONTRACT_URL")?;
    let address = url
        .trim_end_matches('/')
        .strip_prefix("http://")
        .map(|rest| rest.replace("localhost:", "127.0.0.1:"));
    let address = address.and_then(|address| address.parse().ok());
    Some(address.unwrap_or_else(|| {
        panic!("EDGEPROOF_CONTRACT_URL is an address like http://127.0.0.1:8787, not {url:?}")
    }))
}

/// `EDGEPROOF_CONTRACT_SECRET`
pub(crate) fn jwt_secret() -> String {
    variable("EDGEPROOF_CONTRACT_SECRET").unwrap_or_else(|| JWT_SECRET.to_owned())
}

/// `EDGEPROOF_CONTRACT_ORIGIN`
pub(crate) fn origin() -> String {
    variable("EDGEPROOF_CONTRACT_ORIGIN").unwrap_or_else(|| ORIGIN.to_owned())
}

/// `EDGEPROOF_CONTRACT_WEBHOOK_PORT`
///
/// # Panics
/// If it is no port.
pub(crate) fn webhook_port() -> u16 {
    variable("EDGEPROOF_CONTRACT_WEBHOOK_PORT").map_or(WEBHOOK_PORT, |port| {
        port.parse()
            .unwrap_or_else(|_| panic!("EDGEPROOF_CONTRACT_WEBHOOK_PORT is a port, not {port:?}"))
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

#[test]
fn the_page_for_other_servers_has_these_settings() {
    let page = include_str!("../../docs/CONTRACT-SUITE.md");
    let secrets = secrets(WEBHOOK_PORT).map(|(name, value)| match value.contains(' ') {
        true => format!("--secret \"{name}={value}\""),
        false => format!("--secret {name}={value}"),
    });
    let vars = vars().map(|(name, value)| format!("--var {name}={value}"));
    for flag in secrets.iter().chain(&vars) {
        // Once in the table, once among the commands.
        assert_eq!(page.matches(flag).count(), 2, "{flag}");
    }
    for name in ["URL", "SECRET", "ORIGIN", "WEBHOOK_PORT"] {
        assert!(
            page.contains(&format!("| `EDGEPROOF_CONTRACT_{name}` |")),
            "{name}"
        );
    }
}
