//! Requests per second through a whole Worker: the production POST, and a minimal Worker with one object call and one
//! KV read. A thousand requests are in flight; every iteration is a fresh world, so nothing is warmed up but the code.
//!
//! `cargo bench --bench burst`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use edgeproof_sim::World;
use edgeproof_sim::http::Request as RawRequest;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_worker::core::jwt;
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use std::cell::Cell;
use worker::{
    Context, DurableObject, Env, Request, Response, Result, Router, State, durable_object, event,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IN_FLIGHT: u64 = 1000;
const REQUESTS: u64 = 20_000;
const KEYS: u64 = 1000;
const JWT_SECRET: &str = "a secret for benches, 32 bytes or more";

/// One object call (a counter in storage) and one KV read.
#[event(fetch)]
async fn minimal(request: Request, env: Env, _context: Context) -> Result<Response> {
    Router::new()
        .get_async("/:key", |_, route| async move {
            let key = route.param("key").expect("the route has a key");
            let stub = route.env.durable_object("COUNTER")?.get_by_name(key)?;
            let mut count = stub.fetch_with_str("https://object/").await?;
            let cached = route.env.kv("CACHE")?.get(key).text().await?;
            Response::ok(format!("{} {}", count.text().await?, cached.is_some()))
        })
        .run(request, env)
        .await
}

#[durable_object]
struct Counter {
    state: State,
}

impl DurableObject for Counter {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        let storage = self.state.storage();
        let count = storage.get::<u32>("count").await?.unwrap_or(0) + 1;
        storage.put("count", count).await?;
        Response::ok(count.to_string())
    }
}

const MINIMAL: &str = r#"
name = "minimal"
compatibility_date = "2026-08-20"
kv_namespaces = [{ binding = "CACHE" }]
durable_objects.bindings = [{ name = "COUNTER", class_name = "Counter" }]
migrations = [{ tag = "v1", new_sqlite_classes = ["Counter"] }]
"#;

fn minimal_world() -> World {
    World::builder()
        .script(worker::native::script(env!("CARGO_PKG_NAME")))
        .config(WorkerConfig::parse(MINIMAL, "wrangler.toml", None).expect("valid"))
        .build()
        .expect("builds")
}

fn production_world() -> World {
    World::builder()
        .script(worker::native::script("edgeproof-worker"))
        .wrangler(
            concat!(env!("CARGO_MANIFEST_DIR"), "/../worker/wrangler.toml"),
            None,
        )
        .expect("valid")
        .secret("AUTH_JWT_SECRET", JWT_SECRET)
        .build()
        .expect("builds")
}

/// A thousand clients, each sending its next request when the last one was answered.
fn drive(world: &World, requests: &[RawRequest], status: u16) {
    let next = Cell::new(0_u64);
    world.run(async |world| {
        let client = world.client("IAD");
        join_all((0..IN_FLIGHT).map(|_| closed_loop(&client, requests, &next, status))).await
    });
}

async fn closed_loop(client: &Client, requests: &[RawRequest], next: &Cell<u64>, status: u16) {
    loop {
        let index = next.get();
        if index == REQUESTS {
            return;
        }
        next.set(index + 1);
        let request = requests[usize::try_from(index).expect("small") % requests.len()].clone();
        assert_eq!(client.send(request).await.status, status);
    }
}

fn requests(world: &World, make: impl Fn(&Client, u64) -> RawRequest) -> Vec<RawRequest> {
    let client = world.client("IAD");
    (0..KEYS).map(|key| make(&client, key)).collect()
}

fn burst(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("burst");
    group
        .throughput(Throughput::Elements(REQUESTS))
        .sample_size(10);
    group.bench_function(BenchmarkId::new("minimal", IN_FLIGHT), |bencher| {
        bencher.iter_with_setup(minimal_world, |world| {
            let requests = requests(&world, |client, key| {
                client.get(&format!("/key-{key}")).build()
            });
            drive(&world, &requests, 200);
        });
    });
    group.bench_function(BenchmarkId::new("production-post", IN_FLIGHT), |bencher| {
        bencher.iter_with_setup(production_world, |world| {
            let requests = requests(&world, |client, user| {
                let token = jwt::mint(JWT_SECRET, &format!("user-{user}"), "user", world.start().unix_seconds(), 3600);
                let body = r#"{"type":"expense","amount":12.34,"description":"bench","date":"2026-01-15"}"#;
                let mut request = client.request(Method::POST, "/api/transactions").header("content-type", "application/json");
                request = request.body(body);
                let mut request = request.build();
                let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("ASCII");
                request.headers.insert(AUTHORIZATION, value);
                request
            });
            drive(&world, &requests, 201);
        });
    });
    group.finish();
}

criterion_group!(benches, burst);
criterion_main!(benches);
