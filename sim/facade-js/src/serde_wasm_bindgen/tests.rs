//! The rules of serde-wasm-bindgen, one by one, and round trips of arbitrary types.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::js_sys::{Array, JSON, Map, Object, Reflect, Uint8Array};
use crate::wasm_bindgen::JsCast;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bucket {
    hits: Vec<u32>,
    until_ms: u64,
    name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Pair(i32, String),
    Named { x: i64, y: Option<bool> },
}

fn object(json: &str) -> JsValue {
    JSON::parse(json).unwrap()
}

fn shown(value: &JsValue) -> String {
    format!("{value:?}")
}

fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(value: impl Into<JsValue>) -> String {
    from_value::<T>(value.into()).unwrap_err().to_string()
}

#[test]
fn a_struct_is_an_object_and_a_missing_field_is_undefined() {
    let bucket = Bucket {
        hits: vec![1, 2],
        until_ms: 5,
        name: None,
    };
    let value = to_value(&bucket).unwrap();
    assert!(Reflect::has(&value, &"name".into()).unwrap());
    assert!(Reflect::get(&value, &"name".into()).unwrap().is_undefined());
    assert_eq!(
        shown(&value),
        "JsValue(Object({\"hits\":[1,2],\"until_ms\":5}))"
    );
    assert_eq!(from_value::<Bucket>(value).unwrap(), bucket);

    let value = bucket.serialize(&Serializer::json_compatible()).unwrap();
    assert!(Reflect::get(&value, &"name".into()).unwrap().is_null());
}

#[test]
fn null_and_undefined_are_both_none_and_both_unit() {
    assert_eq!(from_value::<Option<u32>>(JsValue::NULL).unwrap(), None);
    assert_eq!(from_value::<Option<u32>>(JsValue::UNDEFINED).unwrap(), None);
    from_value::<()>(JsValue::NULL).unwrap();
    assert!(to_value(&()).unwrap().is_undefined());
    assert!(to_value(&None::<u32>).unwrap().is_undefined());
    let nulls = Serializer::new().serialize_missing_as_null(true);
    assert!(None::<u32>.serialize(&nulls).unwrap().is_null());
}

#[test]
fn integers_beyond_two_to_the_53_are_refused_both_ways() {
    const MAX: u64 = (1 << 53) - 1;
    assert_eq!(to_value(&MAX).unwrap(), MAX as f64);
    assert_eq!(
        to_value(&(MAX + 2)).unwrap_err().to_string(),
        "Error: 9007199254740993 can't be represented as a JavaScript number"
    );
    assert_eq!(
        to_value(&i64::MIN).unwrap_err().to_string(),
        "Error: -9223372036854775808 can't be represented as a JavaScript number"
    );
    assert!(to_value(&(MAX + 1)).is_err());
    assert!(to_value(&(-(MAX as i64) - 1)).is_err());
    assert_eq!(to_value(&-(MAX as i64)).unwrap(), -(MAX as f64));
    assert_eq!(
        from_value::<u64>(JsValue::from_f64(MAX as f64)).unwrap(),
        MAX
    );
    // What JSON.parse makes of 9007199254740993 is 2^53, and no integer any more.
    assert_eq!(
        refused::<u64>(object("9007199254740993")),
        "Error: invalid type: floating point `9007199254740992.0`, expected u64"
    );
    assert_eq!(
        refused::<i64>(1.5),
        "Error: invalid type: floating point `1.5`, expected i64"
    );
}

#[test]
fn large_integers_may_travel_as_bigints() {
    let bigints = Serializer::new().serialize_large_number_types_as_bigints(true);
    let value = u64::MAX.serialize(&bigints).unwrap();
    assert!(value.is_bigint());
    assert_eq!(from_value::<u64>(value.clone()).unwrap(), u64::MAX);
    assert_eq!(
        refused::<i64>(value),
        "Error: Couldn't deserialize i64 from a BigInt outside i64::MIN..i64::MAX bounds"
    );
    assert_eq!(
        from_value::<i128>(to_value(&i128::MIN).unwrap()).unwrap(),
        i128::MIN
    );
    assert!(from_value::<u128>(JsValue::from(5)).is_err());
    assert!(from_value::<f64>(JsValue::from(5_u64)).is_err());
}

#[test]
fn integers_have_their_range_and_sign() {
    assert_eq!(
        refused::<u8>(300),
        "Error: invalid value: integer `300`, expected u8"
    );
    assert_eq!(
        refused::<u32>(-1),
        "Error: invalid type: floating point `-1.0`, expected u32"
    );
    assert_eq!(
        refused::<u32>("5"),
        "Error: invalid type: string \"5\", expected u32"
    );
    assert_eq!(from_value::<f32>(JsValue::from(2)).unwrap(), 2.0);
    assert_eq!(
        refused::<u32>(JsValue::NULL),
        "Error: invalid type: unit value, expected u32"
    );
    assert_eq!(
        refused::<u32>(object("{\"a\":1}")),
        "Error: invalid type: JsValue(Object({\"a\":1})), expected u32"
    );
}

#[test]
fn a_map_of_rust_is_a_map_of_javascript_unless_asked_otherwise() {
    let map = BTreeMap::from([("a".to_owned(), 1_u32), ("b".to_owned(), 2)]);
    let value = to_value(&map).unwrap();
    assert_eq!(value.dyn_ref::<Map>().unwrap().get(&"b".into()), 2);
    assert_eq!(from_value::<BTreeMap<String, u32>>(value).unwrap(), map);

    let objects = Serializer::new().serialize_maps_as_objects(true);
    let value = map.serialize(&objects).unwrap();
    assert_eq!(shown(&value), "JsValue(Object({\"a\":1,\"b\":2}))");
    assert_eq!(from_value::<BTreeMap<String, u32>>(value).unwrap(), map);

    let numbers = BTreeMap::from([(1_u32, "x")]);
    assert_eq!(
        numbers.serialize(&objects).unwrap_err().to_string(),
        "Error: Map key is not a string and cannot be an object key"
    );
    assert_eq!(
        to_value(&numbers)
            .unwrap()
            .dyn_ref::<Map>()
            .unwrap()
            .get(&1.into()),
        "x"
    );
    // The names of an object are strings, also where they look like numbers.
    assert!(from_value::<BTreeMap<u32, String>>(object("{\"1\":\"x\"}")).is_err());
}

#[test]
fn a_struct_is_not_read_from_a_map() {
    let map = Map::new();
    map.set(&"hits".into(), &Array::new());
    map.set(&"until_ms".into(), &1.into());
    assert_eq!(
        refused::<Bucket>(map.clone()),
        "Error: missing field `hits`"
    );

    // A flattened one asks for any map, and gets it.
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        bucket: Bucket,
    }
    assert_eq!(from_value::<Outer>(map.into()).unwrap().bucket.until_ms, 1);
}

#[test]
fn a_serde_json_object_becomes_a_map_which_stringify_drops() {
    // A well-known trap: `to_value(&json!({...}))` stringifies as {}.
    let value = to_value(&serde_json::json!({"a": 1})).unwrap();
    assert!(value.has_type::<Map>());
    assert_eq!(JSON::stringify(&value).unwrap(), "{}");
}

#[test]
fn bytes_are_uint8arrays_and_lists_of_numbers_are_arrays() {
    struct Bytes(Vec<u8>);
    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
            s.serialize_bytes(&self.0)
        }
    }
    let value = to_value(&Bytes(vec![1, 2])).unwrap();
    assert_eq!(value.dyn_ref::<Uint8Array>().unwrap().to_vec(), [1, 2]);
    assert_eq!(from_value::<Vec<u8>>(value).unwrap(), [1, 2]);
    let arrays = Serializer::new().serialize_bytes_as_arrays(true);
    assert!(Bytes(vec![1]).serialize(&arrays).unwrap().is_array());
    assert!(to_value(&vec![1_u8]).unwrap().is_array());
}

#[test]
fn enums_are_strings_or_objects_with_one_name() {
    for (shape, text) in [
        (Shape::Nothing, "JsValue(\"Nothing\")"),
        (Shape::Circle(1.5), "JsValue(Object({\"Circle\":1.5}))"),
        (
            Shape::Pair(1, "x".into()),
            "JsValue(Object({\"Pair\":[1,\"x\"]}))",
        ),
        (
            Shape::Named {
                x: 1,
                y: Some(true),
            },
            "JsValue(Object({\"Named\":{\"x\":1,\"y\":true}}))",
        ),
    ] {
        let value = to_value(&shape).unwrap();
        assert_eq!(shown(&value), text);
        assert_eq!(from_value::<Shape>(value).unwrap(), shape);
    }
    assert_eq!(
        from_value::<Shape>(object("{\"Nothing\":null}")).unwrap(),
        Shape::Nothing
    );
    assert_eq!(
        refused::<Shape>(object("{\"Circle\":1,\"Pair\":[]}")),
        "Error: invalid length 2, expected 1"
    );
    assert!(
        refused::<Shape>("Square").starts_with("Error: unknown variant `Square`, expected one of")
    );
}

#[test]
fn sequences_come_from_whatever_is_iterable() {
    let map = Map::new();
    map.set(&"a".into(), &1.into());
    assert_eq!(
        from_value::<Vec<(String, u32)>>(map.into()).unwrap(),
        [("a".to_owned(), 1)]
    );
    // Items beyond a tuple's length are not looked at.
    assert_eq!(from_value::<(u32, u32)>(object("[1,2,3]")).unwrap(), (1, 2));
    assert_eq!(
        refused::<(u32, u32)>(object("[1]")),
        "Error: invalid length 1, expected a tuple of size 2"
    );
    assert_eq!(
        refused::<Vec<u32>>("text"),
        "TypeError: Reflect.get called on non-object"
    );
    assert_eq!(
        refused::<Vec<u32>>(Object::new()),
        "Error: invalid type: JsValue(Object({})), expected a sequence"
    );
}

#[test]
fn characters_and_strings() {
    assert_eq!(from_value::<char>("é".into()).unwrap(), 'é');
    assert!(from_value::<char>("ab".into()).is_err());
    assert_eq!(to_value(&'😀').unwrap(), "😀");
    assert_eq!(
        refused::<String>(5),
        "Error: invalid type: floating point `5.0`, expected a string"
    );
}

#[test]
fn an_untagged_value_keeps_what_it_is() {
    let json: serde_json::Value = from_value(object("{\"a\":[1,1.5,null,true,\"x\"]}")).unwrap();
    assert_eq!(json, serde_json::json!({"a": [1, 1.5, null, true, "x"]}));

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", rename_all = "lowercase")]
    enum Event {
        Hit { at: u64 },
    }
    let event: Event = from_value(object("{\"type\":\"hit\",\"at\":5}")).unwrap();
    assert_eq!(event, Event::Hit { at: 5 });
}

#[test]
fn a_value_nested_without_end_is_an_error_and_no_crash() {
    let deep = JSON::parse(&("[".repeat(30_000) + &"]".repeat(30_000))).unwrap();
    assert_eq!(
        refused::<serde_json::Value>(deep),
        "RangeError: Maximum call stack size exceeded"
    );
}

#[test]
fn an_error_goes_to_javascript_and_back() {
    let error = from_value::<u32>("x".into()).unwrap_err();
    let text = error.to_string();
    let value = JsValue::from(error);
    assert!(value.is_instance_of::<crate::js_sys::Error>());
    assert_eq!(Error::from(value).to_string(), text);
    assert_eq!(Error::from(JsValue::from("thrown")).to_string(), "thrown");
}

fn shape() -> impl Strategy<Value = Shape> {
    const SAFE: i64 = (1 << 53) - 1;
    prop_oneof![
        Just(Shape::Nothing),
        // NaN would not equal itself below.
        (-1e300..1e300).prop_map(Shape::Circle),
        (any::<i32>(), any::<String>()).prop_map(|(n, s)| Shape::Pair(n, s)),
        (-SAFE..=SAFE, any::<Option<bool>>()).prop_map(|(x, y)| Shape::Named { x, y }),
    ]
}

fn bucket() -> impl Strategy<Value = Bucket> {
    (any::<Vec<u32>>(), 0..1_u64 << 53, any::<Option<String>>()).prop_map(
        |(hits, until_ms, name)| Bucket {
            hits,
            until_ms,
            name,
        },
    )
}

type Everything = (
    Vec<Shape>,
    BTreeMap<String, Bucket>,
    BTreeMap<u32, (bool, char)>,
    Option<Vec<Option<i8>>>,
);

proptest! {
    #[test]
    fn what_serde_writes_it_reads_again(
        shapes in prop::collection::vec(shape(), 0..6),
        buckets in prop::collection::btree_map(any::<String>(), bucket(), 0..40),
        pairs in prop::collection::btree_map(any::<u32>(), any::<(bool, char)>(), 0..40),
        list: Option<Vec<Option<i8>>>,
    ) {
        let everything: Everything = (shapes, buckets, pairs, list);
        let value = to_value(&everything).unwrap();
        prop_assert_eq!(&from_value::<Everything>(value.clone()).unwrap(), &everything);
        // And through the bytes of a clone, as storage does.
        let bytes = crate::clone::to_bytes(&value).unwrap();
        let copy = crate::clone::from_bytes(&bytes).unwrap();
        prop_assert_eq!(from_value::<Everything>(copy).unwrap(), everything);
    }

    #[test]
    fn every_integer_is_kept_exactly_or_refused(n: i64, u: u64) {
        match to_value(&n) {
            Ok(value) => prop_assert_eq!(from_value::<i64>(value).unwrap(), n),
            Err(_) => prop_assert!(n.unsigned_abs() >= 1 << 53),
        }
        match to_value(&u) {
            Ok(value) => prop_assert_eq!(from_value::<u64>(value).unwrap(), u),
            Err(_) => prop_assert!(u >= 1 << 53),
        }
    }
}
