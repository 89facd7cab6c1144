//! Databases that several bindings mean: migrations belong to the database, and seeds may use any of its names.

use super::*;
use edgeproof_sim::platform::d1::{Call, Statement};
use edgeproof_sim::wrangler::Migration;

const ID: &str = "11111111-2222-4333-8444-555555555555";

fn migration(number: u32, text: &str) -> Migration {
    Migration {
        name: format!("000{number}.sql"),
        text: text.into(),
    }
}

/// A Worker with a database of this id and these migrations.
fn bound(worker: &str, binding: &str, id: &str, migrations: &[Migration]) -> WorkerConfig {
    let text = format!(
        "name = '{worker}'\ncompatibility_date = '2026-08-20'\n\
         [[d1_databases]]\nbinding = '{binding}'\ndatabase_id = '{id}'"
    );
    let mut config = WorkerConfig::parse(&text, &format!("{worker}.toml"), None).expect("right");
    config.d1_databases[0].given_migrations = Some(migrations.to_vec());
    config
}

/// Answers the column `v` of the table `t` of the database behind a binding.
fn rows(binding: &'static str) -> Act {
    fetch(move || async move {
        let bindings = Bindings::current();
        let Some(&Binding::D1(database)) = bindings.binding(binding) else {
            return text("not bound");
        };
        let call = Call::Query(Statement {
            sql: "SELECT group_concat(v) AS v FROM t".into(),
            parameters: Vec::new(),
        });
        let results = bindings.d1_call(database, call).await?;
        text(format!("{:?}", results[0].outcome.rows))
    })
}

/// The Worker `one`, which binds the database as `ONE`, and the Worker `two`, which binds it as `TWO`.
fn two(first: &[Migration], second: &[Migration]) -> Builder {
    let code = |binding| {
        Rc::new(Code {
            fetch: rows(binding),
            object: nothing(),
        })
    };
    let other = Deployment::new(code("TWO"))
        .config(bound("two", "TWO", ID, second))
        .host("two.example");
    World::builder()
        .script(code("ONE"))
        .config(bound("one", "ONE", ID, first))
        .worker(other)
}

fn answers(builder: Builder) -> [String; 2] {
    let world = builder.build().expect("builds");
    world.run(async |world| {
        [
            get(world, "IAD", "https://one.example/").await,
            get(world, "IAD", "https://two.example/").await,
        ]
    })
}

#[test]
fn migrations_of_the_second_binding_alone_are_applied() {
    let migrations = [
        migration(1, "CREATE TABLE t(v)"),
        migration(2, "INSERT INTO t VALUES ('m')"),
    ];
    for [first, second] in [
        [&migrations[..], &[]],
        [&[], &migrations[..]],
        [&migrations[..], &migrations[..]],
    ] {
        let [one, two] = answers(two(first, second));
        assert!(one.contains("\"m\"") && one == two, "{one} {two}");
    }
}

#[test]
fn two_sets_of_migrations_for_one_database_are_refused() {
    let own = [migration(1, "CREATE TABLE t(v)")];
    for other in [
        migration(1, "CREATE TABLE t(v, w)"),
        migration(2, "CREATE TABLE t(v)"),
    ] {
        let refused = two(&own, std::slice::from_ref(&other))
            .build()
            .expect_err("they differ");
        let refused = refused.to_string();
        for part in [
            "ONE",
            "one.toml for ONE",
            "two.toml for TWO",
            "migrations_dir",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        // Migrations that are applied by hand are not compared.
        let unapplied = two(&own, &[other]).migrate(false).build();
        assert!(unapplied.is_ok());
    }
}

#[test]
fn seeds_may_use_any_name_of_a_database() {
    let seeded = |seeds: &[(&str, &str)]| {
        let builder = two(&[], &[migration(1, "CREATE TABLE t(v)")]);
        let seeds = seeds.iter();
        let builder = seeds.fold(builder, |builder, (binding, sql)| {
            builder.seed_sql(binding, "s.sql", sql)
        });
        answers(builder)[0].clone()
    };
    let a = ("ONE", "INSERT INTO t VALUES ('a')");
    let b = ("TWO", "INSERT INTO t VALUES ('b')");
    assert!(seeded(&[a, b]).contains("\"a,b\""), "{}", seeded(&[a, b]));
    assert!(seeded(&[b, a]).contains("\"b,a\""), "{}", seeded(&[b, a]));
    // One text for both names is meant once.
    let again = ("TWO", a.1);
    assert!(
        seeded(&[a, again]).contains("\"a\""),
        "{}",
        seeded(&[a, again])
    );
}

#[test]
fn a_seed_goes_to_the_database_that_records_call_so() {
    let create = [migration(1, "CREATE TABLE t(v)")];
    // `two` calls the database of `one` as `three` calls its own.
    let code = || {
        Rc::new(Code {
            fetch: rows("TWO"),
            object: nothing(),
        })
    };
    let own = "99999999-2222-4333-8444-555555555555";
    let three = Deployment::new(code())
        .config(bound("three", "TWO", own, &create))
        .host("three.example");
    let world = two(&create, &[])
        .worker(three)
        .seed_sql("TWO", "s.sql", "INSERT INTO t VALUES ('own')")
        .seed_sql("two/TWO", "s.sql", "INSERT INTO t VALUES ('shared')")
        .build()
        .expect("builds");
    assert_eq!(world.space().databases, ["ONE", "TWO"]);
    let answers = world.run(async |world| {
        [
            get(world, "IAD", "https://two.example/").await,
            get(world, "IAD", "https://three.example/").await,
        ]
    });
    assert!(answers[0].contains("\"shared\""), "{answers:?}");
    assert!(answers[1].contains("\"own\""), "{answers:?}");
}
