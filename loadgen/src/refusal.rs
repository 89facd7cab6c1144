//! A 429 of the platform itself, which no Worker sent.

use std::fmt;

/// Which limit of the platform refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform429 {
    /// `error code: 1027`: the day's requests of the Free plan are used up (observed as 429; ERR, LIM 2026-10-08).
    DailyLimit,
    /// `error code: 1015`: rate limited at the edge (old copies of LIM, 2024, and rate limiting rules).
    EdgeLimit,
}

impl Platform429 {
    /// Reads the platform's error code from the body of a 429, if it has one.
    pub fn recognise(body: &[u8]) -> Option<Self> {
        // The page may be HTML; the code is near its beginning.
        let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).to_ascii_lowercase();
        let says = |code: &str| {
            text.contains(&format!("error code: {code}")) || text.contains(&format!("error {code}"))
        };
        if says("1027") {
            Some(Self::DailyLimit)
        } else if says("1015") {
            Some(Self::EdgeLimit)
        } else {
            None
        }
    }
}

impl fmt::Display for Platform429 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DailyLimit => {
                "error 1027: the plan's daily requests are used up, until midnight UTC"
            }
            Self::EdgeLimit => "error 1015: the platform limits this client at its edge",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Platform429;

    #[test]
    fn the_platforms_own_429s_are_recognised() {
        for (body, platform) in [
            ("error code: 1027", Some(Platform429::DailyLimit)),
            ("error code: 1015", Some(Platform429::EdgeLimit)),
            (
                "<html><title>Error 1027</title>",
                Some(Platform429::DailyLimit),
            ),
            ("Too many requests", None),
        ] {
            assert_eq!(Platform429::recognise(body.as_bytes()), platform, "{body}");
        }
    }
}
