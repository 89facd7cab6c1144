//! Which hosts may be reached; decided before the first byte is sent.

use thiserror::Error;
use url::{Host, Url};

/// Why a host may not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostError {
    /// Not loopback, and not named.
    #[error(
        "{0} is not loopback: name it with --allow-host {0}, and cap the burst with --max-requests N"
    )]
    NotAllowed(String),
    /// Named, but without a cap.
    #[error("{0} is not loopback: cap the burst with --max-requests N")]
    NoCap(String),
    /// More than the cap.
    #[error("the plan sends {planned} requests (a login included), --max-requests allows {cap}")]
    OverCap {
        /// Requests of the plan and its login.
        planned: u64,
        /// `--max-requests`.
        cap: u64,
    },
}

/// Whether a URL's host is this machine by its very name: `localhost` or a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Decides before the first byte whether a burst may be sent. `planned` counts every request, a login included.
pub fn admit(
    url: &Url,
    allowed: &[String],
    cap: Option<u64>,
    planned: u64,
) -> Result<(), HostError> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if !is_loopback(url) {
        let bare = host.trim_matches(['[', ']']);
        if !allowed
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&host) || name.eq_ignore_ascii_case(bare))
        {
            return Err(HostError::NotAllowed(host));
        }
        if cap.is_none() {
            return Err(HostError::NoCap(host));
        }
    }
    match cap {
        Some(cap) if planned > cap => Err(HostError::OverCap { planned, cap }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn loopback_is_known_by_name_and_address_only() {
        for (text, loopback) in [
            ("http://localhost:8787", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::ffff:10.0.0.1]", false),
        ] {
            assert_eq!(is_loopback(&url(text)), loopback, "{text}");
        }
    }

    #[test]
    fn another_host_needs_its_exact_name_and_a_cap() {
        let target = url("https://preview.example.com");
        let names = |name: &str| vec![name.to_owned()];
        let refused = HostError::NotAllowed("preview.example.com".into());
        assert_eq!(admit(&target, &[], Some(200), 150), Err(refused.clone()));
        assert_eq!(
            admit(&target, &names("example.com"), Some(200), 150),
            Err(refused.clone())
        );
        assert_eq!(admit(&target, &names("*"), Some(200), 150), Err(refused));
        let named = names("Preview.example.com");
        assert_eq!(
            admit(&target, &named, None, 150),
            Err(HostError::NoCap("preview.example.com".into()))
        );
        assert_eq!(
            admit(&target, &named, Some(150), 151),
            Err(HostError::OverCap {
                planned: 151,
                cap: 150
            })
        );
        assert_eq!(admit(&target, &named, Some(151), 151), Ok(()));
        assert_eq!(
            admit(&url("http://localhost"), &[], None, 1_000_000),
            Ok(())
        );
    }
}
