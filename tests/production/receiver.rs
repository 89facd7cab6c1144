//! Takes alerts on a loopback port and answers 204.

use crate::arm::{Alert, sorted};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A receiver of alerts.
pub(crate) struct Receiver {
    runtime: tokio::runtime::Runtime,
    server: MockServer,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            let takes = Mock::given(any()).respond_with(ResponseTemplate::new(204));
            takes.mount(&server).await;
            server
        });
        Self { runtime, server }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// What arrived since the last time.
    pub(crate) fn take(&self) -> Vec<Alert> {
        self.runtime.block_on(async {
            let received = self.server.received_requests().await;
            let received = received.expect("wiremock records");
            if !received.is_empty() {
                // Forgets what was received, and also how to answer.
                self.server.reset().await;
                let takes = Mock::given(any()).respond_with(ResponseTemplate::new(204));
                takes.mount(&self.server).await;
            }
            let received = received.into_iter();
            received
                .map(|request| Alert {
                    path: request.url.path().to_owned(),
                    headers: sorted(&request.headers),
                    body: request.body,
                })
                .collect()
        })
    }
}
