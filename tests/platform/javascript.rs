//! JavaScript objects and worlds: what ends with a world, and what a test keeps of it.

use support::inside::{Thing, at, platform, within};
use worker::js_sys::{Array, Object, Reflect};
use worker::wasm_bindgen::JsValue;
use worker_native_js::host::live_objects;

/// Two objects that hold each other.
fn circle() -> Object {
    let circle = Object::new();
    Reflect::set(&circle, &"list".into(), &Array::of1(&circle)).expect("it is an object");
    circle
}

/// The object of the list of a circle: the circle itself.
fn around(circle: &Object) -> JsValue {
    let list = Reflect::get(circle, &"list".into()).expect("it is an object");
    Array::from(&list).get(0)
}

#[test]
fn circles_of_objects_end_with_their_world() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, context| {
            drop(circle());
            // A task that waits when the world ends.
            let held = circle();
            context.wait_until(async move {
                worker::Delay::from(std::time::Duration::from_secs(20)).await;
                drop(held);
            });
            // The memory of an object.
            let stub = env.durable_object("THING")?.get_by_name("one")?;
            within(&stub, async |thing: &Thing| {
                thing.value.replace(circle().into());
                Ok(())
            })
            .await
        })
        .await;
    });
    assert_eq!(live_objects(), 6);
    drop(world);
    assert_eq!(live_objects(), 0);
}

#[test]
fn a_value_that_a_test_holds_outlives_its_world() {
    let world = platform(&["IAD"]).build().expect("builds");
    let kept = world.run(async |world| at(&world.client("IAD"), async |_, _| Ok(circle())).await);
    drop(world);
    assert_eq!(live_objects(), 2);
    assert_eq!(around(&kept), JsValue::from(kept.clone()));

    // The end of the next world frees the circle once the test has dropped it.
    drop(kept);
    drop(platform(&["IAD"]).build().expect("builds"));
    assert_eq!(live_objects(), 0);
}
