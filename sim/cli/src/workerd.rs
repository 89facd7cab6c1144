//! `workerd`: a real workerd whose KV and D1 are the simulator's.
//!
//! The Worker's bundle, or any JavaScript Worker, runs on the runtime that Cloudflare runs it on; what it binds is simulated: each
//! PoP has its own eventually consistent view of KV, all share one D1 and one namespace of Durable Objects, which are workerd's
//! own. Faults are those that make sense under the wall clock.

mod bundle;
mod configuration;
mod process;

use crate::api::TokenArgument;
use crate::linked::Linked;
use crate::project::Project;
use crate::server::{
    Hidden, Pair, bindings, check_given, hidden, host, is_development, now_ms, pair, pop,
    random_secret, say, told_to_stop,
};
use crate::state::StateFolder;
use crate::tools::{Cache, Npm};
use bundle::Bundle;
use clap::Args;
use configuration::Configuration;
use edgeproof_sim::World;
use edgeproof_sim::bill;
use edgeproof_sim::fault::{Fault, FaultKind, KvOperation};
use edgeproof_sim::script::Elsewhere;
use edgeproof_sim::serve::api;
use edgeproof_sim::serve::gateway::RealGateway;
use edgeproof_sim::serve::socket::{self, Handler};
use edgeproof_sim::serve::workerd::{self as wire, front};
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::options::Options;
use edgeproof_sim::wrangler::{Var, WorkerConfig, file};
use miette::{Context, IntoDiagnostic, Result, miette};
use process::Process;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How long `waitUntil` tasks may go on after the last request when the command is told to stop: workerd drops them otherwise.
const DRAIN: Duration = Duration::from_secs(1);

/// Longest file of faults in bytes: a hundred thousand of them have room in it.
const FAULTS_BYTES_MAX: u64 = 16 << 20;

/// A fault that lasts as long as the command: a century.
const FOR_EVER_MS: u64 = 100 * 365 * 86_400_000;

/// Options of `workerd`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// PoPs, by IATA code; D1 and the objects' own view of KV are at the first.
    #[arg(long, value_name = "CODES", value_delimiter = ',', default_value = "IAD", value_parser = pop)]
    pops: Vec<Pop>,
    /// Port on 127.0.0.1 of the first PoP, each further one the next; 0 takes free ones and prints them.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// The Worker: a JavaScript module, or a folder with index.js or worker.js [default: what `build` made].
    #[arg(long, value_name = "FILE|FOLDER")]
    script: Option<PathBuf>,
    /// Its configuration [default: wrangler.toml beside the script or in the folder above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Environment of wrangler.toml; the top level if absent.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Set a variable, over what wrangler.toml says.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    var: Vec<Pair>,
    /// Set a secret.
    #[arg(long, value_name = "KEY=VALUE", value_parser = hidden)]
    secret: Vec<Hidden>,
    /// Keep KV, D1 and Durable Objects in this folder.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Let outbound fetches reach this host; loopback is always reachable, nothing else is.
    #[arg(long, value_name = "NAME", value_parser = host)]
    allow_host: Vec<String>,
    /// Seed of the simulated platform's chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The central KV store answers every PoP as it was this many seconds ago.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=86_400))]
    kv_propagation: u64,
    /// Share of KV's uncached reads, writes and lists that fail with 429.
    #[arg(long, value_name = "RATIO", default_value_t = 0.0, value_parser = ratio)]
    kv_429: f64,
    /// Share of KV's uncached reads, writes and lists that fail with 500.
    #[arg(long, value_name = "RATIO", default_value_t = 0.0, value_parser = ratio)]
    kv_500: f64,
    /// Every D1 statement takes this many milliseconds longer.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    d1_latency: u64,
    /// Further faults: a JSON list as in the documentation of edgeproof_sim::fault; times count from the start.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Also answer wrangler's KV and D1 commands on this port.
    #[arg(long, value_name = "PORT")]
    api: Option<u16>,
    #[command(flatten)]
    token: TokenArgument,
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("expected a number from 0 to 1"),
    }
}

impl Arguments {
    /// What is wrong with the arguments that the parser took, without repeating what may be a secret.
    pub(crate) fn usage_error(&self) -> Option<String> {
        let mut codes: Vec<&str> = self.pops.iter().map(|pop| pop.code()).collect();
        codes.sort_unstable();
        if let Some(twice) = codes.windows(2).find(|pair| pair[0] == pair[1]) {
            return Some(format!("--pops names {} twice\n", twice[0]));
        }
        if self.port != 0 && usize::from(self.port) + self.pops.len() > 65_536 {
            return Some("--port leaves no room for the ports of all PoPs\n".to_owned());
        }
        crate::server::hidden_usage_error(&self.secret)
    }

    fn faults(&self) -> Result<Vec<Fault>> {
        let mut faults = match &self.faults {
            None => Vec::new(),
            Some(path) => {
                let text = file::text(path, FAULTS_BYTES_MAX)
                    .into_diagnostic()
                    .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
                serde_json::from_str(&text)
                    .into_diagnostic()
                    .wrap_err_with(|| format!("{} holds no list of faults", path.display()))?
            }
        };
        let mut always = |kind| faults.push(Fault { at_ms: 0, kind });
        if self.kv_propagation > 0 {
            for pop in &self.pops {
                always(FaultKind::KvPropagationDelay {
                    pop: pop.code().to_owned(),
                    delay_ms: self.kv_propagation * 1000,
                    for_ms: FOR_EVER_MS,
                });
            }
        }
        for (status, ratio) in [(429, self.kv_429), (500, self.kv_500)] {
            for operation in [KvOperation::Get, KvOperation::Put] {
                if ratio > 0.0 {
                    always(FaultKind::KvErrors {
                        operation,
                        status,
                        ratio,
                        for_ms: FOR_EVER_MS,
                    });
                }
            }
        }
        Ok(faults)
    }
}

pub(crate) fn run(linked: &Linked, arguments: Arguments) -> Result<()> {
    let bundle = match &arguments.script {
        Some(path) => Bundle::read(path)?,
        None => Bundle::read(&linked.folder.find()?.join("build")).wrap_err_with(|| {
            let command = linked.command;
            format!(
                "the Worker is not built yet: run `{command} build`, or name another with --script"
            )
        })?,
    };
    let file = match (&arguments.config, &arguments.script) {
        (Some(file), _) => file.clone(),
        (None, None) => {
            let own = linked.configuration.file().file_name();
            linked
                .folder
                .find()?
                .join(own.unwrap_or("wrangler.toml".as_ref()))
        }
        (None, Some(script)) => bundle::wrangler_of(script).ok_or_else(|| {
            miette!(
                help = "name it with --config",
                "there is no wrangler.toml beside {} or above it",
                script.display()
            )
        })?,
    };
    let environment = arguments.env.as_deref();
    let project = match arguments.script {
        Some(_) => Project::load(linked, Some(&file), environment)?,
        None => Project::of_worker(linked, Some(&file), environment)?,
    };
    let config = &project.config;
    for warning in &config.warnings {
        eprintln!(
            "warning: {}:{}: {}",
            config.file.display(),
            warning.line,
            warning.message
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .into_diagnostic()?;
    check_names(config)?;
    check_given(config, &arguments.var, &arguments.secret)?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(linked, arguments, bundle, project))
}

/// Names travel in headers.
fn check_names(config: &WorkerConfig) -> Result<()> {
    let bindings = bindings(config);
    let ids = config
        .rate_limits
        .iter()
        .map(|limiter| limiter.namespace_id.as_str());
    for name in bindings.iter().copied().chain(ids) {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(miette!(
                help = "give it a name of printable ASCII without spaces",
                "{}: the name {name:?} cannot be told to workerd",
                config.file.display()
            ));
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a real process is waited for under the wall clock"
)]
async fn serve(
    linked: &Linked,
    arguments: Arguments,
    bundle: Bundle,
    project: Project,
) -> Result<()> {
    let config = &project.config;
    let workerd = Npm::provide(&Cache::of_user()?)?.workerd()?;
    // From the beginning on: Ctrl-C during the start ends what was started.
    let mut stop = Box::pin(told_to_stop());
    let state = arguments
        .state
        .as_deref()
        .map(StateFolder::open)
        .transpose()?;
    let development = is_development(config, &arguments.var);
    let world = world(&arguments, &project, state.as_ref(), development)?;

    let scratch = scratch_folder()?;
    let objects = match &state {
        Some(state) => state.path().join("workerd"),
        None => scratch.path().join("objects"),
    };
    std::fs::create_dir_all(&objects).into_diagnostic()?;
    let objects = objects.canonicalize().into_diagnostic()?;

    let simulator = listen(0).await?;
    let mut fronts = Vec::new();
    let mut lines = Vec::new();
    for (place, pop) in (0_u16..).zip(&arguments.pops) {
        let listener = listen(if arguments.port == 0 {
            0
        } else {
            arguments.port + place
        })
        .await?;
        let address = listener.local_addr().into_diagnostic()?;
        lines.push(format!("{} on http://{address}", pop.code()));
        fronts.push(listener);
    }
    let api_listener = match arguments.api {
        None => None,
        Some(port) => Some((crate::api::listen(port).await?, arguments.token.token()?)),
    };
    let vars = vars(config, &arguments.var);
    let secrets = secrets(linked, &arguments, development)?;
    let names: Vec<(String, String)> = secrets
        .keys()
        .map(|name| (name.clone(), format!("EDGEPROOF_SECRET_{name}")))
        .collect();
    let text = Configuration {
        config,
        modules: bundle.modules(),
        vars: &vars,
        secrets: &names,
        pops: &arguments.pops,
        simulator: simulator.local_addr().into_diagnostic()?,
        objects: &objects.to_string_lossy(),
    }
    .text();
    bundle.write(scratch.path())?;
    let configuration = scratch.path().join("config.capnp");
    std::fs::write(&configuration, text).into_diagnostic()?;

    let sockets: Vec<String> = arguments
        .pops
        .iter()
        .map(|pop| configuration::socket_name(*pop))
        .collect();
    let environment = names
        .iter()
        .map(|(name, variable)| (variable, &secrets[name]));
    let started = tokio::select! {
        started = Process::start(&workerd, &configuration, environment, &sockets) => started?,
        () = stop.as_mut() => return Ok(()),
    };
    let (mut process, ports) = started;

    let mut listeners: Vec<(TcpListener, Handler)> = vec![(simulator, wire::handler(&world))];
    for (pop, listener) in arguments.pops.iter().zip(fronts) {
        let inner = SocketAddr::from(([127, 0, 0, 1], ports[&configuration::socket_name(*pop)]));
        listeners.push((listener, front::handler(&world, *pop, inner)));
    }
    for line in lines {
        say(&line);
    }
    if let Some((listener, token)) = api_listener {
        token.announce(listener.local_addr().into_diagnostic()?);
        listeners.push((listener, api::handler(&world, token.secret())));
    }
    let has_all = |names: &[&str]| names.iter().all(|name| secrets.contains_key(*name));
    if let Some(line) = linked.development.line
        && development
        && has_all(linked.development.secrets)
    {
        say(line);
    }
    say("Ctrl-C ends");

    let mut ended = None;
    let until = async {
        tokio::select! {
            () = stop => tokio::time::sleep(DRAIN).await,
            status = process.ended() => ended = Some(status),
        }
    };
    let served = socket::serve(&world, listeners, until);
    let kept = StateFolder::kept_while(state.as_ref(), &world, served).await;
    if ended.is_none() {
        process.end().await;
    }
    kept?;
    let span = world.elapsed().max(Duration::from_secs(1));
    let rows = bill::plan::budget(&world.usage(), world.plan(), span);
    say(&format!("\n{}", edgeproof_sim::report::budget_table(&rows)));
    if !config.durable_objects.is_empty() {
        say("Durable Objects are workerd's own: their use is not in this table.");
    }
    match ended {
        None => Ok(()),
        Some(Ok(status)) => Err(miette!(
            "workerd ended by itself ({status}); what it said stands above"
        )),
        Some(Err(problem)) => Err(problem).wrap_err("workerd was lost"),
    }
}

/// The world behind workerd: the account, and no Worker in it.
fn world(
    arguments: &Arguments,
    project: &Project,
    state: Option<&StateFolder>,
    development: bool,
) -> Result<World> {
    let mut config = project.config.clone();
    config.durable_objects.clear();
    let mut options = Options::default();
    options.d1_service.statement += Duration::from_millis(arguments.d1_latency);
    let mut builder = World::builder()
        .script(Rc::new(Elsewhere))
        .config(config)
        .pops(arguments.pops.iter().map(|pop| pop.code()))
        .seed(arguments.seed)
        .options(options)
        .faults(arguments.faults()?)
        .start_unix_ms(now_ms()?)
        .gateway(Rc::new(RealGateway::new(
            arguments.allow_host.iter().cloned(),
        )));
    if let Some(state) = state {
        builder = builder.persist(state.path());
    }
    if development {
        builder = project.with_seeds(builder)?;
    }
    Ok(builder.build()?)
}

/// The variables in force: the configuration's, and over them those of the command line.
fn vars(config: &WorkerConfig, given: &[Pair]) -> Vec<(String, Var)> {
    let mut vars = config.vars.clone();
    for Pair(name, value) in given {
        vars.insert(name.clone(), Var::Text(value.clone()));
    }
    vars.into_iter().collect()
}

/// The secrets by name; in development the linked Worker gets those that it needs.
fn secrets(
    linked: &Linked,
    arguments: &Arguments,
    development: bool,
) -> Result<BTreeMap<String, String>> {
    let mut secrets = BTreeMap::new();
    for Hidden(text) in &arguments.secret {
        let Pair(name, value) = pair(text).expect("the usage has been checked");
        secrets.insert(name, value);
    }
    if development && arguments.script.is_none() {
        for name in linked.development.secrets {
            if !secrets.contains_key(*name) {
                secrets.insert((*name).to_owned(), random_secret()?);
            }
        }
    }
    Ok(secrets)
}

async fn listen(port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    listener
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot listen on 127.0.0.1:{port}: choose another port"))
}

/// A folder for this run that only this user may read.
fn scratch_folder() -> Result<TempDir> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("edgeproof-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        folder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    folder
        .tempdir_in(memory_folder())
        .into_diagnostic()
        .wrap_err("no temporary folder can be made")
}

/// Where files are quickest: objects commit with an fsync each, which costs milliseconds on a disk and nothing in memory.
fn memory_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
