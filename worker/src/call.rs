//! One request while it is served: what came, who is charged, and what its handlers need of it. Knows no route.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Map, Value};
use worker::{Context, D1Database, Request};

use crate::body;
use crate::core::address;
use crate::core::alert::{self, Alert, Channel, Details, Severity};
use crate::core::identity::Identity;
use crate::core::limiter::Decision;
use crate::core::policy::PolicyName;
use crate::core::route::Verb;
use crate::core::validate;
use crate::isolate::App;
use crate::problem::{Failure, Problem};

/// One request while it is served.
pub(crate) struct Call<'a> {
    pub(crate) app: Rc<App>,
    pub(crate) request_id: String,
    /// When it came, by the platform's clock in milliseconds.
    pub(crate) started_ms: u64,
    pub(crate) request: Request,
    pub(crate) context: &'a Context,
    pub(crate) method: String,
    pub(crate) verb: Verb,
    pub(crate) path: String,
    pub(crate) body_read: bool,
    /// Who is charged; unknown until that is decided.
    pub(crate) identity: Option<Identity>,
    pub(crate) charge: Cell<Option<(PolicyName, Decision)>>,
}

impl Call<'_> {
    /// Runs `work` after the answer.
    pub(crate) fn after(&self, work: impl Future<Output = ()> + 'static) {
        self.context.wait_until(work);
    }

    /// The client's address, from the one header that the platform writes itself.
    pub(crate) fn address(&self) -> String {
        address::client(
            self.request
                .headers()
                .get("cf-connecting-ip")
                .ok()
                .flatten()
                .as_deref(),
        )
    }

    /// The database, or 503.
    pub(crate) fn db(&self) -> Result<&D1Database, Failure> {
        self.app.db.as_ref().ok_or_else(|| {
            Problem::unavailable("The database is not available at the moment.").into()
        })
    }

    /// The body of a request that must be JSON: media type, then size.
    pub(crate) async fn json_body(&mut self) -> Result<Vec<u8>, Failure> {
        let media_type = self.request.headers().get("content-type").ok().flatten();
        if !validate::is_json_media_type(media_type.as_deref()) {
            return Err(Problem::new(415, "The body must be application/json.").into());
        }
        self.body_read = true;
        body::read(&mut self.request).await
    }

    /// The first query parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = self.request.url().ok()?;
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Metadata of an audit row: where it happened, and `members` that are not empty.
    pub(crate) fn metadata(&self, members: &[(&str, String)]) -> String {
        let mut object = Map::new();
        object.insert("endpoint".to_owned(), alert::endpoint(&self.path).into());
        object.insert("method".to_owned(), self.method.as_str().into());
        object.insert("requestId".to_owned(), self.request_id.as_str().into());
        for (name, value) in members.iter().filter(|(_, value)| !value.is_empty()) {
            object.insert((*name).to_owned(), value.as_str().into());
        }
        Value::Object(object).to_string()
    }

    /// An alert about this request, on the error channel.
    pub(crate) fn alert(&self, severity: Severity, message: String) -> Alert {
        let identity = self.identity.as_ref();
        let details = Details {
            endpoint: alert::endpoint(&self.path),
            method: self.method.clone(),
            user_id: identity.and_then(Identity::user_id).map(str::to_owned),
            address: identity.and_then(Identity::address).map(str::to_owned),
            policy: None,
            request_id: self.request_id.clone(),
        };
        Alert {
            channel: Channel::Error,
            severity,
            message,
            details,
        }
    }
}
