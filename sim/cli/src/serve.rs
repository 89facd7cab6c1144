//! `sim serve`: the Worker over HTTP.

use crate::api::TokenArgument;
use crate::state::StateFolder;
use clap::Args;
use edgeproof_sim::World;
use edgeproof_sim::bill;
use edgeproof_sim::serve::gateway::{self, RealGateway};
use edgeproof_sim::serve::{api, http, socket};
use edgeproof_sim::topology::Pop;
use edgeproof_sim::wrangler::WorkerConfig;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// The Worker's configuration, as it deploys.
pub(crate) const WRANGLER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../worker/wrangler.toml");

/// The secret without which the Worker serves no user.
pub(crate) const JWT_SECRET: &str = "AUTH_JWT_SECRET";

/// Options of `sim serve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Environment of wrangler.toml; the top level if absent.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Set a variable, over what wrangler.toml says.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    var: Vec<Pair>,
    /// Set a secret.
    #[arg(long, value_name = "KEY=VALUE", value_parser = hidden)]
    secret: Vec<Hidden>,
    /// Keep D1, KV and Durable Objects in this folder.
    #[arg(long, value_name = "DIR", visible_alias = "persist")]
    state: Option<PathBuf>,
    /// Also answer wrangler's KV and D1 commands, on this port of 127.0.0.1; 0 takes a free one and prints it.
    #[arg(long, value_name = "PORT")]
    api: Option<u16>,
    #[command(flatten)]
    token: TokenArgument,
    /// PoP of requests without an x-sim-pop header; D1 lives there too.
    #[arg(long, value_name = "CODE", default_value = "IAD", value_parser = pop)]
    pop: Pop,
    /// Let outbound fetches reach this host; loopback is always reachable, nothing else is.
    #[arg(long, value_name = "NAME", value_parser = host)]
    allow_host: Vec<String>,
    /// Seed of the simulated platform's chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Another Worker configuration than the project's own.
    #[arg(long, value_name = "FILE", default_value = WRANGLER, hide_default_value = true)]
    config: PathBuf,
}

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

impl Arguments {
    /// What is wrong with the arguments that the parser took, without repeating what may be a secret.
    pub(crate) fn usage_error(&self) -> Option<String> {
        hidden_usage_error(&self.secret)
    }
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

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    // A shorter name of the same file, for messages; a file that is not there keeps the name it was given.
    let file = arguments
        .config
        .canonicalize()
        .unwrap_or_else(|_| arguments.config.clone());
    let config = WorkerConfig::load(&file, arguments.env.as_deref())?;
    for warning in &config.warnings {
        eprintln!(
            "warning: {}:{}: {}",
            config.file.display(),
            warning.line,
            warning.message
        );
    }
    let development = is_development(&config, &arguments.var);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .into_diagnostic()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let state = arguments.state.as_deref().map(StateFolder::open).transpose()?;
        let token = arguments.token.token()?;
        let world = build(&arguments, config, development)?;
        let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await;
        let listener = listener.into_diagnostic().wrap_err_with(|| {
            format!("cannot listen on 127.0.0.1:{}: choose another port with --port", arguments.port)
        })?;
        let address = listener.local_addr().into_diagnostic()?;
        let mut listeners = vec![(listener, http::handler(&world))];
        let mut api_address = None;
        if let Some(port) = arguments.api {
            let listener = crate::api::listen(port).await?;
            api_address = Some(listener.local_addr().into_diagnostic()?);
            listeners.push((listener, api::handler(&world, token.secret())));
        }
        let mut stop = Box::pin(told_to_stop());
        // The handler is there from the first poll on: before anybody is told that the server is.
        let interrupted = poll_fn(|context| Poll::Ready(stop.as_mut().poll(context).is_ready())).await;
        say(&format!("listening on http://{address}"));
        if development {
            say("demo user: POST /api/auth/login {\"username\":\"demo\",\"password\":\"demo-pass-9137\"}");
        }
        if let Some(address) = api_address {
            token.announce(address);
        }
        say(&format!("PoP {} unless a request names one in x-sim-pop; Ctrl-C ends", arguments.pop.code()));
        let stop = async move {
            if !interrupted {
                stop.await;
            }
        };
        let served = socket::serve(&world, listeners, stop);
        StateFolder::kept_while(state.as_ref(), &world, served).await?;
        let span = world.elapsed().max(Duration::from_secs(1));
        let rows = bill::plan::budget(&world.usage(), world.plan(), span);
        say(&format!("\n{}", edgeproof_sim::report::budget_table(&rows)));
        Ok(())
    })
}

/// Prints a line. A server whose output nobody reads any more serves on.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Waits for Ctrl-C, or, where there is such a thing, for SIGTERM.
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
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut signals) => drop(signals.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}

fn build(arguments: &Arguments, config: WorkerConfig, development: bool) -> Result<World> {
    let folder = config.file.parent().unwrap_or(Path::new(".")).to_owned();
    let databases: Vec<String> = config
        .d1_databases
        .iter()
        .map(|database| database.binding.clone())
        .collect();
    let mut builder = World::builder()
        .script(worker::native::script("edgeproof-worker"))
        .config(config)
        .pops([arguments.pop.code()])
        .seed(arguments.seed)
        .start_unix_ms(now_ms()?)
        .gateway(Rc::new(RealGateway::new(
            arguments.allow_host.iter().cloned(),
        )))
        .console(true);
    for Pair(name, value) in &arguments.var {
        builder = builder.var(name, value);
    }
    let mut given = BTreeSet::new();
    for Hidden(text) in &arguments.secret {
        let Pair(name, value) = pair(text).expect("the usage has been checked");
        builder = builder.secret(&name, &value);
        given.insert(name);
    }
    if development {
        if !given.contains(JWT_SECRET) {
            // Good for this process only: tokens come from the login route.
            builder = builder.secret(JWT_SECRET, &random_secret()?);
        }
        let seeds = folder.join("seeds/development.sql");
        if seeds.exists() {
            let sql = std::fs::read_to_string(&seeds).into_diagnostic()?;
            for database in &databases {
                builder = builder.seed_sql(database, &seeds.to_string_lossy(), &sql);
            }
        }
    }
    if let Some(folder) = &arguments.state {
        builder = builder.persist(folder);
    }
    Ok(builder.build()?)
}

/// Whether the variable ENVIRONMENT says `development`, as given on the command line or configured.
pub(crate) fn is_development(config: &WorkerConfig, vars: &[Pair]) -> bool {
    use edgeproof_sim::wrangler::Var;
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
        miette!("no entropy for a secret ({problem}): give one with --secret {JWT_SECRET}=…")
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
