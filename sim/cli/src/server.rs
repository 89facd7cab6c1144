//! What the commands that serve have in common: how their arguments are read, when they end, and what they take from the host.

use edgeproof_sim::serve::gateway;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::wrangler::{Var, WorkerConfig};
use miette::{IntoDiagnostic, Result, miette};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone)]
pub(crate) struct Pair(pub(crate) String, pub(crate) String);

/// An argument that is never shown. It is split into name and value later: an error of its parser would repeat it.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

pub(crate) fn hidden(text: &str) -> Result<Hidden, std::convert::Infallible> {
    Ok(Hidden(text.to_owned()))
}

pub(crate) fn pair(text: &str) -> Result<Pair, &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Pair(name.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE"),
    }
}

pub(crate) fn pop(code: &str) -> Result<Pop, String> {
    Pop::from_code(code)
        .ok_or_else(|| format!("no PoP has this code; the known ones are {}", codes()))
}

pub(crate) fn host(name: &str) -> Result<String, &'static str> {
    gateway::spelled(name).ok_or("expected a host, without scheme, port and path")
}

/// What is wrong with the secrets of a command line.
pub(crate) fn hidden_usage_error(secrets: &[Hidden]) -> Option<String> {
    let wrong = secrets
        .iter()
        .position(|Hidden(text)| pair(text).is_err())?;
    Some(format!(
        "invalid value (hidden) for the {}. '--secret <KEY=VALUE>': expected KEY=VALUE\n",
        wrong + 1
    ))
}

/// The names of a Worker's bindings.
pub(crate) fn bindings(config: &WorkerConfig) -> BTreeSet<&str> {
    let kv = config.kv_namespaces.iter().map(|kv| &kv.binding);
    let d1 = config.d1_databases.iter().map(|d1| &d1.binding);
    let objects = config.durable_objects.iter().map(|object| &object.binding);
    let limiters = config.rate_limits.iter().map(|limiter| &limiter.name);
    kv.chain(d1)
        .chain(objects)
        .chain(limiters)
        .map(String::as_str)
        .collect()
}

/// Every name on a command line stands for one thing.
pub(crate) fn check_given(config: &WorkerConfig, vars: &[Pair], secrets: &[Hidden]) -> Result<()> {
    let bindings = bindings(config);
    let vars = vars.iter().map(|Pair(name, _)| ("--var", name.clone()));
    let secrets = secrets.iter().filter_map(|Hidden(text)| {
        let Pair(name, _) = pair(text).ok()?;
        Some(("--secret", name))
    });
    let mut given = BTreeSet::new();
    for (option, name) in vars.chain(secrets) {
        if bindings.contains(name.as_str()) {
            return Err(miette!("{option} {name}: that is the name of a binding"));
        }
        if !given.insert(name.clone()) {
            return Err(miette!("{option} {name}: that name is given twice"));
        }
    }
    Ok(())
}

/// Prints a line. A server goes on when its output is closed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Waits for Ctrl-C, or, where there are such things, for SIGTERM, SIGQUIT or the end of the terminal (SIGHUP).
pub(crate) async fn told_to_stop() {
    let interrupted = async {
        // Without a signal handler there is no way to end but by force; serving on is the better failure.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let arrives = async |kind| match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        };
        tokio::select! {
            () = interrupted => {}
            () = arrives(SignalKind::terminate()) => {}
            () = arrives(SignalKind::quit()) => {}
            () = arrives(SignalKind::hangup()) => {}
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}

/// Whether the variable ENVIRONMENT says `development`, as given on the command line or configured.
pub(crate) fn is_development(config: &WorkerConfig, vars: &[Pair]) -> bool {
    let given = vars
        .iter()
        .rev()
        .find(|pair| pair.0 == "ENVIRONMENT")
        .map(|pair| pair.1.as_str());
    let configured = config
        .vars
        .get("ENVIRONMENT")
        .and_then(|value| match value {
            Var::Text(text) => Some(text.as_str()),
            Var::Json(_) => None,
        });
    given.or(configured) == Some("development")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a served world begins at the wall clock's time"
)]
pub(crate) fn now_ms() -> Result<u64> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .into_diagnostic()?;
    u64::try_from(now.as_millis()).into_diagnostic()
}

/// 32 random bytes in hexadecimal, from the operating system.
pub(crate) fn random_secret() -> Result<String> {
    use std::fmt::Write;
    use std::io::Read;
    let mut bytes = [0_u8; 32];
    let file = std::fs::File::open("/dev/urandom");
    let mut file = file.map_err(|problem| {
        miette!("no entropy for a secret ({problem}): give one on the command line")
    })?;
    file.read_exact(&mut bytes).into_diagnostic()?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn codes() -> String {
    Pop::all().map(Pop::code).collect::<Vec<_>>().join(" ")
}
