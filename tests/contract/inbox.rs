//! Where alerts arrive. How one is answered depends on the user or address that it is about, so that one receiver serves all tests.

use crate::clock::now;
use serde_json::Value;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::receiver::{Receiver, header};
use wiremock::{Request, ResponseTemplate};

/// Alerts about users with this in their id are refused with 500.
pub(crate) const REFUSED: &str = "refused-by-receiver";

/// Alerts about users with this in their id are refused once, then taken.
pub(crate) const REFUSED_ONCE: &str = "refused-once-by-receiver";

/// Alerts about users with this in their id get no answer for a minute.
pub(crate) const HANGING: &str = "receiver-hangs";

/// An alert as it arrived, each try by itself.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) at: Instant,
    pub(crate) message: Request,
    pub(crate) body: Value,
}

impl Alert {
    /// `webhook-id`
    pub(crate) fn id(&self) -> &str {
        header(&self.message, "webhook-id")
    }

    /// `/error` or `/security`
    pub(crate) fn channel(&self) -> &str {
        self.message.url.path()
    }
}

/// The receiver.
pub(crate) struct Inbox {
    receiver: Receiver,
    arrived: Arc<Mutex<Vec<Alert>>>,
}

impl Inbox {
    /// Takes alerts behind a listener.
    pub(crate) fn on(listener: TcpListener) -> Self {
        let arrived = Arc::new(Mutex::new(Vec::<Alert>::new()));
        let book = Arc::clone(&arrived);
        let receiver = Receiver::on(listener, move |message: &Request| {
            let body: Value = serde_json::from_slice(&message.body).unwrap_or_default();
            let user = body["details"]["userId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let mut book = book.lock().expect("no receiver panics");
            let before = book
                .iter()
                .any(|alert| alert.body["details"]["userId"] == *user);
            book.push(Alert {
                at: now(),
                message: message.clone(),
                body,
            });
            if user.contains(HANGING) {
                ResponseTemplate::new(204).set_delay(Duration::from_secs(60))
            } else if user.contains(REFUSED) || (user.contains(REFUSED_ONCE) && !before) {
                ResponseTemplate::new(500)
            } else {
                ResponseTemplate::new(204)
            }
        });
        Self { receiver, arrived }
    }

    pub(crate) fn port(&self) -> u16 {
        self.receiver.port()
    }

    /// All tries for alerts about a user.
    pub(crate) fn about(&self, user: &str) -> Vec<Alert> {
        self.with(|alert| alert.body["details"]["userId"] == user)
    }

    /// All tries for alerts about somebody without a token, at an address.
    pub(crate) fn from(&self, address: &str) -> Vec<Alert> {
        self.with(|alert| alert.body["details"]["address"] == address)
    }

    /// All that arrived, as one text.
    pub(crate) fn text(&self) -> String {
        let arrived = self.arrived.lock().expect("no receiver panics");
        let texts = arrived.iter().map(|alert| {
            format!(
                "{:?} {}",
                alert.message.headers,
                String::from_utf8_lossy(&alert.message.body)
            )
        });
        texts.collect()
    }

    fn with(&self, wanted: impl Fn(&Alert) -> bool) -> Vec<Alert> {
        let arrived = self.arrived.lock().expect("no receiver panics");
        arrived
            .iter()
            .filter(|alert| wanted(alert))
            .cloned()
            .collect()
    }
}
