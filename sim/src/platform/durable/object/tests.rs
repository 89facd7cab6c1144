//! Instances that come and go, by example.

use super::{Object, Reset};
use crate::kernel::time::Instant;
use crate::platform::durable::eviction::Span;
use crate::platform::durable::id::ObjectId;
use crate::platform::durable::storage::Storage;
use crate::topology::Pop;
use std::rc::Rc;

fn object() -> Object {
    let home = Pop::all().next().expect("there are PoPs");
    Object::new(ObjectId([0; 32]), None, home, Storage::default())
}

#[test]
fn every_instance_has_a_number_of_its_own_and_only_the_last_is_live() {
    let mut object = object();
    let mut ended: Vec<u32> = Vec::new();
    for round in 0..6 {
        assert!(object.wake() && !object.wake());
        let number = object.generation();
        assert!(object.is_live(number) && object.live(number).is_some());
        for old in &ended {
            assert!(!object.is_live(*old) && object.live(*old).is_none());
        }
        if round % 3 == 0 {
            object.evict();
        } else {
            object.reset(Instant(1), &Rc::from("why"));
        }
        assert!(!object.has_instance() && !object.is_live(number));
        ended.push(number);
    }
}

#[test]
fn a_reset_undoes_the_turn_bills_the_span_and_is_remembered() {
    let mut object = object();
    let reason = Rc::from("why");
    assert!(object.reset(Instant(1), &reason).is_none());
    assert!(object.last_reset().is_none(), "there was no instance");
    object.wake();
    let live = object.live(object.generation()).expect("it was woken");
    live.activity.begin(Instant(2));
    let put = object.storage.put("k", "v".into());
    put.expect("it is small");
    let cut_off = object.reset(Instant(5), &reason).expect("it was live");
    let (from, to) = (Instant(2), Instant(5));
    assert_eq!(cut_off.active, Some(Span { from, to }));
    assert_eq!(object.storage.stored_bytes(), 0);
    object.blame_own_code();
    let reset = object.last_reset().expect("it was reset");
    assert!(reset.at == Instant(5) && &*reset.reason == "why" && reset.by_itself);
}

#[test]
fn an_instance_that_starts_lets_nothing_in_before_it_is_unlocked() {
    let mut object = object();
    object.wake();
    let live = object.live(object.generation()).expect("it was woken");
    assert!(!live.gate.is_open());
    live.gate.unlock();
    assert!(live.gate.is_open());
}

#[test]
fn an_answer_is_lost_by_a_reset_before_its_writes_are_durable() {
    let lost = |at, finished, leaves| {
        let reset = Reset {
            at: Instant(at),
            reason: "why".into(),
            by_itself: false,
        };
        reset.loses_answer(Instant(finished), Instant(leaves))
    };
    assert!(lost(5, 5, 5), "the commit of its own turn failed");
    assert!(lost(5, 5, 9) && lost(8, 5, 9));
    assert!(!lost(4, 5, 9), "before the answer was made");
    assert!(!lost(9, 5, 9), "the answer had left");
}
