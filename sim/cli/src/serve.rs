//! `serve`: the Worker over HTTP.

use crate::api::TokenArgument;
use crate::linked::Linked;
use crate::project::Project;
use crate::server::{
    Hidden, Pair, check_given, hidden, hidden_usage_error, host, is_development, now_ms, pair, pop,
    random_secret, say, told_to_stop,
};
use crate::state::StateFolder;
use clap::Args;
use edgeproof_sim::World;
use edgeproof_sim::bill;
use edgeproof_sim::serve::gateway::RealGateway;
use edgeproof_sim::serve::{api, http, socket};
use edgeproof_sim::topology::Pop;
use miette::{Context, IntoDiagnostic, Result};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpListener;

/// Options of `serve`.
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
    /// Another configuration of the same Worker.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    /// What is wrong with the arguments that the parser took, without repeating what may be a secret.
    pub(crate) fn usage_error(&self) -> Option<String> {
        hidden_usage_error(&self.secret)
    }
}

pub(crate) fn run(linked: &Linked, arguments: Arguments) -> Result<()> {
    let project = Project::of_worker(
        linked,
        arguments.config.as_deref(),
        arguments.env.as_deref(),
    )?;
    let config = &project.config;
    for warning in &config.warnings {
        eprintln!(
            "warning: {}:{}: {}",
            config.file.display(),
            warning.line,
            warning.message
        );
    }
    check_given(config, &arguments.var, &arguments.secret)?;
    let development = is_development(config, &arguments.var);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .into_diagnostic()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let state = arguments
            .state
            .as_deref()
            .map(StateFolder::open)
            .transpose()?;
        let token = arguments.token.token()?;
        let world = build(linked, &arguments, &project, development)?;
        let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await;
        let listener = listener.into_diagnostic().wrap_err_with(|| {
            format!(
                "cannot listen on 127.0.0.1:{}: choose another port with --port",
                arguments.port
            )
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
        // The handler is there from the first poll on: before the line that says the server is up.
        let interrupted =
            poll_fn(|context| Poll::Ready(stop.as_mut().poll(context).is_ready())).await;
        say(&format!("listening on http://{address}"));
        if let Some(line) = linked.development.line.filter(|_| development) {
            say(line);
        }
        if let Some(address) = api_address {
            token.announce(address);
        }
        say(&format!(
            "PoP {} unless a request names one in x-sim-pop; Ctrl-C ends",
            arguments.pop.code()
        ));
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

fn build(
    linked: &Linked,
    arguments: &Arguments,
    project: &Project,
    development: bool,
) -> Result<World> {
    let mut builder = World::builder()
        .script(linked.script())
        .config(project.config.clone())
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
        for name in linked.development.secrets {
            if !given.contains(*name) {
                // Good for this process only.
                builder = builder.secret(name, &random_secret()?);
            }
        }
        builder = project.with_seeds(builder)?;
    }
    if let Some(folder) = &arguments.state {
        builder = builder.persist(folder);
    }
    Ok(builder.build()?)
}
