//! `api`: Cloudflare's REST API, as far as wrangler's KV and D1 commands use it.

use crate::linked::Linked;
use crate::project::Project;
use crate::server::{Hidden, hidden, now_ms, pop, random_secret, say, told_to_stop};
use crate::state::StateFolder;
use clap::Args;
use edgeproof_sim::World;
use edgeproof_sim::bill;
use edgeproof_sim::host::Secret;
use edgeproof_sim::script::Elsewhere;
use edgeproof_sim::serve::{api, socket};
use edgeproof_sim::topology::Pop;
use edgeproof_sim::wrangler::WorkerConfig;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpListener;

/// The environment variable with the token.
const TOKEN: &str = "EDGEPROOF_API_TOKEN";

/// Options of `api`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8788)]
    port: u16,
    /// Keep KV and D1 in this folder, the same as `serve` and `workerd` use; without it they end with the command.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArgument,
    /// Environment of wrangler.toml; the top level if absent.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// The Worker configuration whose namespaces and databases there are from the start; the Worker's own if absent.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// PoP where databases live.
    #[arg(long, value_name = "CODE", default_value = "IAD", value_parser = pop)]
    pop: Pop,
}

/// The token of the API, on every command that serves it.
#[derive(Debug, Args)]
pub(crate) struct TokenArgument {
    /// Token that requests to the API must have; else the variable EDGEPROOF_API_TOKEN, else a random one is printed.
    #[arg(long, value_name = "VALUE", value_parser = hidden)]
    token: Option<Hidden>,
}

/// The token in force.
#[derive(Debug)]
pub(crate) struct Token {
    secret: Secret,
    /// It was made here, so the user has to be told.
    made: bool,
}

impl TokenArgument {
    /// The given token, or the environment's, or a new one.
    ///
    /// # Errors
    /// It cannot stand in a header, or there is no entropy.
    pub(crate) fn token(&self) -> Result<Token> {
        let given = match &self.token {
            Some(Hidden(token)) => Some(token.clone()),
            // What is no text is no token either, and is refused below.
            None => std::env::var_os(TOKEN).map(|token| token.to_string_lossy().into_owned()),
        };
        let made = given.is_none();
        let token = given.map_or_else(random_secret, Ok)?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(miette!(
                help = format!("give one with --token or {TOKEN}, or neither to have one made"),
                "the token of the API must be printable ASCII without spaces"
            ));
        }
        Ok(Token {
            secret: Secret(token.into()),
            made,
        })
    }
}

impl Token {
    /// The secret itself.
    pub(crate) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// Says what a shell needs to point wrangler here. A token that was given is not repeated.
    pub(crate) fn announce(&self, address: SocketAddr) {
        say(&format!(
            "export CLOUDFLARE_API_BASE_URL=http://{address}{}",
            api::BASE
        ));
        if self.made {
            say(&format!("export CLOUDFLARE_API_TOKEN={}", self.secret.0));
        }
        say("export CLOUDFLARE_ACCOUNT_ID=local WRANGLER_SEND_METRICS=false");
    }
}

pub(crate) fn run(linked: &Linked, arguments: Arguments) -> Result<()> {
    let project = Project::load(
        linked,
        arguments.config.as_deref(),
        arguments.env.as_deref(),
    )?;
    let mut config = project.config;
    // Nothing of the Worker runs here: its objects stay in the state folder as they are.
    config.durable_objects.clear();
    let token = arguments.token.token()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .into_diagnostic()?;
    let serving = serve(arguments, config, token);
    tokio::task::LocalSet::new().block_on(&runtime, serving)
}

async fn serve(arguments: Arguments, config: WorkerConfig, token: Token) -> Result<()> {
    let state = arguments.state.as_deref().map(StateFolder::open);
    let state = state.transpose()?;
    let mut builder = World::builder()
        .script(Rc::new(Elsewhere))
        .config(config)
        // Wrangler applies them, when it is told to.
        .migrate(false)
        .pops([arguments.pop.code()])
        .start_unix_ms(now_ms()?);
    if let Some(state) = &state {
        builder = builder.persist(state.path());
    }
    let world = builder.build()?;
    let listener = listen(arguments.port).await?;
    let address = listener.local_addr().into_diagnostic()?;
    let mut stop = Box::pin(told_to_stop());
    // The handler is there from the first poll on: before the line that says the server is up.
    let interrupted = poll_fn(|context| Poll::Ready(stop.as_mut().poll(context).is_ready())).await;
    say(&format!("listening on http://{address}"));
    token.announce(address);
    if state.is_none() {
        say("nothing is kept when this ends: --state DIR keeps it");
    }
    say("Ctrl-C ends");
    let stop = async move {
        if !interrupted {
            stop.await;
        }
    };
    let handler = api::handler(&world, token.secret());
    let served = socket::serve(&world, vec![(listener, handler)], stop);
    StateFolder::kept_while(state.as_ref(), &world, served).await?;
    let span = world.elapsed().max(Duration::from_secs(1));
    let rows = bill::plan::budget(&world.usage(), world.plan(), span);
    say(&format!("\n{}", edgeproof_sim::report::budget_table(&rows)));
    Ok(())
}

/// A listener of the API.
///
/// # Errors
/// The port is taken.
pub(crate) async fn listen(port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    listener.into_diagnostic().wrap_err_with(|| {
        format!("cannot listen on 127.0.0.1:{port}: choose another port for the API")
    })
}
