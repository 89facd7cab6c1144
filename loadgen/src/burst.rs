//! One burst from the command line to the report: the order of the steps, and what each one's failure means.

use std::rc::Rc;
use std::time::Duration;

use http::Method;
use http::header::{AUTHORIZATION, HeaderValue};
use miette::miette;
use url::Url;

use crate::args::BurstArgs;
use crate::contract::{Charge, Contract, Quota, Sample};
use crate::curl::{self, Bearer, Command};
use crate::expect::Expectation;
use crate::plan::{Auth, Identities, Plan, Template};
use crate::report::{Report, Subject};
use crate::secret::{Redactor, Secret, shown_url};
use crate::target::Measured;
use crate::target::embedded::{self, Worker};
use crate::target::http::{self as http_target, host};
use crate::variables;
use crate::verdict::{Evidence, run_checks, unmeasured, verdict};

/// How long a server may take to answer, unless `--timeout` says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A load generator for one API: its contract and, if it has one to run, its Worker.
#[derive(Debug, Clone)]
pub struct Program {
    /// The name of the binary.
    pub name: &'static str,
    /// How the program is called where a report repeats the command.
    pub command: &'static str,
    /// What the API promises.
    pub contract: Rc<dyn Contract>,
    /// The Worker for runs without a TARGET.
    pub worker: Option<Worker>,
}

impl Program {
    /// Whether the value of a variable of the Worker may be shown.
    fn is_plain(&self, name: &str) -> bool {
        self.worker
            .as_ref()
            .is_some_and(|worker| worker.rules.is_plain(name))
    }
}

/// Why there is no report.
#[derive(Debug)]
pub enum Trouble {
    /// The command line asks for something impossible: exit code 2.
    Usage(miette::Report),
    /// The program itself could not run (no runtime, no file): exit code 3.
    Unable(miette::Report),
}

fn usage(message: impl std::fmt::Display) -> Trouble {
    Trouble::Usage(miette!("{message}"))
}

/// Everything decided before the first byte is sent.
struct Prepared {
    plan: Plan,
    origin: Option<Url>,
    login: Option<(String, Secret)>,
    shown_curl: Option<String>,
    notes: Vec<String>,
    redactor: Redactor,
    vars: Vec<(String, String)>,
}

/// Runs a burst as `args` say. `environment` gives variables of the process (for `--token-env`).
pub fn run(
    program: &Program,
    args: &BurstArgs,
    environment: &dyn Fn(&str) -> Option<String>,
    progress: &dyn Fn(u64),
) -> Result<Report, Trouble> {
    let mut prepared = prepare(program, args, environment)?;
    let contract = Rc::clone(&program.contract);
    let timeout = args
        .timeout
        .map_or(DEFAULT_TIMEOUT, Duration::from_secs_f64);
    let measured = match &prepared.origin {
        Some(origin) => {
            let options = http_target::Options {
                origin: origin.clone(),
                login: prepared.login.clone(),
                timeout,
            };
            http_target::run(contract, &prepared.plan, &options, progress).map_err(|error| {
                Trouble::Unable(miette!("cannot start the HTTP client: {error}"))
            })?
        }
        None => {
            let options = embedded::Options {
                env: args.env.clone(),
                vars: prepared.vars.clone(),
            };
            let worker = program.worker.as_ref().ok_or_else(no_worker)?;
            embedded::run(contract, worker, &prepared.plan, &options, progress).map_err(usage)?
        }
    };
    measured
        .secrets
        .iter()
        .for_each(|secret| prepared.redactor.add(secret.expose()));
    Ok(judge(program, args, prepared, measured))
}

fn judge(program: &Program, args: &BurstArgs, prepared: Prepared, measured: Measured) -> Report {
    let Prepared {
        plan,
        origin,
        shown_curl,
        mut notes,
        redactor,
        ..
    } = prepared;
    let quota = measured.tally.checks.quota();
    let expected = args.expect.clone().or_else(|| computed(&plan, &measured));
    let reasons = unmeasured(
        &measured.tally,
        &Evidence {
            plan: &plan,
            charge: measured.charge,
            quota,
            stated: args.expect.as_ref(),
            expected: expected.as_ref(),
            inexact: measured
                .configured
                .and_then(|configured| configured.inexact),
            fresh: measured.fresh,
            target_trouble: &measured.trouble,
        },
    );
    notes.extend(measured.notes.iter().cloned());
    let checks = run_checks(&measured.tally, expected.as_ref());
    let subject = Subject {
        target: origin.map_or_else(
            || "embedded".to_owned(),
            |origin| origin.origin().ascii_serialization(),
        ),
        seed: plan.seed,
        command: args.repeat(
            program.command,
            &|name| program.is_plain(name),
            shown_curl.as_deref(),
        ),
        expected,
        notes,
    };
    let mut report = Report::new(subject, measured, checks, reasons, verdict);
    report.redact(&redactor);
    report
}

/// The expectation from the plan and the quotas in force, where both are known.
fn computed(plan: &Plan, measured: &Measured) -> Option<Expectation> {
    let by = |quota: Quota, source: &str| {
        format!(
            "the first {} of each identity in {} s, {} {}, {source}",
            quota.requests,
            quota.window_seconds,
            plan.identity_count(),
            if plan.identity_count() == 1 {
                "identity"
            } else {
                "identities"
            },
        )
    };
    match (
        measured.charge,
        measured.configured,
        measured.tally.checks.learned(),
    ) {
        (Charge::Free, _, None) => Some(Expectation::computed(
            plan,
            None,
            "this route is free of charge",
        )),
        (_, Some(configured), _) if !configured.enabled => {
            Some(Expectation::computed(plan, None, "the limiter is off"))
        }
        (_, Some(configured), _) if configured.inexact.is_some() => None,
        (_, Some(configured), _) => {
            let quota = configured.quota?;
            Some(Expectation::computed(
                plan,
                Some(quota),
                by(quota, "by the Worker's configuration"),
            ))
        }
        (_, None, Some(quota)) => Some(Expectation::computed(
            plan,
            Some(quota),
            by(quota, "as RateLimit-Policy says"),
        )),
        (_, None, None) => None,
    }
}

fn no_worker() -> Trouble {
    usage(
        "this program has no Worker of its own: give a TARGET, as in `loadgen burst http://127.0.0.1:8787`",
    )
}

fn prepare(
    program: &Program,
    args: &BurstArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Prepared, Trouble> {
    let command = match args.curl.as_slice() {
        [] => None,
        words => {
            let read = |name: &str| std::fs::read(name);
            Some(curl::parse(words.to_vec(), &read).map_err(|error| Trouble::Usage(error.into()))?)
        }
    };
    let origin = args.target.as_deref().map(parse_target).transpose()?;
    let mut notes = command
        .as_ref()
        .map(|command| command.notes.clone())
        .unwrap_or_default();
    let mut redactor = Redactor::default();
    if let Some(command) = &command {
        command
            .secrets
            .iter()
            .for_each(|secret| redactor.add(secret.expose()));
    }
    let known = match &program.worker {
        Some(worker) => worker.rules.variables(),
        None if origin.is_none() => return Err(no_worker()),
        None => Vec::new(),
    };
    let vars = variables::parse(&args.var, &known).map_err(usage)?;
    vars.iter()
        .filter(|(name, _)| !program.is_plain(name))
        .for_each(|(_, value)| redactor.add(value));
    let sample = program.contract.sample();
    let (auth, login, token) = match &origin {
        Some(origin) => {
            check_http_options(&*program.contract, args, origin)?;
            credentials(args, command.as_ref(), sample.needs_token, environment)?
        }
        None => {
            check_embedded_options(args)?;
            let auth = embedded_auth(command.as_ref(), sample.needs_token, &mut notes);
            (auth, None, None)
        }
    };
    if let Some((_, password)) = &login {
        redactor.add(password.expose());
    }
    let mut template = template(command.as_ref(), sample)?;
    if auth == Auth::PerUser || login.is_some() {
        template.headers.remove(AUTHORIZATION);
    }
    if let Some(token) = token {
        redactor.add(token.expose());
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| usage("--token-env: the token holds characters that no header can"))?;
        value.set_sensitive(true);
        template.headers.insert(AUTHORIZATION, value);
    }
    if let (Some(command), Some(origin)) = (&command, &origin)
        && command.url.origin() != origin.origin()
    {
        notes.push(format!(
            "sent to {}, not to the curl command's {}: of its URL only path and query are used",
            origin.origin().ascii_serialization(),
            command.url.origin().ascii_serialization()
        ));
    }
    let plan = Plan {
        template,
        auth,
        // Over HTTP there is one token, or one address; in the simulator every user has a token and an address.
        identities: if origin.is_some() {
            Identities::One
        } else {
            Identities::PerUser
        },
        requests: args.requests,
        clients: u32::try_from(args.requests.min(u64::from(args.clients)))
            .expect("not above a u32"),
        users: args.users,
        pops: args.pop.clone(),
        seed: args.seed,
    };
    if let Some(expected) = &args.expect
        && expected.admitted.unwrap_or(0) + expected.denied.unwrap_or(0) > plan.requests
    {
        return Err(usage(format!(
            "--expect states more answers than the {} of -n",
            crate::counted(plan.requests, "request")
        )));
    }
    Ok(Prepared {
        plan,
        origin,
        login,
        shown_curl: command.map(|command| command.shown),
        notes,
        redactor,
        vars,
    })
}

fn parse_target(text: &str) -> Result<Url, Trouble> {
    if text == "curl" {
        return Err(usage(
            "write `--` before a curl command: loadgen burst -- curl …",
        ));
    }
    let absolute = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url =
        Url::parse(&absolute).map_err(|error| usage(format!("TARGET is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(usage("TARGET: only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage(
            "TARGET holds a user or password: use --login USER:PASSWORD or --token-env NAME",
        ));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(usage(format!(
            "TARGET {} is more than scheme, host and port: give the path in a curl command, as in `loadgen burst {} -- curl {}`",
            shown_url(text),
            url.origin().ascii_serialization(),
            shown_url(text)
        )));
    }
    Ok(url)
}

fn check_http_options(
    contract: &dyn Contract,
    args: &BurstArgs,
    origin: &Url,
) -> Result<(), Trouble> {
    for (given, name) in [
        (args.env.is_some(), "--env"),
        (!args.var.is_empty(), "--var"),
        (args.users > 1, "--users"),
    ] {
        if given {
            return Err(usage(format!(
                "{name} belongs to the embedded simulator: a server has its own configuration and users"
            )));
        }
    }
    if let Some(login) = &args.login
        && contract.login("", login).is_none()
    {
        return Err(usage(
            "--login: no login of this server is known; give --token-env NAME with a token in that variable",
        ));
    }
    let planned = args.requests.saturating_add(args.login.is_some().into());
    host::admit(origin, &args.allow_host, args.max_requests, planned).map_err(usage)
}

fn check_embedded_options(args: &BurstArgs) -> Result<(), Trouble> {
    for (given, name, why) in [
        (
            args.login.is_some(),
            "--login",
            "the simulator issues its own tokens",
        ),
        (
            args.token_env.is_some(),
            "--token-env",
            "the simulator issues its own tokens",
        ),
        (
            !args.allow_host.is_empty(),
            "--allow-host",
            "the simulator reaches no host",
        ),
        (
            args.timeout.is_some(),
            "--timeout",
            "in the simulator every request is answered",
        ),
    ] {
        if given {
            return Err(usage(format!("{name} needs a TARGET: {why}")));
        }
    }
    match args.max_requests {
        Some(cap) if args.requests > cap => Err(usage(host::HostError::OverCap {
            planned: args.requests,
            cap,
        })),
        _ => Ok(()),
    }
}

fn embedded_auth(command: Option<&Command>, needs_token: bool, notes: &mut Vec<String>) -> Auth {
    match command.map(|command| command.bearer) {
        None if !needs_token => Auth::None,
        None => Auth::PerUser,
        Some(Bearer::Placeholder) => {
            notes.push("the placeholder token was replaced by a valid token of user 1 (of each user, with --users)".into());
            Auth::PerUser
        }
        Some(Bearer::Absent) => Auth::None,
        Some(Bearer::Given) => {
            notes.push(
                "the command's own credential was sent; the embedded Worker has a secret of its own and charges an \
                 unknown token to the address (write `Bearer YOUR_TOKEN` for a valid one)"
                    .into(),
            );
            Auth::None
        }
    }
}

type Credentials = (Auth, Option<(String, Secret)>, Option<Secret>);

/// Who to be at a server: `--login`, `--token-env`, or what the curl command says.
fn credentials(
    args: &BurstArgs,
    command: Option<&Command>,
    needs_token: bool,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Credentials, Trouble> {
    let offered = args.login.is_some() || args.token_env.is_some();
    match command.map(|command| command.bearer) {
        Some(Bearer::Given) if offered => {
            return Err(usage(
                "the curl command has a credential already: drop it, or --login and --token-env",
            ));
        }
        Some(Bearer::Given) => return Ok((Auth::Given, None, None)),
        Some(Bearer::Absent) if !offered => return Ok((Auth::None, None, None)),
        Some(Bearer::Placeholder) if !offered => {
            return Err(usage(
                "`Bearer YOUR_TOKEN` is a placeholder: give --login USER:PASSWORD, or --token-env NAME with the token in \
                 that environment variable",
            ));
        }
        None if !offered && !needs_token => return Ok((Auth::None, None, None)),
        None if !offered => {
            return Err(usage(
                "a server needs a token: give --login USER:PASSWORD, or --token-env NAME with the token in that \
                 environment variable (or a curl command, after `--`)",
            ));
        }
        _ => {}
    }
    if let Some(login) = &args.login {
        let (user, password) = login
            .expose()
            .split_once(':')
            .filter(|(user, password)| !user.is_empty() && !password.is_empty())
            .ok_or_else(|| usage("--login is USER:PASSWORD"))?;
        return Ok((
            Auth::Given,
            Some((user.to_owned(), Secret::new(password))),
            None,
        ));
    }
    let name = args.token_env.as_deref().expect("one of the two was given");
    let token = environment(name).filter(|token| !token.trim().is_empty());
    let token = token.ok_or_else(|| {
        // Anything else may be the token itself, given in the wrong place.
        let shown = if is_variable_name(name) {
            name
        } else {
            "of that name"
        };
        usage(format!(
            "--token-env: the environment variable {shown} is not set, or empty"
        ))
    })?;
    Ok((Auth::Given, None, Some(Secret::new(token.trim()))))
}

fn is_variable_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn template(command: Option<&Command>, sample: Sample) -> Result<Template, Trouble> {
    let Some(command) = command else {
        return Ok(sample.template);
    };
    if command.method == Method::CONNECT {
        return Err(usage(
            "CONNECT opens a tunnel and is not a request for a burst",
        ));
    }
    Ok(Template {
        method: command.method.clone(),
        path_and_query: command.url[url::Position::BeforePath..url::Position::AfterQuery]
            .to_owned(),
        headers: command.headers.clone(),
        body: command.body.clone(),
    })
}
