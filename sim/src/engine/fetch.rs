//! Outbound fetch: to simulated origins, or, in a world under the wall clock, through a gateway to real ones.

use super::record::failed;
use super::transfer::Path;
use super::{Engine, Operation, digest, scope};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::http::{Body, Request, Response};
use crate::kernel::time::nanos;
use crate::name;
use crate::platform::outbound::{self, Answer, NETWORK_CONNECTION_LOST};
use crate::script::LocalBoxFuture;

/// A connection to real origins, for hosts that the world does not simulate.
pub trait Gateway {
    /// Whether a request may use this gateway; if not, its host does not resolve.
    fn accepts(&self, request: &Request) -> bool;

    /// Sends the request.
    ///
    /// # Errors
    /// What the Worker's `fetch` throws: the connection could not be made or broke, or the answer cannot be taken.
    fn fetch(&self, request: Request) -> LocalBoxFuture<Result<Response<Body>, Exception>>;
}

impl Engine {
    /// Sends a request to an origin, which receives it when its body is complete.
    ///
    /// # Errors
    /// Too many subrequests; a broken connection; what the body's own stream fails with. An unknown host is an answer of
    /// 530, not an error.
    pub(crate) fn fetch(
        &self,
        mut request: Request<Body>,
    ) -> Operation<Result<Response<Body>, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            invocation.count_fetch(&engine)?;
            let body = std::mem::take(&mut request.body).bytes().await;
            // After the body, which may have taken time to make: what was written until now is told by sending it.
            engine.output_gate(&invocation).await?;
            engine.count(Meter::Subrequests, 1);
            let begun = engine.begin(|| Op::Fetch {
                method: request.method.to_string(),
                host: request.url.host_str().unwrap_or_default().to_owned(),
            });
            let bytes = match body {
                Ok(bytes) => bytes,
                Err(exception) => {
                    engine.finish(begun, || failed(&exception));
                    return Err(exception);
                }
            };
            request.body = bytes.clone().into();
            // A request counts when it is sent, because its answer may never come.
            engine.mix(name!("fetch.sent"), |fingerprint| {
                digest::request(fingerprint, &request);
            });
            let result = engine.exchange(request.map_body(|_| bytes)).await;
            engine.mix(name!("fetch"), |fingerprint| match &result {
                Ok(response) => digest::response(fingerprint, response),
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            });
            engine.finish(begun, || match &result {
                Ok(response) => Outcome::Status {
                    status: response.status,
                },
                Err(exception) => failed(exception),
            });
            engine.deliver().await;
            result
        })
        // The origin has received the request by then; only its answer is outstanding.
        .ending_when_dropped()
    }

    async fn exchange(&self, request: Request) -> Result<Response<Body>, Exception> {
        let now = self.now();
        let answer = self.0.outbound.borrow_mut().fetch(now, &request);
        let answer = match answer {
            answer @ Answer::Respond(..) => {
                // The test's own code runs outside of the Worker: a panic of its fails the test, not the Worker.
                let (sender, receiver) = futures_channel::oneshot::channel();
                let request = request.clone();
                let respond = async move {
                    // The Worker may have stopped waiting.
                    let _ = sender.send(answer.respond(&request));
                };
                self.spawn_in(None, Box::pin(respond));
                receiver
                    .await
                    .map_err(|_| Exception::error(NETWORK_CONNECTION_LOST))?
            }
            other => other,
        };
        match answer {
            Answer::Response(latency, mut response) => {
                self.sleep_until(
                    now.after(nanos(latency)),
                    name!("fetch.answer"),
                    u64::from(response.status),
                )
                .await;
                // Pieces take as long as the head does, which has arrived now: so they come when the origin makes them.
                response.body = self.transfer_outside(response.body, Path::Nanos(0));
                Ok(response)
            }
            Answer::Respond(..) => unreachable!("answered above"),
            Answer::Failure(latency, exception) => {
                self.sleep_until(now.after(nanos(latency)), name!("fetch.failure"), 0)
                    .await;
                Err(exception)
            }
            Answer::Never => std::future::pending().await,
            Answer::Unknown => match &self.0.gateway {
                Some(gateway) if gateway.accepts(&request) => gateway.fetch(request).await,
                _ => Ok(outbound::unresolved().into()),
            },
        }
    }
}
