//! Reminders: an object for each name, with an alarm that rings. A cron trigger rings the one that is called `daily`.

use std::time::Duration;
use worker::*;

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let url = request.url()?;
    let Some(name) = url.path().strip_prefix("/reminders/") else {
        return Response::error("not found", 404);
    };
    let stub = env.durable_object("REMINDERS")?.get_by_name(name)?;
    stub.fetch_with_request(request).await
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let rung = async {
        let stub = env.durable_object("REMINDERS")?.get_by_name("daily")?;
        stub.fetch_with_str("https://reminder/ring").await
    };
    if let Err(error) = rung.await {
        console_error!("the daily reminder did not ring: {error}");
    }
}

/// A reminder.
#[durable_object]
pub struct Reminder {
    state: State,
}

impl DurableObject for Reminder {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let url = request.url()?;
        if url.path() == "/ring" {
            self.ring().await?;
            return Response::ok("rang");
        }
        match request.method() {
            Method::Post => {
                let seconds = url
                    .query_pairs()
                    .find(|(name, _)| name == "in")
                    .and_then(|(_, seconds)| seconds.parse().ok());
                let Some(seconds) = seconds else {
                    return Response::error("?in=SECONDS is missing", 400);
                };
                let storage = self.state.storage();
                storage.set_alarm(Duration::from_secs(seconds)).await?;
                Response::ok("set")
            }
            _ => Response::ok(format!("rang {} times", self.times().await?)),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.ring().await?;
        Response::ok("rang")
    }
}

impl Reminder {
    async fn times(&self) -> Result<u32> {
        Ok(self.state.storage().get("times").await?.unwrap_or(0))
    }

    async fn ring(&self) -> Result<()> {
        let times = self.times().await? + 1;
        self.state.storage().put("times", times).await
    }
}
