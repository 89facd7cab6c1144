//! Memory of isolates: when it begins, when it ends, and the records of both.

use super::*;

/// What led to the stops of objects, in order.
fn stop_causes(world: &World) -> Vec<Option<Op>> {
    let history = world.history();
    let records = history.records();
    let stops = records
        .iter()
        .filter(|record| matches!(record.op, Op::ObjectStop { .. }));
    let of = |number: u64| records.iter().find(|record| record.number == number);
    stops
        .map(|stop| Some(of(stop.cause?)?.op.clone()))
        .collect()
}

#[test]
fn the_stop_of_an_object_names_the_deployment_or_the_fault() {
    let in_object = || object(|_| async { text("") });
    let world = world(call(), in_object())
        .faults([Fault {
            at_ms: 1_000,
            kind: FaultKind::ObjectReset {
                class: "Count".into(),
            },
        }])
        .build()
        .expect("builds");
    let new: Rc<dyn Script> = Rc::new(Code {
        fetch: call(),
        object: in_object(),
    });
    world.run(async |world| {
        get(world, "IAD", "https://one.example/").await;
        world.sleep(Duration::from_secs(2)).await;
        get(world, "IAD", "https://one.example/").await;
        world.deploy("one", &new).expect("deploys");
    });
    let causes = stop_causes(&world);
    assert!(
        matches!(
            causes[..],
            [Some(Op::Fault { .. }), Some(Op::Deploy { version: 2, .. })]
        ),
        "{causes:?}"
    );
}

#[test]
fn the_stop_of_an_object_names_the_call_that_ended_it() {
    let in_object = object(|_| async { panic!("boom") });
    let world = world(call(), in_object).build().expect("builds");
    world.run(async |world| get(world, "IAD", "https://one.example/").await);
    let causes = stop_causes(&world);
    assert!(
        matches!(causes[..], [Some(Op::ObjectCall { .. })]),
        "{causes:?}"
    );
}
