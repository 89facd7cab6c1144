//! A world behind the API, and a client of it.

use std::rc::Rc;

use edgeproof_sim::World;
use edgeproof_sim::host::Secret;
use edgeproof_sim::script::Elsewhere;
use edgeproof_sim::serve::api;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::wrangler::WorkerConfig;
use serde_json::{Value, json};

use support::client::{Answer, Connection};
use support::server::Served;

pub(crate) const TOKEN: &str = "a-token-of-the-tests";

pub(crate) const NAMESPACES: &str = "/client/v4/accounts/any/storage/kv/namespaces";
pub(crate) const DATABASES: &str = "/client/v4/accounts/any/d1/database";

/// A Worker `shop` that binds one namespace and one database, both without ids.
pub(crate) const CONFIG: &str = "name = 'shop'\ncompatibility_date = '2026-08-20'\n\
    kv_namespaces = [{ binding = 'CACHE_KV' }]\nd1_databases = [{ binding = 'DB', database_name = 'orders' }]";

/// A world without code, and with these bindings.
pub(crate) fn world(config: &str) -> Builder {
    let config = WorkerConfig::parse(config, "wrangler.toml", None).expect("a configuration");
    World::builder()
        .script(Rc::new(Elsewhere))
        .config(config)
        .migrate(false)
        .history(true)
}

/// A server of the API.
pub(crate) struct Api {
    pub(crate) served: Served,
}

impl Api {
    /// Over the world of [`CONFIG`].
    pub(crate) fn start() -> Self {
        Self::over(|| world(CONFIG))
    }

    pub(crate) fn over(make: impl FnOnce() -> Builder + Send + 'static) -> Self {
        let served = Served::start_with(make, |world| api::handler(world, Secret(TOKEN.into())));
        Self { served }
    }

    /// Sends a request with the token.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [&[("Authorization", &*bearer)], headers].concat();
        self.send_bare(method, path, &headers, body)
    }

    /// Sends a request as it is.
    pub(crate) fn send_bare(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n",
            self.served.address
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut connection = Connection::open(self.served.address);
        connection.send(head);
        // A body that is refused need not be read to the end.
        connection.send_if_open(body);
        connection.answer()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.send(method, path, &headers, body.to_string().as_bytes())
    }

    /// Id of the namespace that `CACHE_KV` means.
    pub(crate) fn cache(&self) -> String {
        let list = self.get(NAMESPACES).result();
        let named = |item: &&Value| item["title"] == "shop-cache-kv";
        let list = list.as_array().expect("a list");
        let found = list.iter().find(named).expect("it is there");
        found["id"].as_str().expect("text").to_owned()
    }

    /// Path of the namespace that `CACHE_KV` means.
    pub(crate) fn cache_path(&self) -> String {
        format!("{NAMESPACES}/{}", self.cache())
    }

    /// Path of the database that `DB` means.
    pub(crate) fn db_path(&self) -> String {
        let found = self.get(&format!("{DATABASES}/orders")).result();
        format!("{DATABASES}/{}", found["uuid"].as_str().expect("text"))
    }

    /// Runs SQL; gives the results, statement by statement.
    pub(crate) fn query(&self, path: &str, sql: &str) -> Value {
        let answer = self.send_json("POST", &format!("{path}/query"), &json!({ "sql": sql }));
        answer.result()
    }
}

/// Cloudflare's JSON around every answer of the API.
pub(crate) trait Envelope {
    /// The envelope's result.
    ///
    /// # Panics
    /// If it holds an error.
    fn result(&self) -> Value;

    /// Status, code and text of the envelope's error.
    ///
    /// # Panics
    /// If it holds a result.
    fn error(&self) -> (u16, u64, String);
}

impl Envelope for Answer {
    #[track_caller]
    fn result(&self) -> Value {
        let envelope = envelope(self);
        assert_eq!(envelope["success"], true, "{self:?}");
        assert_eq!(self.status, 200, "{self:?}");
        envelope["result"].clone()
    }

    #[track_caller]
    fn error(&self) -> (u16, u64, String) {
        let envelope = envelope(self);
        assert_eq!(envelope["success"], false, "{self:?}");
        assert_eq!(envelope["result"], Value::Null, "{self:?}");
        let errors = envelope["errors"].as_array().expect("a list");
        assert_eq!(errors.len(), 1, "{self:?}");
        let code = errors[0]["code"].as_u64().expect("a number");
        let text = errors[0]["message"].as_str().expect("text").to_owned();
        (self.status, code, text)
    }
}

#[track_caller]
fn envelope(answer: &Answer) -> Value {
    assert_eq!(
        answer.header("content-type"),
        "application/json",
        "{answer:?}"
    );
    let envelope = answer.json();
    assert_eq!(envelope["messages"], json!([]), "{answer:?}");
    envelope
}
