//! Workers KV, as a Worker meets it: eventual consistency, expiry, limits, lists.

use edgeproof_sim::check::staleness::{self, measure};
use edgeproof_sim::history::{Op, Outcome, Record};
use edgeproof_sim::world::World;
use edgeproof_sim::world::client::Client;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::inside::{at, failure, instant, message, platform};
use worker::*;

async fn put(client: &Client, key: &'static str, value: &'static str) {
    at(client, async move |env, _| {
        Ok(env.kv("KV")?.put(key, value)?.execute().await?)
    })
    .await;
}

async fn get(client: &Client, key: &'static str) -> Option<String> {
    at(client, async move |env, _| {
        Ok(env.kv("KV")?.get(key).text().await?)
    })
    .await
}

/// A value written in FRA while SIN holds the one before, read in both until SIN has it too.
fn two_pops() -> World {
    let world = platform(&["FRA", "SIN"]).build().expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        put(&fra, "k", "old").await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("old"));
        let cached_at = world.now();
        world.sleep(Duration::from_secs(2)).await;
        assert_eq!(get(&fra, "k").await.as_deref(), Some("old"));
        put(&fra, "k", "new").await;
        assert_eq!(
            get(&fra, "k").await.as_deref(),
            Some("new"),
            "at once where it was written"
        );
        for second in 4..=58 {
            world
                .sleep((cached_at + Duration::from_secs(second)).since(world.now()))
                .await;
            assert_eq!(
                get(&sin, "k").await.as_deref(),
                Some("old"),
                "{second} s after it was cached"
            );
        }
        world
            .sleep((cached_at + Duration::from_secs(60)).since(world.now()))
            .await;
        assert_eq!(
            get(&sin, "k").await.as_deref(),
            Some("new"),
            "when the cached entry has become too old"
        );
    });
    world
}

#[test]
fn another_pop_reads_its_cached_value_until_that_is_60_seconds_old() {
    let world = two_pops();
    let history = world.history();
    assert_eq!(
        staleness::check(history.records(), &staleness::Options::default()),
        []
    );
    let staleness = measure(history.records());
    assert_eq!((staleness.reads, staleness.stale_reads), (59, 55));
    assert!(
        (55.0..57.0).contains(&staleness.max_stale_seconds),
        "{staleness:?}"
    );
    assert!(
        (27.0..29.0).contains(&staleness.median_stale_seconds),
        "{staleness:?}"
    );
}

#[test]
fn a_pop_that_never_read_a_key_reads_its_newest_value() {
    let world = platform(&["FRA", "SIN"]).build().expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        put(&fra, "k", "old").await;
        world.sleep(Duration::from_secs(2)).await;
        put(&fra, "k", "new").await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("new"));
    });
}

#[test]
fn a_miss_is_cached_like_a_value() {
    let world = platform(&["FRA", "SIN"]).build().expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        assert_eq!(get(&sin, "k").await, None);
        put(&fra, "k", "v").await;
        world.sleep(Duration::from_secs(55)).await;
        assert_eq!(get(&sin, "k").await, None);
        world.sleep(Duration::from_secs(6)).await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("v"));
    });
}

#[test]
fn a_read_with_a_shorter_cache_ttl_brings_newer_data() {
    let world = platform(&["FRA", "SIN"]).build().expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        put(&fra, "k", "old").await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("old"));
        world.sleep(Duration::from_secs(2)).await;
        put(&fra, "k", "new").await;
        world.sleep(Duration::from_secs(33)).await;
        assert_eq!(get(&sin, "k").await.as_deref(), Some("old"));
        let short = async |env: Env, _| Ok(env.kv("KV")?.get("k").cache_ttl(30).text().await?);
        assert_eq!(at(&sin, short).await.as_deref(), Some("new"));
    });
}

#[test]
fn the_check_rejects_a_kv_that_ignores_its_ttl() {
    // The same run, told by a KV whose cache in SIN never expires: later reads return what the first one fetched.
    let world = two_pops();
    let mut records: Vec<Record> = world.history().records().to_vec();
    let mut first = None;
    for record in &mut records {
        if let (
            Op::KvGet { .. },
            "SIN",
            Outcome::KvRead {
                version,
                fetched_at,
                ..
            },
        ) = (&record.op, record.pop.as_str(), &mut record.outcome)
        {
            let (kept_version, kept_at) = *first.get_or_insert((*version, *fetched_at));
            (*version, *fetched_at) = (kept_version, kept_at);
            record.end += 2_000_000_000; // read on for a moment longer
        }
    }
    let violations = staleness::check(&records, &staleness::Options::default());
    assert!(
        !violations.is_empty() && violations.iter().all(|found| found.rule == "kv/too-old"),
        "{violations:?}"
    );
}

#[test]
fn a_second_write_within_a_second_is_refused_with_429() {
    let world = platform(&["FRA", "IAD"]).build().expect("builds");
    world.run(async |world| {
        let (fra, iad) = (world.client("FRA"), world.client("IAD"));
        put(&fra, "k", "1").await;
        let again = async |env: Env, _| Ok(failure(env.kv("KV")?.put("k", "2")?.execute().await));
        assert_eq!(
            at(&fra, again).await,
            "KV PUT failed: 429 Too Many Requests"
        );
        assert_eq!(
            at(&iad, again).await,
            "KV PUT failed: 429 Too Many Requests",
            "in any PoP"
        );
        let delete = async |env: Env, _| Ok(failure(env.kv("KV")?.delete("k").await));
        assert_eq!(
            at(&fra, delete).await,
            "KV DELETE failed: 429 Too Many Requests"
        );
        put(&fra, "other", "1").await;
        world.sleep(Duration::from_secs(1)).await;
        put(&fra, "k", "2").await;
        assert_eq!(get(&fra, "k").await.as_deref(), Some("2"));
    });
}

#[test]
fn expiry_beats_the_cache() {
    let world = platform(&["FRA"]).build().expect("builds");
    world.run(async |world| {
        let fra = world.client("FRA");
        let keep = async |env: Env, _| {
            Ok(env
                .kv("KV")?
                .put("k", "v")?
                .expiration_ttl(60)
                .execute()
                .await?)
        };
        at(&fra, keep).await;
        world.sleep(Duration::from_secs(40)).await;
        let read = async |env: Env, _| Ok(env.kv("KV")?.get("k").cache_ttl(600).text().await?);
        // From here on the PoP's cache holds it for ten minutes.
        world.sleep(Duration::from_secs(15)).await;
        assert_eq!(at(&fra, read).await.as_deref(), Some("v"));
        world.sleep(Duration::from_secs(6)).await;
        assert_eq!(at(&fra, read).await, None);
        let list = async |env: Env, _| Ok(env.kv("KV")?.list().execute().await?.keys.len());
        assert_eq!(at(&fra, list).await, 0);
    });
}

#[test]
fn limits_are_refused_with_the_platforms_texts() {
    let world = platform(&["IAD"]).build().expect("builds");
    let texts = world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let kv = env.kv("KV")?;
            let mut texts = Vec::new();
            let long = "ü".repeat(257);
            for key in ["", ".", "..", &long] {
                texts.push(failure(kv.get(key).text().await));
                texts.push(failure(kv.put(key, "v")?.execute().await));
                texts.push(failure(kv.delete(key).await));
            }
            kv.put(&"k".repeat(512), "v")?.execute().await?;
            texts.push(failure(kv.get("k").cache_ttl(29).text().await));
            texts.push(failure(kv.put("k", "v")?.expiration_ttl(0).execute().await));
            texts.push(failure(
                kv.put("k", "v")?.expiration_ttl(59).execute().await,
            ));
            let now = Date::now().as_millis() / 1000;
            texts.push(
                failure(kv.put("k", "v")?.expiration(now).execute().await)
                    .replace(&now.to_string(), "NOW"),
            );
            texts.push(
                failure(kv.put("k", "v")?.expiration(now + 59).execute().await)
                    .replace(&(now + 59).to_string(), "SOON"),
            );
            texts.push(failure(
                kv.put("k", "v")?
                    .metadata("m".repeat(1023))?
                    .execute()
                    .await,
            ));
            kv.put("largest metadata", "v")?
                .metadata("m".repeat(1022))?
                .execute()
                .await?;
            texts.push(failure(
                kv.put_bytes("k", &vec![0; 25 * 1024 * 1024 + 1])?
                    .execute()
                    .await,
            ));
            kv.put_bytes("largest value", &vec![0; 25 * 1024 * 1024])?
                .execute()
                .await?;
            texts.push(failure(kv.list().limit(1001).execute().await));
            texts.push(failure(kv.list().prefix(long.clone()).execute().await));
            let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
            texts.push(failure(kv.get_bulk(&many).text().await));
            texts.push(failure(kv.get_bulk(&[] as &[&str]).text().await));
            Ok(texts)
        })
        .await
    });
    let expected = [
        "Key name cannot be empty.",
        "Key name cannot be empty.",
        "Key name cannot be empty.",
        "\".\" is not allowed as a key name.",
        "\".\" is not allowed as a key name.",
        "\".\" is not allowed as a key name.",
        "\"..\" is not allowed as a key name.",
        "\"..\" is not allowed as a key name.",
        "\"..\" is not allowed as a key name.",
        "KV GET failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.",
        "KV PUT failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.",
        "KV DELETE failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.",
        "KV GET failed: 400 Invalid cache_ttl of 29. Cache TTL must be at least 30.",
        "KV PUT failed: 400 Invalid expiration_ttl of 0. Please specify integer greater than 0.",
        "KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60.",
        "KV PUT failed: 400 Invalid expiration of NOW. Please specify integer greater than the current number of seconds since the UNIX epoch.",
        "KV PUT failed: 400 Invalid expiration of SOON. Expiration times must be at least 60 seconds in the future.",
        "KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024.",
        "KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400.",
        "KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.",
        "KV GET failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.",
        "KV GET_BULK failed: 400 You can request a maximum of 100 keys",
        "KV GET_BULK failed: 400 You must request a minimum of 1 key",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_list_has_pages_in_the_order_of_the_keys_bytes() {
    let world = platform(&["IAD"]).build().expect("builds");
    let (pages, prefixed, first) = world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let kv = env.kv("KV")?;
            for key in ["b", "a%", "ä", "a_", "B", "a", "ab"] {
                kv.put(key, "")?
                    .metadata(json!({ "key": key }))?
                    .expiration_ttl(100)
                    .execute()
                    .await?;
            }
            let mut pages = Vec::new();
            let mut cursor = None;
            loop {
                let mut list = kv.list().limit(3);
                if let Some(cursor) = cursor.take() {
                    list = list.cursor(cursor);
                }
                let page = list.execute().await?;
                pages.push(
                    page.keys
                        .iter()
                        .map(|key| key.name.clone())
                        .collect::<Vec<_>>(),
                );
                assert_eq!(page.list_complete, page.cursor.is_none());
                if page.list_complete {
                    break;
                }
                cursor = page.cursor;
            }
            let prefixed = kv.list().prefix("a".into()).execute().await?;
            let first = prefixed.keys[0].clone();
            // Written and read within the first second of the run.
            assert_eq!(first.expiration, Some(1_767_225_600 + 100));
            Ok((
                pages,
                prefixed
                    .keys
                    .into_iter()
                    .map(|key| key.name)
                    .collect::<Vec<_>>(),
                first,
            ))
        })
        .await
    });
    assert_eq!(
        pages,
        [vec!["B", "a", "a%"], vec!["a_", "ab", "b"], vec!["ä"]]
    );
    assert_eq!(prefixed, ["a", "a%", "a_", "ab"]);
    assert_eq!(first.metadata, Some(json!({ "key": "a" })));
}

#[test]
fn operations_are_billed_per_key() {
    use edgeproof_sim::bill::usage::Meter;
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let kv = env.kv("KV")?;
            kv.put("a", "12345")?.execute().await?;
            let _ = failure(kv.put("a", "6")?.execute().await);
            kv.get_bulk(&["a", "b", "c"]).text().await?;
            kv.get("a").text().await?;
            kv.list().execute().await?;
            kv.delete("never written").await?;
            Ok(())
        })
        .await
    });
    let usage = world.usage();
    let billed = [
        Meter::KvWrites,
        Meter::KvReads,
        Meter::KvLists,
        Meter::KvDeletes,
        Meter::KvStoredBytes,
    ];
    assert_eq!(billed.map(|meter| usage.total(meter)), [1, 4, 1, 1, 6]);
}

// --- random sequences against a model -------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Step {
    Pause {
        ms: u64,
    },
    Put {
        pop: usize,
        key: &'static str,
        value: String,
        metadata: Option<u8>,
        ttl_seconds: Option<u64>,
    },
    Delete {
        pop: usize,
        key: &'static str,
    },
    Get {
        pop: usize,
        key: &'static str,
        cache_ttl_seconds: Option<u64>,
    },
    GetBulk {
        pop: usize,
    },
    List {
        pop: usize,
        prefix: &'static str,
        limit: u64,
    },
}

const POPS: [&str; 3] = ["FRA", "SIN", "GRU"];
const KEYS: [&str; 4] = ["a", "ab", "b", "ü"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pop = || 0..POPS.len();
    let key = || prop::sample::select(&KEYS[..]);
    let pause = prop::sample::select(vec![
        1, 300, 999, 1_000, 1_700, 7_000, 29_999, 30_000, 45_000, 60_000, 61_000,
    ]);
    let step = prop_oneof![
        3 => pause.prop_map(|ms| Step::Pause { ms }),
        4 => (pop(), key(), "[a-z]{0,3}", prop::option::of(any::<u8>()), prop::option::of(60_u64..130)).prop_map(
            |(pop, key, value, metadata, ttl_seconds)| Step::Put { pop, key, value, metadata, ttl_seconds }
        ),
        1 => (pop(), key()).prop_map(|(pop, key)| Step::Delete { pop, key }),
        6 => (pop(), key(), prop::option::of(prop::sample::select(vec![30_u64, 45, 60, 120])))
            .prop_map(|(pop, key, cache_ttl_seconds)| Step::Get { pop, key, cache_ttl_seconds }),
        1 => pop().prop_map(|pop| Step::GetBulk { pop }),
        2 => (pop(), prop::sample::select(vec!["", "a", "b", "x"]), 1_u64..4)
            .prop_map(|(pop, prefix, limit)| Step::List { pop, prefix, limit }),
    ];
    prop::collection::vec(step, 1..60)
}

/// What KV promises, written down as slowly as it is read: every write ever made is kept, and every read looks through
/// all of them. Times in milliseconds; all operations take none.
#[derive(Default)]
struct Model {
    now_ms: u64,
    /// Key, time, and what was written: value, metadata, second of expiry; or nothing, by a delete.
    writes: Vec<(&'static str, u64, Option<Written>)>,
    /// PoP, key, time of the fetch, cacheTtl with which it was fetched: which state each PoP got when.
    fetches: Vec<(usize, &'static str, u64, u64, Option<Written>)>,
}

type Written = (String, Option<u8>, Option<u64>);
type Seen = Option<(String, Option<u8>)>;

impl Model {
    fn newest(&self, key: &str) -> Option<Written> {
        self.writes
            .iter()
            .rev()
            .find(|(written, ..)| *written == key)
            .and_then(|(.., state)| state.clone())
    }

    fn alive(&self, state: Option<Written>) -> Option<Written> {
        state.filter(|(.., expires)| expires.is_none_or(|second| second > self.now_ms / 1000))
    }

    fn write(
        &mut self,
        pop: usize,
        key: &'static str,
        state: Option<Written>,
    ) -> Result<(), String> {
        let verb = if state.is_some() { "PUT" } else { "DELETE" };
        if self
            .writes
            .iter()
            .any(|(written, at, _)| *written == key && self.now_ms - at < 1000)
        {
            return Err(format!("KV {verb} failed: 429 Too Many Requests"));
        }
        self.writes.push((key, self.now_ms, state.clone()));
        self.fetches.push((pop, key, self.now_ms, 60, state));
        Ok(())
    }

    fn get(&mut self, pop: usize, key: &'static str, cache_ttl_seconds: u64) -> Seen {
        let last = self
            .fetches
            .iter()
            .rev()
            .find(|(cached_in, cached, ..)| (*cached_in, *cached) == (pop, key));
        let state = match last {
            // The cache keeps it for as long as the read that fetched it asked for, and serves reads that accept that age.
            Some((.., at, kept_seconds, state))
                if self.now_ms - at < kept_seconds * 1000
                    && self.now_ms - at < cache_ttl_seconds * 1000 =>
            {
                state.clone()
            }
            _ => {
                let state = self.newest(key);
                self.fetches
                    .push((pop, key, self.now_ms, cache_ttl_seconds, state.clone()));
                state
            }
        };
        self.alive(state)
            .map(|(value, metadata, _)| (value, metadata))
    }

    fn list(&self, prefix: &str) -> Vec<(String, Option<u64>, Option<Value>)> {
        let mut keys = Vec::new();
        for key in KEYS {
            if let Some((_, metadata, expires)) = self.alive(self.newest(key))
                && key.starts_with(prefix)
            {
                keys.push((
                    key.to_owned(),
                    expires,
                    metadata.map(|number| json!(number)),
                ));
            }
        }
        keys.sort_by(|(a, ..), (b, ..)| a.as_bytes().cmp(b.as_bytes()));
        keys
    }
}

async fn list_all(
    client: &Client,
    prefix: &'static str,
    limit: u64,
) -> Vec<(String, Option<u64>, Option<Value>)> {
    at(client, async move |env, _| {
        let kv = env.kv("KV")?;
        let mut keys = Vec::new();
        let mut page = kv
            .list()
            .prefix(prefix.into())
            .limit(limit)
            .execute()
            .await?;
        loop {
            assert!(page.keys.len() as u64 <= limit);
            keys.extend(
                page.keys
                    .drain(..)
                    .map(|key| (key.name, key.expiration, key.metadata)),
            );
            let Some(cursor) = page.cursor else {
                return Ok(keys);
            };
            page = kv
                .list()
                .prefix(prefix.into())
                .limit(limit)
                .cursor(cursor)
                .execute()
                .await?;
        }
    })
    .await
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn kv_does_what_its_model_does(steps in steps()) {
        let world = platform(&POPS).options(instant()).build().expect("builds");
        let mut model = Model { now_ms: world.start().unix_ms(), ..Model::default() };
        world.run(async |world| {
            let clients = POPS.map(|pop| world.client(pop));
            for step in steps {
                let shown = format!("{step:?}");
                match step {
                    Step::Pause { ms } => {
                        world.sleep(Duration::from_millis(ms)).await;
                        model.now_ms += ms;
                    }
                    Step::Put { pop, key, value, metadata, ttl_seconds } => {
                        let expires = ttl_seconds.map(|ttl| model.now_ms / 1000 + ttl);
                        let expected = model.write(pop, key, Some((value.clone(), metadata, expires)));
                        let done = at(&clients[pop], async move |env, _| {
                            let mut put = env.kv("KV")?.put(key, value)?;
                            if let Some(metadata) = metadata {
                                put = put.metadata(metadata)?;
                            }
                            if let Some(ttl) = ttl_seconds {
                                put = put.expiration_ttl(ttl);
                            }
                            Ok(put.execute().await.map_err(|error| message(&error.into())))
                        });
                        assert_eq!(done.await, expected, "{shown}");
                    }
                    Step::Delete { pop, key } => {
                        let expected = model.write(pop, key, None);
                        let done = at(&clients[pop], async move |env, _| {
                            Ok(env.kv("KV")?.delete(key).await.map_err(|error| message(&error.into())))
                        });
                        assert_eq!(done.await, expected, "{shown}");
                    }
                    Step::Get { pop, key, cache_ttl_seconds } => {
                        let expected = model.get(pop, key, cache_ttl_seconds.unwrap_or(60));
                        let read = at(&clients[pop], async move |env, _| {
                            let mut get = env.kv("KV")?.get(key);
                            if let Some(ttl) = cache_ttl_seconds {
                                get = get.cache_ttl(ttl);
                            }
                            let (value, metadata) = get.text_with_metadata::<u8>().await?;
                            Ok(value.map(|value| (value, metadata)))
                        });
                        assert_eq!(read.await, expected, "{shown}");
                    }
                    Step::GetBulk { pop } => {
                        let expected: BTreeMap<_, _> = KEYS
                            .map(|key| (key.to_owned(), model.get(pop, key, 60).map(|(value, _)| value)))
                            .into();
                        let read = at(&clients[pop], async |env, _| Ok(env.kv("KV")?.get_bulk(&KEYS).text().await?));
                        assert_eq!(read.await.into_iter().collect::<BTreeMap<_, _>>(), expected, "{shown}");
                    }
                    Step::List { pop, prefix, limit } => {
                        assert_eq!(list_all(&clients[pop], prefix, limit).await, model.list(prefix), "{shown}");
                    }
                }
            }
        });
        let violations = staleness::check(world.history().records(), &staleness::Options::default());
        prop_assert_eq!(violations, []);
    }
}
