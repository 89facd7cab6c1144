//! Client addresses: who a request without a valid token is charged to.

use std::net::{IpAddr, Ipv6Addr};

/// What all clients without a readable address are called. They share one budget, so that leaving the header out cannot
/// give a client a budget of its own.
pub const UNKNOWN: &str = "unknown";

/// The name of the client behind `CF-Connecting-IP`, the only header the platform itself writes.
///
/// IPv4 is taken whole. Of IPv6 only the /64 counts, because one subscriber is commonly given at least that much and could
/// otherwise draw a new budget from each of 2^64 addresses. An IPv4 address mapped into IPv6 is that IPv4 address.
///
/// ```
/// use edgeproof_worker::core::address::client;
/// assert_eq!(client(Some("203.0.113.7")), "203.0.113.7");
/// assert_eq!(client(Some("2001:db8:1:2:aaaa::1")), client(Some("2001:DB8:1:2:ffff:0:0:9")));
/// assert_eq!(client(None), "unknown");
/// ```
pub fn client(header: Option<&str>) -> String {
    match header
        .and_then(|text| text.trim().parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
    {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            let mut network = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string();
            network.push_str("/64");
            network
        }
        None => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{UNKNOWN, client};

    #[test]
    fn ipv6_is_charged_by_its_64_bit_network() {
        assert_eq!(client(Some("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::/64");
        assert_eq!(client(Some("2001:db8:1:2::")), "2001:db8:1:2::/64");
        assert_ne!(
            client(Some("2001:db8:1:3::1")),
            client(Some("2001:db8:1:2::1"))
        );
    }

    #[test]
    fn a_mapped_ipv4_address_is_the_ipv4_address() {
        assert_eq!(client(Some("::ffff:203.0.113.7")), "203.0.113.7");
    }

    #[test]
    fn what_is_no_address_shares_one_name() {
        for wrong in [
            None,
            Some(""),
            Some("203.0.113"),
            Some("203.0.113.7, 10.0.0.1"),
            Some("ip:203.0.113.7"),
            Some("localhost"),
        ] {
            assert_eq!(client(wrong), UNKNOWN, "{wrong:?}");
        }
    }
}
