//! The contract for a server whose API is unknown.
//!
//! A 429 is a denial, unless the platform sent it; a 2xx is right; any other status is wrong. No quota is promised, so a
//! verdict needs `--expect`.

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};

use super::{Charge, Configured, Contract, Denial, Lookup, Sample, Seed, Simulated, Words};
use crate::answer::Answer;
use crate::plan::{Plan, Template};
use crate::refusal::Platform429;
use crate::secret::Secret;

/// Knows HTTP and no API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generic;

impl Contract for Generic {
    fn sample(&self) -> Sample {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, HeaderValue::from_static(crate::USER_AGENT));
        Sample {
            template: Template {
                method: Method::GET,
                path_and_query: "/".into(),
                headers,
                body: Bytes::new(),
            },
            needs_token: false,
        }
    }

    fn charge(&self, _: &Plan) -> Charge {
        Charge::Unknown
    }

    fn wrong_status(&self, _: &Plan, _: Charge, answer: &Answer) -> Option<&'static str> {
        (!(200..300).contains(&answer.status)).then_some("is neither 2xx nor 429")
    }

    fn denial<'a>(&self, answer: &'a Answer) -> Option<Denial<'a>> {
        match Platform429::recognise(&answer.body) {
            Some(_) => None,
            None => Some(Denial {
                problem: None,
                retry_after_required: false,
            }),
        }
    }

    fn judges_fields(&self) -> bool {
        false
    }

    fn login(&self, _: &str, _: &Secret) -> Option<Template> {
        None
    }

    fn token(&self, _: &Answer) -> Option<Secret> {
        None
    }

    fn words(&self) -> Words {
        Words {
            examples: "
  edgeproof-loadgen burst http://127.0.0.1:8787 --expect admitted=50,denied=100
  edgeproof-loadgen burst http://127.0.0.1:8787 --expect denied=0 -- curl https://your-app.example.com/items?limit=3",
            sample: "GET / is sent",
            mark: "a status of the server's own",
            own_denials: "no 429 came from the platform",
        }
    }
}

/// A Worker of which nothing is known but its configuration: any variable can be given, and each value is kept out of
/// reports; it has no quota, no users and no tokens.
impl Simulated for Generic {
    fn variables(&self) -> Option<Vec<String>> {
        None
    }

    fn is_plain(&self, _: &str) -> bool {
        false
    }

    fn configured(&self, _: Charge, _: Lookup<'_>) -> Configured {
        Configured {
            enabled: true,
            quota: None,
            inexact: None,
        }
    }

    fn secrets(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    fn seeds(&self, _: Lookup<'_>) -> Vec<Seed> {
        Vec::new()
    }

    fn token(&self, _: u32, _: u64) -> Secret {
        unreachable!("the generic contract's requests need no token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_429_is_a_denial_unless_the_platform_sent_it() {
        assert!(Generic.denial(&answer(429, "slow down")).is_some());
        assert!(Generic.denial(&answer(429, "error code: 1027")).is_none());
    }

    #[test]
    fn only_2xx_is_right() {
        let plan = crate::plan::tests::plan(1, 1);
        for (status, wrong) in [
            (200, false),
            (204, false),
            (301, true),
            (401, true),
            (500, true),
        ] {
            let judged = Generic.wrong_status(&plan, Charge::Unknown, &answer(status, ""));
            assert_eq!(judged.is_some(), wrong, "{status}");
        }
    }
}
