//! From the text of a traffic file to traffic, or to the line and the reason why it is none.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use edgeproof_sim::topology::Pop;
use edgeproof_sim::wrangler::file;
use http::{HeaderName, HeaderValue, Method};
use miette::{IntoDiagnostic as _, Result, WrapErr as _};
use serde::Deserialize;
use toml::Spanned;

use super::super::REQUESTS_MAX;
use super::super::people::{DAYTIME, Hours, POPS, People};
use super::{FileTraffic, Route};

/// Longest file in bytes: some thousands of routes have room in it.
const BYTES_MAX: u64 = 1 << 20;

/// Most users; each has an address.
const USERS_MAX: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    requests_per_day: Option<Spanned<u64>>,
    users: Option<Spanned<usize>>,
    pops: Option<Spanned<Vec<Spanned<String>>>>,
    day: Option<Spanned<Shape>>,
    #[serde(default)]
    routes: Vec<Spanned<RouteText>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"daytime\", \"flat\" or a list of 24 weights"
)]
enum Shape {
    Named(String),
    Hours(Vec<u32>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteText {
    name: Option<String>,
    method: Option<Spanned<String>>,
    path: Spanned<String>,
    weight: Option<Spanned<u32>>,
    #[serde(default)]
    headers: BTreeMap<Spanned<String>, Spanned<String>>,
    body: Option<String>,
}

/// A place of the file and what is wrong there.
type Problem = (Range<usize>, String);

impl FileTraffic {
    /// # Errors
    /// The file cannot be read, or holds what is no traffic; with the line.
    pub(in super::super) fn read(path: &Path, seed: u64) -> Result<Self> {
        let text = file::text(path, BYTES_MAX)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
        Self::parse(path, &text, seed)
    }

    pub(in super::super) fn parse(path: &Path, text: &str, seed: u64) -> Result<Self> {
        let at = |(span, message): Problem| {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            miette::miette!(
                help = "`forecast --help` shows what stands in such a file",
                "{}:{line}: {message}",
                path.display()
            )
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let message = error.message().trim_end().replace('\n', ": ");
            at((error.span().unwrap_or(0..0), message))
        })?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Self::new(name.to_string_lossy().into_owned(), file, text.len(), seed).map_err(at)
    }

    fn new(name: String, file: File, end: usize, seed: u64) -> Result<Self, Problem> {
        let requests = within(file.requests_per_day, 100_000, REQUESTS_MAX)?;
        let users = within(file.users, 500, USERS_MAX)?;
        let pops = pops(file.pops)?;
        let (shape, hours) = hours(file.day)?;
        if file.routes.is_empty() {
            return Err((end..end, "there is no [[routes]]".to_owned()));
        }
        let mut traffic = Self {
            name,
            seed,
            requests,
            people: People::new(seed, users, pops, hours),
            shape,
            kinds: Vec::new(),
            routes: Vec::new(),
            weights: Vec::new(),
        };
        for route in file.routes {
            traffic.add(route)?;
        }
        if traffic.weights.iter().sum::<u64>() == 0 {
            return Err((end..end, "every route has the weight 0".to_owned()));
        }
        Ok(traffic)
    }

    fn add(&mut self, route: Spanned<RouteText>) -> Result<(), Problem> {
        let span = route.span();
        let route = route.into_inner();
        let method = match &route.method {
            None => Method::GET,
            Some(given) => {
                let method = Method::from_bytes(given.get_ref().as_bytes());
                let method = method.ok().filter(|method| method != Method::CONNECT);
                method.ok_or_else(|| {
                    let message = format!("{:?} is no method of a request", given.get_ref());
                    (given.span(), message)
                })?
            }
        };
        let path = route.path.get_ref();
        let is_path = path.starts_with('/')
            && path
                .chars()
                .all(|c| !c.is_whitespace() && !c.is_control() && c != '#');
        if !is_path {
            return Err((
                route.path.span(),
                format!("{path:?} is no path: it begins with / and has no spaces"),
            ));
        }
        let mut headers = Vec::new();
        for (name, value) in &route.headers {
            if HeaderName::from_bytes(name.get_ref().as_bytes()).is_err() {
                return Err((name.span(), format!("{:?} is no header", name.get_ref())));
            }
            if HeaderValue::from_str(value.get_ref()).is_err() {
                return Err((value.span(), "no header can have this value".to_owned()));
            }
            headers.push((name.get_ref().clone(), value.get_ref().clone()));
        }
        let kind = route.name.unwrap_or_else(|| format!("{method} {path}"));
        if self.kinds.contains(&kind) {
            return Err((
                span,
                format!("another route is called {kind:?} already: give this one a name"),
            ));
        }
        self.kinds.push(kind);
        let weight = route.weight.map_or(1, Spanned::into_inner);
        self.weights.push(u64::from(weight));
        self.routes.push(Route {
            method,
            path: path.clone(),
            headers,
            body: route.body,
        });
        Ok(())
    }
}

/// A number from 1 to `most`, or what is taken without it.
fn within<N: Copy + PartialOrd + From<u8> + std::fmt::Display>(
    given: Option<Spanned<N>>,
    default: N,
    most: N,
) -> Result<N, Problem> {
    let Some(given) = given else {
        return Ok(default);
    };
    let number = *given.get_ref();
    if N::from(1) <= number && number <= most {
        return Ok(number);
    }
    Err((given.span(), format!("{number} is not from 1 to {most}")))
}

fn pops(given: Option<Spanned<Vec<Spanned<String>>>>) -> Result<Vec<Pop>, Problem> {
    let Some(given) = given else {
        let pops = POPS.iter().map(|code| Pop::from_code(code));
        return Ok(pops
            .map(|pop| pop.expect("a code of the simulator's table"))
            .collect());
    };
    let span = given.span();
    let mut pops = Vec::new();
    for code in given.into_inner() {
        let pop = Pop::from_code(code.get_ref()).ok_or_else(|| {
            let known: Vec<&str> = Pop::all().map(Pop::code).collect();
            let message = format!(
                "no PoP has the code {:?}; the known ones are {}",
                code.get_ref(),
                known.join(" ")
            );
            (code.span(), message)
        })?;
        if pops.contains(&pop) {
            return Err((code.span(), format!("{} is named twice", code.get_ref())));
        }
        pops.push(pop);
    }
    if pops.is_empty() {
        return Err((span, "a list of PoPs has one at least".to_owned()));
    }
    Ok(pops)
}

/// The hours, and what a report says of them.
fn hours(given: Option<Spanned<Shape>>) -> Result<(String, Hours), Problem> {
    let daytime = "1 + 0.8 cos, highest at 14:00";
    let Some(given) = given else {
        return Ok((daytime.to_owned(), DAYTIME));
    };
    let span = given.span();
    match given.into_inner() {
        Shape::Named(name) => match name.as_str() {
            "daytime" => Ok((daytime.to_owned(), DAYTIME)),
            "flat" => Ok(("the same in every hour".to_owned(), [1; 24])),
            _ => Err((
                span,
                format!("no day has the name {name:?}; the known ones are daytime and flat"),
            )),
        },
        Shape::Hours(weights) => {
            let number = weights.len();
            let weights: Vec<u64> = weights.into_iter().map(u64::from).collect();
            let hours = Hours::try_from(weights)
                .map_err(|_| (span.clone(), format!("a day has 24 hours, not {number}")))?;
            if hours.iter().sum::<u64>() == 0 {
                return Err((span, "nobody is active at any hour".to_owned()));
            }
            Ok(("24 weights of the file".to_owned(), hours))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_refused_with_line_and_reason() {
        let route = "[[routes]]\npath = '/'\n";
        for (text, said) in [
            ("", "day.toml:1: there is no [[routes]]"),
            ("users = 1\nuser = 2\n", "day.toml:2: unknown field `user`"),
            ("users =\n", "day.toml:1: "),
            (
                "[[routes]]\nmethod = 'GET'\n",
                "day.toml:1: missing field `path`",
            ),
            ("[[routes]]\npath = 'a'\n", "day.toml:2: \"a\" is no path"),
            (
                "[[routes]]\npath = '/'\nmethod = 'G T'",
                "day.toml:3: \"G T\" is no method",
            ),
            ("[[routes]]\npath = '/'\nweight = -1", "day.toml:3: "),
            (
                "[[routes]]\npath = '/'\nweight = 0\n",
                "every route has the weight 0",
            ),
            (
                "[[routes]]\npath = '/'\n\n[[routes]]\npath = '/'\n",
                "day.toml:4: another route is called \"GET /\" already",
            ),
            (
                "[[routes]]\npath = '/'\nheaders = { 'a b' = 'c' }\n",
                "day.toml:3: \"a b\" is no header",
            ),
            (
                "[[routes]]\npath = '/'\nheaders = { a = \"b\\nc\" }\n",
                "day.toml:3: no header can have this value",
            ),
            (
                &format!("\npops = [\"XXX\"]\n{route}"),
                "day.toml:2: no PoP has the code \"XXX\"",
            ),
            (
                &format!("pops = ['IAD', 'IAD']\n{route}"),
                "day.toml:1: IAD is named twice",
            ),
            (&format!("pops = []\n{route}"), "one at least"),
            (
                &format!("users = 0\n{route}"),
                "day.toml:1: 0 is not from 1 to 100000",
            ),
            (
                &format!("requests_per_day = 1000001\n{route}"),
                "is not from 1 to 1000000",
            ),
            (
                &format!("day = 'night'\n{route}"),
                "no day has the name \"night\"",
            ),
            (
                &format!("day = [1, 2]\n{route}"),
                "a day has 24 hours, not 2",
            ),
            (
                &format!("day = 3\n{route}"),
                "expected \"daytime\", \"flat\" or a list of 24",
            ),
            (
                &format!("day = [{}]\n{route}", "0, ".repeat(24)),
                "nobody is active at any hour",
            ),
        ] {
            let refused = FileTraffic::parse("day.toml".as_ref(), text, 0);
            let problem = refused.expect_err(text).to_string();
            assert!(problem.contains(said), "{text:?}: {problem}");
            assert!(problem.starts_with("day.toml:"), "{text:?}: {problem}");
        }
    }
}
