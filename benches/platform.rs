//! The parts: timer events of the executor, operations of KV, Durable Objects and D1 as a Worker makes them, whole worlds.
//!
//! `cargo bench --bench platform`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Builder, Setup, World};
use futures_util::future::join_all;
use std::time::Duration;
use worker::wasm_bindgen::JsValue;
use worker::{
    Context, DurableObject, Env, Request, Response, Result, State, durable_object, event,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Operations per iteration.
const OPERATIONS: u64 = 900;

/// Runs many operations of one product in one invocation: `/kv-get`, `/object`, `/d1-select`…
#[event(fetch)]
async fn operations(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    for number in 0..OPERATIONS {
        match path.as_str() {
            "/kv-get" => drop(env.kv("CACHE")?.get("key").text().await?),
            "/kv-put" => {
                env.kv("CACHE")?
                    .put(&format!("key-{number}"), "value")?
                    .execute()
                    .await?
            }
            "/object" => drop(
                env.durable_object("COUNTER")?
                    .get_by_name("one")?
                    .fetch_with_str("https://object/")
                    .await?,
            ),
            "/d1-select" => {
                let select = env.d1("DB")?.prepare("SELECT text FROM notes WHERE id = ?");
                drop(
                    select
                        .bind(&[JsValue::from(1)])?
                        .first::<String>(Some("text"))
                        .await?,
                );
            }
            "/d1-insert" => {
                let insert = env.d1("DB")?.prepare("INSERT INTO notes (text) VALUES (?)");
                drop(insert.bind(&[JsValue::from("text")])?.run().await?);
            }
            other => return Response::error(format!("no operation {other}"), 404),
        }
    }
    Response::ok("done")
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

const CONFIG: &str = r#"
name = "operations"
compatibility_date = "2026-08-20"
kv_namespaces = [{ binding = "CACHE" }]
d1_databases = [{ binding = "DB", database_name = "notes" }]
durable_objects.bindings = [{ name = "COUNTER", class_name = "Counter" }]
migrations = [{ tag = "v1", new_sqlite_classes = ["Counter"] }]
"#;

fn builder() -> Builder {
    let schema = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL); INSERT INTO notes VALUES (1, 'one')";
    World::builder()
        .script(worker::native::script(env!("CARGO_PKG_NAME")))
        .config(WorkerConfig::parse(CONFIG, "wrangler.toml", None).expect("valid"))
        // 900 operations in one invocation are more than the free plan allows of D1.
        .plan(edgeproof_sim::limits::Plan::Paid)
        .seed_sql("DB", "schema", schema)
}

fn world() -> World {
    builder().build().expect("builds")
}

fn platform(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("platform");
    group.throughput(Throughput::Elements(OPERATIONS));
    for operation in ["kv-get", "kv-put", "object", "d1-select", "d1-insert"] {
        let path = format!("/{operation}");
        group.bench_function(operation, |bencher| {
            bencher.iter_with_setup(world, |world| {
                let answer = world.run(async |world| world.client("IAD").get(&path).send().await);
                assert_eq!(answer.status, 200);
            });
        });
    }
    group.finish();
}

/// A thousand tasks, a hundred timers each.
fn executor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("executor");
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("timers/1000", |bencher| {
        bencher.iter_with_setup(world, |world| {
            world.run(async |world| {
                let tasks = (0..1000_u64).map(|task| async move {
                    for round in 0..100 {
                        world
                            .bindings()
                            .timer(Duration::from_micros(
                                1 + (task * 7919 + round * 104_729) % 1000,
                            ))
                            .await;
                    }
                });
                join_all(tasks).await;
            });
        });
    });
    group.finish();
}

/// Whole worlds: made, run with one request, judged, dropped, each with its seed.
fn worlds(criterion: &mut Criterion) {
    let setup = Setup::new(builder());
    let mut group = criterion.benchmark_group("worlds");
    group.throughput(Throughput::Elements(1));
    let mut seed = 0;
    group.bench_function("one-request", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let send = async |world: &World| world.client("IAD").get("/nothing").send().await;
            let run = setup.run(seed, &[], send, |_, answer| answer.status);
            assert_eq!(run.expect("builds").judgement, 404);
        });
    });
    group.finish();
}

criterion_group!(benches, platform, executor, worlds);
criterion_main!(benches);
