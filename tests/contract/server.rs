//! The arms: servers of the Worker, each started once with the settings of the suite.

use crate::ask::Ask;
use crate::inbox::Inbox;
use crate::person::Person;
use crate::settings;
use edgeproof_sim::serve::gateway::RealGateway;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::OnceLock;
use support::client::Connection;
use support::server::Served;

/// A server, and where its alerts arrive.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) inbox: Inbox,
    _running: Running,
}

/// What has to live as long as the server.
#[allow(dead_code, reason = "it is only kept")]
enum Running {
    Here(Served),
    #[cfg(feature = "real")]
    Process(support::process::Process),
    Elsewhere,
}

/// The Worker natively, in the simulator; or what `EDGEPROOF_CONTRACT_URL` names.
pub(crate) fn served() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match settings::elsewhere() {
        Some(address) => Server::elsewhere(address),
        #[cfg(feature = "real")]
        None => Server::process(&["serve"], "listening on http://"),
        #[cfg(not(feature = "real"))]
        None => Server::here(),
    })
}

/// The Worker's wasm on workerd.
#[cfg(feature = "real")]
pub(crate) fn workerd() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        support::command::sim(&["build", "--yes"]);
        Server::process(&["workerd", "--pops", "IAD"], "IAD on http://")
    })
}

impl Server {
    fn elsewhere(address: SocketAddr) -> Self {
        let port = settings::webhook_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|problem| {
            panic!("alerts cannot be taken on port {port} ({problem}): name another with EDGEPROOF_CONTRACT_WEBHOOK_PORT, and in the webhook addresses of the server")
        });
        Self {
            address,
            inbox: Inbox::on(listener),
            _running: Running::Elsewhere,
        }
    }

    #[cfg(not(feature = "real"))]
    fn here() -> Self {
        let inbox = Inbox::on(free_port());
        let port = inbox.port();
        let served = world(port, |builder| builder);
        Self {
            address: served.address,
            inbox,
            _running: Running::Here(served),
        }
    }

    #[cfg(feature = "real")]
    fn process(arguments: &[&str], mark: &str) -> Self {
        let inbox = Inbox::on(free_port());
        let mut command = support::command::sim_command();
        command.args(arguments).args(["--port", "0"]);
        for (name, value) in settings::vars() {
            command.arg("--var").arg(format!("{name}={value}"));
        }
        for (name, value) in settings::secrets(inbox.port()) {
            command.arg("--secret").arg(format!("{name}={value}"));
        }
        let mut process = support::process::Process::start(&command);
        let line = process.line();
        let address = line.trim().strip_prefix(mark);
        let address = address.and_then(|address| address.parse().ok());
        Self {
            address: address.unwrap_or_else(|| panic!("not an address: {line}")),
            inbox,
            _running: Running::Process(process),
        }
    }

    /// A connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// A request, to be completed and sent.
    pub(crate) fn ask<'a>(&self, method: &'a str, target: &'a str) -> Ask<'a> {
        Ask::new(self.address, method, target)
    }

    /// A GET.
    pub(crate) fn get<'a>(&self, target: &'a str) -> Ask<'a> {
        self.ask("GET", target)
    }

    /// A POST.
    pub(crate) fn post<'a>(&self, target: &'a str) -> Ask<'a> {
        self.ask("POST", target)
    }

    /// A login.
    pub(crate) fn login(&self, from: &Person, username: &str, password: &str) -> Ask<'static> {
        let body = json!({"username": username, "password": password});
        Ask::new(self.address, "POST", "/api/auth/login")
            .by(&Person::at(&from.address))
            .json(&body)
    }

    /// The rows that an administrator sees under a path.
    pub(crate) fn rows(&self, admin: &Person, target: &str) -> Vec<Value> {
        let answer = self.get(target).by(admin).send();
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        let rows = answer.json()["data"].as_array().cloned();
        rows.unwrap_or_else(|| panic!("{target}: {}", answer.text()))
    }
}

/// The Worker in a world of this process, with the suite's settings and what `change` makes of them.
pub(crate) fn world(
    webhook_port: u16,
    change: impl FnOnce(
        edgeproof_sim::world::builder::Builder,
    ) -> edgeproof_sim::world::builder::Builder
    + Send
    + 'static,
) -> Served {
    Served::start(move || {
        let mut builder = support::production::production(&["IAD"])
            .start_unix_ms(crate::clock::unix_ms())
            .gateway(Rc::new(RealGateway::new([])))
            .history(false);
        for (name, value) in settings::vars() {
            builder = builder.var(name, &value);
        }
        for (name, value) in settings::secrets(webhook_port) {
            builder = builder.secret(name, &value);
        }
        change(builder)
    })
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}
