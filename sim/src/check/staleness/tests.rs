//! The check against honest and broken stores.

use super::*;
use crate::check::testing::{MS, SECOND, record};

fn op(key: &str) -> (String, String) {
    ("KV".to_owned(), key.to_owned())
}

/// A write that takes 20 ms and reaches the central store half-way.
fn put(pop: &str, at: Nanos, version: KvVersion) -> Record {
    let (namespace, key) = op("k");
    let outcome = Outcome::KvWritten {
        version,
        committed_at: at + 10 * MS,
    };
    record(
        pop,
        at,
        at + 20 * MS,
        Op::KvPut {
            namespace,
            key,
            bytes: 1,
            value_digest: Default::default(),
            expiration_seconds: None,
        },
        outcome,
    )
}

fn delete(pop: &str, at: Nanos, version: KvVersion) -> Record {
    let (namespace, key) = op("k");
    let outcome = Outcome::KvWritten {
        version,
        committed_at: at + 10 * MS,
    };
    record(
        pop,
        at,
        at + 20 * MS,
        Op::KvDelete { namespace, key },
        outcome,
    )
}

/// A read of 2 ms with the default cacheTtl.
fn read(pop: &str, at: Nanos, version: Option<KvVersion>, fetched_at: Nanos) -> Record {
    let (namespace, key) = op("k");
    let outcome = Outcome::KvRead {
        version,
        fetched_at,
        cached: fetched_at < at,
        digest: None,
    };
    record(
        pop,
        at,
        at + 2 * MS,
        Op::KvGet {
            namespace,
            key,
            cache_ttl_seconds: 60,
        },
        outcome,
    )
}

fn rules(records: &[Record]) -> Vec<&'static str> {
    check(records, &Options::default())
        .iter()
        .map(|violation| violation.rule)
        .collect()
}

/// A write in Paris; Singapore cached the version before it.
fn honest() -> Vec<Record> {
    vec![
        put("CDG", 0, 1),
        read("SIN", SECOND, Some(1), SECOND + MS),
        put("CDG", 10 * SECOND, 2),
        read("CDG", 11 * SECOND, Some(2), 10 * SECOND + 10 * MS),
        read("SIN", 50 * SECOND, Some(1), SECOND + MS),
        read("SIN", 62 * SECOND, Some(2), 62 * SECOND + MS),
    ]
}

#[test]
fn stale_reads_within_the_ttl_are_accepted_and_measured() {
    assert_eq!(check(&honest(), &Options::default()), []);
    let staleness = measure(&honest());
    assert_eq!(
        (
            staleness.reads,
            staleness.stale_reads,
            staleness.misses,
            staleness.cached_reads
        ),
        (4, 1, 0, 2)
    );
    assert!(
        (staleness.max_stale_seconds - 39.99).abs() < 1e-9,
        "{staleness:?}"
    );
    assert_eq!(staleness.median_stale_seconds, staleness.max_stale_seconds);
}

#[test]
fn a_store_without_a_ttl_is_rejected() {
    let mut records = honest();
    records.push(read("GRU", 62 * SECOND, Some(1), 2 * SECOND));
    records.push(read("GRU", 64 * SECOND, Some(1), 2 * SECOND));
    assert_eq!(
        rules(&records),
        ["kv/too-old"],
        "60.002 s are borne, 62.002 s are not"
    );
    let violation = &check(&records, &Options::default())[0];
    assert_eq!(violation.events.len(), 2, "the write and the read");
    let strict = Options {
        tolerance: Duration::ZERO,
        ..Options::default()
    };
    assert_eq!(check(&records, &strict).len(), 2);
}

#[test]
fn a_fetch_that_returns_what_was_replaced_is_rejected() {
    let mut records = honest();
    records.push(read("GRU", 20 * SECOND, Some(1), 20 * SECOND + MS));
    assert_eq!(rules(&records), ["kv/outdated-fetch"]);
    // A propagation delay of 15 s explains it.
    let delayed = Options {
        tolerance: Duration::from_secs(15),
        ..Options::default()
    };
    assert_eq!(check(&records, &delayed), []);
}

#[test]
fn a_pop_that_goes_back_behind_a_read_or_its_own_write_is_rejected() {
    let mut records = honest();
    records.push(read("SIN", 63 * SECOND, Some(1), 3 * SECOND));
    assert_eq!(rules(&records), ["kv/went-back"], "behind its own read");
    let mut records = honest();
    records.push(read("CDG", 12 * SECOND, Some(1), 9 * SECOND));
    assert_eq!(rules(&records), ["kv/went-back"], "behind its own write");
    let usually = Options {
        monotonic: false,
        ..Options::default()
    };
    assert_eq!(check(&records, &usually), []);
}

#[test]
fn reads_that_overlap_may_finish_in_any_order() {
    let mut slow = read("SIN", 60 * SECOND, Some(1), SECOND + MS);
    slow.end = 62 * SECOND + 500 * MS;
    let mut records = honest();
    records.push(slow);
    let lenient = Options {
        tolerance: Duration::from_secs(2),
        ..Options::default()
    };
    assert_eq!(check(&records, &lenient), []);
}

#[test]
fn a_miss_is_right_before_a_write_after_a_delete_and_after_expiry() {
    let records = [
        put("CDG", 10 * SECOND, 1),
        read("SIN", 20 * SECOND, None, 5 * SECOND),
        delete("CDG", 30 * SECOND, 2),
        read("CDG", 31 * SECOND, None, 30 * SECOND + 10 * MS),
        expiring(put("CDG", 40 * SECOND, 3), 100),
        read("CDG", 120 * SECOND, None, 119 * SECOND),
    ];
    assert_eq!(rules(&records), [] as [&str; 0]);
    assert_eq!(measure(&records).misses, 3);
}

#[test]
fn a_value_that_goes_before_its_expiration_is_rejected() {
    let records = [
        expiring(put("CDG", 40 * SECOND, 3), 130),
        read("CDG", 120 * SECOND, None, 119 * SECOND),
    ];
    assert_eq!(rules(&records), ["kv/outdated-fetch", "kv/went-back"]);
}

fn expiring(mut put: Record, at_seconds: u64) -> Record {
    if let Op::KvPut {
        expiration_seconds, ..
    } = &mut put.op
    {
        *expiration_seconds = Some(at_seconds);
    }
    put
}

#[test]
fn a_lost_write_is_rejected() {
    let records = [
        put("CDG", 10 * SECOND, 1),
        read("CDG", 20 * SECOND, None, 19 * SECOND),
    ];
    assert_eq!(rules(&records), ["kv/outdated-fetch", "kv/went-back"]);
}

#[test]
fn keys_and_namespaces_do_not_mix() {
    let mut other = read("SIN", 100 * SECOND, None, 100 * SECOND);
    if let Op::KvGet { key, .. } = &mut other.op {
        *key = "other".to_owned();
    }
    let mut records = honest();
    records.push(other);
    assert_eq!(rules(&records), [] as [&str; 0]);
}
