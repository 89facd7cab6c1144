//! A real receiver of webhooks: a `wiremock` server that answers as the test says and records its requests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// What the Worker and the receivers sign with.
const KEY: &[u8] = b"thirty-two bytes of a signer's key";

/// The key as it is configured.
pub fn webhook_secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// A receiver on a loopback port.
pub struct Receiver {
    runtime: tokio::runtime::Runtime,
    server: MockServer,
}

impl Receiver {
    /// One that gives this answer to everything.
    pub fn answering(answer: impl Respond + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener, answer)
    }

    /// One that gives this answer to everything, behind a listener that is there already.
    pub fn on(listener: TcpListener, answer: impl Respond + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime.block_on(async {
            let server = MockServer::builder().listener(listener).start().await;
            Mock::given(any()).respond_with(answer).mount(&server).await;
            server
        });
        Self { runtime, server }
    }

    /// One that gives these statuses in turn, and the last of them from then on.
    pub fn answering_in_turn(statuses: &'static [u16]) -> Self {
        let asked = AtomicUsize::new(0);
        Self::answering(move |_: &Request| {
            let turn = asked.fetch_add(1, Ordering::Relaxed);
            ResponseTemplate::new(statuses[turn.min(statuses.len() - 1)])
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// What it was sent so far.
    pub fn received(&self) -> Vec<Request> {
        self.runtime
            .block_on(self.server.received_requests())
            .expect("wiremock records")
    }
}

/// A header of a message, which must be there.
pub fn header<'a>(message: &'a Request, name: &str) -> &'a str {
    message
        .headers
        .get(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .expect("ASCII")
}

/// Verifies a message over the bytes that arrived with the library that the authors of the specification give to receivers. Not
/// with its `verify`, which compares the time stamp with the wall clock: a served world has a clock of its own.
pub fn is_signed(message: &Request) -> bool {
    let verifier = standardwebhooks::Webhook::new(&webhook_secret()).expect("a secret of ours");
    let seconds = header(message, "webhook-timestamp")
        .parse()
        .expect("whole seconds");
    let expected = verifier.sign(header(message, "webhook-id"), seconds, &message.body);
    expected.expect("a body is UTF-8") == header(message, "webhook-signature")
}
