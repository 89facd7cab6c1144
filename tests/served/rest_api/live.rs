use std::rc::Rc;

use edgeproof_sim::host::{Binding, KvPutOptions, Secret};
use edgeproof_sim::platform::d1::{Call, Statement};
use edgeproof_sim::serve::{api, http, socket::Handler};
use edgeproof_sim::{World, fault::Fault, fault::FaultKind, fault::KvOperation};
use serde_json::json;

use super::api::{Api, CONFIG, Envelope as _, TOKEN, world};
use support::client::{DEMO, TEA, ask, eventually};
use support::production::production;
use support::server::Served;

/// The Worker and the API on one port.
fn both(world: &World) -> Handler {
    let (worker, api) = (
        http::handler(world),
        api::handler(world, Secret(TOKEN.into())),
    );
    Rc::new(move |peer, request| {
        let is_api = request.uri().path().starts_with(api::BASE);
        if is_api {
            api(peer, request)
        } else {
            worker(peer, request)
        }
    })
}

#[test]
fn the_api_and_a_served_worker_have_one_state() {
    let served = Served::start_with(|| production(&["MEX"]), both);
    let address = served.address;
    let api = Api { served };
    let login = ask(address, "POST", "/api/auth/login", &[], DEMO);
    let bearer = format!(
        "Bearer {}",
        login.json()["token"].as_str().expect("a token")
    );
    let headers = [("Authorization", &*bearer)];
    assert_eq!(
        ask(address, "POST", "/api/transactions", &headers, TEA).status,
        201
    );

    // The rows that the Worker wrote, by the name of the database that its binding means.
    let found = api
        .get("/client/v4/accounts/a/d1/database/edgeproof")
        .result();
    let db = format!(
        "/client/v4/accounts/a/d1/database/{}",
        found["uuid"].as_str().expect("text")
    );
    let rows = api.query(&db, "SELECT description, amount_cents FROM transactions");
    assert_eq!(
        rows[0]["results"],
        json!([{ "description": "tea", "amount_cents": 1234 }])
    );
    // And the other way.
    api.query(&db, "UPDATE transactions SET description = 'coffee'");
    let list = ask(address, "GET", "/api/transactions", &headers, "").json();
    assert_eq!(list["data"][0]["description"], "coffee", "{list}");

    // What the Worker put into KV after its answer.
    assert_eq!(
        ask(address, "GET", "/api/dashboard", &headers, "").status,
        200
    );
    let settings = api
        .get("/client/v4/accounts/a/workers/scripts/edgeproof-worker/settings")
        .result();
    let bindings = settings["bindings"].as_array().expect("a list");
    let cache = bindings
        .iter()
        .find(|binding| binding["name"] == "CACHE_KV")
        .expect("it is bound");
    let path = format!(
        "/client/v4/accounts/a/storage/kv/namespaces/{}",
        cache["namespace_id"].as_str().expect("text")
    );
    let key = eventually("KV has it", || {
        let keys = api.get(&format!("{path}/keys")).result();
        Some(keys.as_array()?.first()?["name"].as_str()?.to_owned())
    });
    let escaped: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(
        api.get(&format!("{path}/values/{escaped}")).status,
        200,
        "{key}"
    );

    // A namespace that is deleted is empty for the Worker; the Worker answers all the same.
    assert!(api.send("DELETE", &path, &[], b"").result().is_null());
    assert_eq!(
        ask(address, "GET", "/api/dashboard", &headers, "").status,
        200
    );
    // So does a database; the Worker cannot do without one.
    assert!(api.send("DELETE", &db, &[], b"").result().is_null());
    assert!(ask(address, "GET", "/api/transactions", &headers, "").status >= 500);
    assert_eq!(api.get(&db).status, 404);
}

#[test]
fn a_binding_of_what_was_deleted_finds_nothing_and_its_writes_fail() {
    let api = Api::start();
    let (cache, db) = (api.cache_path(), api.db_path());
    assert!(
        api.send("PUT", &format!("{cache}/values/k"), &[], b"v")
            .result()
            .is_null()
    );
    for path in [&cache, &db] {
        assert!(api.send("DELETE", path, &[], b"").result().is_null());
    }
    let uuid = db.rsplit('/').next().expect("a path").to_owned();
    let (read, write, query) = api.served.stop(|world| {
        world.run(async |world| {
            let number = |name| match world.bindings().binding(name) {
                Some(Binding::Kv(number) | Binding::D1(number)) => *number,
                other => panic!("{name}: {other:?}"),
            };
            let (kv, d1) = (number("CACHE_KV"), number("DB"));
            let calls = async move {
                let world = World::current();
                let statement = Statement {
                    sql: "SELECT 1".into(),
                    parameters: Vec::new(),
                };
                (
                    world.bindings().kv_get(kv, "k".into(), None).await,
                    world
                        .bindings()
                        .kv_put(kv, "k".into(), "v".into(), KvPutOptions::default())
                        .await,
                    world
                        .bindings()
                        .d1_call(d1, Call::Query(statement))
                        .await
                        .map(|results| results.len()),
                )
            };
            let done = world.bindings().guest(world.pops()[0], calls).await;
            let (read, write, query) = done.expect("the world goes on");
            (
                read.expect("a read").is_none(),
                write.expect_err("a write").message,
                query.expect_err("a query").message,
            )
        })
    });
    assert!(read);
    assert_eq!(write, "KV PUT failed: 404 Not Found");
    assert_eq!(
        query,
        format!("D1_ERROR: The database {uuid} could not be found")
    );
}

#[test]
fn a_failing_store_fails_for_the_api_too() {
    let api = Api::over(|| {
        let failing = |operation, status| Fault {
            at_ms: 0,
            kind: FaultKind::KvErrors {
                operation,
                status,
                ratio: 1.0,
                for_ms: 3_600_000,
            },
        };
        world(CONFIG).faults([
            failing(KvOperation::Get, 503),
            failing(KvOperation::Put, 500),
        ])
    });
    let path = api.cache_path();
    let (status, _, text) = api.get(&format!("{path}/values/k")).error();
    assert_eq!((status, &*text), (503, "Service Unavailable"));
    assert_eq!(api.get(&format!("{path}/keys")).error().0, 503);
    assert_eq!(
        api.send("PUT", &format!("{path}/values/k"), &[], b"v")
            .error()
            .0,
        500
    );
    let again = api
        .send_json(
            "PUT",
            &format!("{path}/bulk"),
            &json!([{ "key": "k", "value": "v" }]),
        )
        .result();
    assert_eq!(
        again,
        json!({ "successful_key_count": 0, "unsuccessful_keys": ["k"] })
    );
}
