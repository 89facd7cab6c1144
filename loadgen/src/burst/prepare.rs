//! From the arguments to a plan: impossible ones are refused here, before anything is sent.

use http::Method;
use http::header::{AUTHORIZATION, HeaderValue};
use url::Url;

use super::credentials::{credentials, embedded_auth};
use crate::args::BurstArgs;
use crate::contract::{Contract, Sample};
use crate::curl::{self, Command};
use crate::plan::{Auth, Identities, Plan, Template};
use crate::program::{Program, Trouble, usage};
use crate::secret::{Redactor, Secret, shown_url};
use crate::target::http::host;
use crate::variables;

/// The decisions made before the first byte is sent.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) origin: Option<Url>,
    pub(super) login: Option<(String, Secret)>,
    pub(super) shown_curl: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) redactor: Redactor,
    pub(super) vars: Vec<(String, String)>,
}

/// A run without a TARGET needs a Worker.
pub(super) fn no_worker(program: &Program) -> Trouble {
    usage(format!(
        "this program has no Worker of its own: give a TARGET, as in `{} burst http://127.0.0.1:8787`",
        program.name
    ))
}

/// Turns the arguments into a plan, and refuses impossible ones.
pub(super) fn prepare(
    program: &Program,
    args: &BurstArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Prepared, Trouble> {
    let command = match args.curl.as_slice() {
        [] => None,
        words => {
            let parsed = curl::parse(words.to_vec(), &curl::file::read);
            Some(parsed.map_err(|error| Trouble::Usage(error.into()))?)
        }
    };
    let origin = args
        .target
        .as_deref()
        .map(|text| parse_target(program, text))
        .transpose()?;
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
        None if origin.is_none() => return Err(no_worker(program)),
        None => Some(Vec::new()),
    };
    let vars = variables::parse(&args.var, known.as_deref()).map_err(usage)?;
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

fn parse_target(program: &Program, text: &str) -> Result<Url, Trouble> {
    if text == "curl" {
        return Err(usage(format!(
            "write `--` before a curl command: {} burst -- curl …",
            program.name
        )));
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
            "TARGET {} is more than scheme, host and port: give the path in a curl command, as in `{} burst {} -- curl {}`",
            shown_url(text),
            program.name,
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
