//! State that an earlier run left in a folder.

use super::*;

/// What `act` answers in a world that keeps its state in a folder; the state is saved at the end.
fn run(folder: &std::path::Path, act: Act, faults: Vec<Fault>) -> String {
    let world = world(act, nothing())
        .start_unix_ms(0)
        .faults(faults)
        .persist(folder)
        .build()
        .expect("builds");
    let answer = world.run(async |world| get(world, "IAD", "https://one.example/").await);
    world.account().save(folder).expect("saved");
    answer
}

fn read() -> Act {
    fetch(|| async {
        let read = Bindings::current().kv_get(kv(), "k".into(), None).await?;
        text(match read {
            Some(read) => String::from_utf8_lossy(&read.value).into_owned(),
            None => "nothing".into(),
        })
    })
}

#[test]
fn every_pop_sees_kept_values_at_once_however_late_its_view_is() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(folder.path(), put(), vec![]), "Ok(())");
    let late = Fault {
        at_ms: 0,
        kind: FaultKind::KvPropagationDelay {
            pop: "IAD".into(),
            delay_ms: 60_000,
            for_ms: 600_000,
        },
    };
    assert_eq!(run(folder.path(), read(), vec![late]), "v");
}

#[test]
fn a_kept_value_is_no_write_of_the_last_second() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        assert_eq!(run(folder.path(), put(), vec![]), "Ok(())");
    }
}

#[test]
fn a_state_with_two_values_of_a_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), put(), vec![]);
    let file = folder.path().join("state.json");
    let state = std::fs::read_to_string(&file).expect("saved");
    let mut state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    let entries = state["namespaces"][0]["entries"]
        .as_array_mut()
        .expect("a list");
    entries.push(entries[0].clone());
    std::fs::write(&file, state.to_string()).expect("written");
    let refused = world(put(), nothing()).persist(folder.path()).build();
    let refused = refused.expect_err("which of the two holds?").to_string();
    assert!(
        refused.contains("the key \"k\" has two values"),
        "{refused}"
    );
}
