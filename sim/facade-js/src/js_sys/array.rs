//! `Array`. It is dense: a hole is `undefined`.

use super::class::{class, plain_traits};
use super::{JsString, Object, try_iter};
use crate::heap::{Kind, Obj};
use crate::wasm_bindgen::{JsValue, text};

class! {
    /// A list of values.
    Array extends Object; is |value| value.is_array()
}
plain_traits!(Array);

impl Default for Array {
    fn default() -> Self {
        Self::new()
    }
}

impl Array {
    /// `[]`.
    #[must_use]
    pub fn new() -> Self {
        Self::holding(Vec::new())
    }

    /// `new Array(length)`: that many times `undefined`.
    #[must_use]
    pub fn new_with_length(length: u32) -> Self {
        Self::holding(vec![JsValue::UNDEFINED; length as usize])
    }

    /// `Array.of(...items)`.
    #[must_use]
    pub fn of(items: &[JsValue]) -> Self {
        Self::holding(items.to_vec())
    }

    /// `Array.of(a)`.
    #[must_use]
    pub fn of1(a: &JsValue) -> Self {
        Self::holding(vec![a.clone()])
    }

    /// `Array.of(a, b)`.
    #[must_use]
    pub fn of2(a: &JsValue, b: &JsValue) -> Self {
        Self::holding(vec![a.clone(), b.clone()])
    }

    /// `Array.from(value)`: the items of an iterable, the characters of a string; empty for any other value.
    #[must_use]
    pub fn from(value: &JsValue) -> Self {
        if let Some(text) = value.text() {
            return text.chars().map(|c| JsValue::from(c.to_string())).collect();
        }
        match try_iter(value) {
            Ok(Some(iter)) => iter.filter_map(Result::ok).collect(),
            _ => Self::new(),
        }
    }

    /// `Array.isArray(value)`.
    #[must_use]
    pub fn is_array(value: &JsValue) -> bool {
        value.is_array()
    }

    fn holding(items: Vec<JsValue>) -> Self {
        JsValue::from(Obj::array(items)).into()
    }

    /// Reads the items; there are none if an unchecked cast made another value look like an array.
    fn read<R>(&self, read: impl FnOnce(&[JsValue]) -> R) -> R {
        match self.object().as_ref().map(|array| &array.kind) {
            Some(Kind::Array(items)) => read(&items.borrow()),
            _ => read(&[]),
        }
    }

    fn write<R>(&self, write: impl FnOnce(&mut Vec<JsValue>) -> R) -> R {
        match self.object().as_ref().map(|array| &array.kind) {
            Some(Kind::Array(items)) => write(&mut items.borrow_mut()),
            _ => write(&mut Vec::new()),
        }
    }

    /// `array.length`.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.read(|items| items.len() as u32)
    }

    /// `array.length = value`: cuts the list or extends it with `undefined`.
    pub fn set_length(&self, value: u32) {
        self.write(|items| items.resize(value as usize, JsValue::UNDEFINED));
    }

    /// `array[index]`; `undefined` past the end.
    #[must_use]
    pub fn get(&self, index: u32) -> JsValue {
        self.read(|items| items.get(index as usize).cloned().unwrap_or_default())
    }

    /// `array.at(index)`: a negative index counts from the end.
    #[must_use]
    pub fn at(&self, index: i32) -> JsValue {
        self.read(|items| {
            let place = i64::from(index) + if index < 0 { items.len() as i64 } else { 0 };
            usize::try_from(place)
                .ok()
                .and_then(|place| items.get(place).cloned())
                .unwrap_or_default()
        })
    }

    /// `array[index] = value`; the list grows as far as needed.
    pub fn set(&self, index: u32, value: JsValue) {
        self.write(|items| crate::heap::set_item(items, index, value));
    }

    /// `array.push(value)`; answers the new length.
    pub fn push(&self, value: &JsValue) -> u32 {
        self.write(|items| {
            items.push(value.clone());
            items.len() as u32
        })
    }

    /// `array.pop()`.
    pub fn pop(&self) -> JsValue {
        self.write(Vec::pop).unwrap_or_default()
    }

    /// `array.shift()`: removes and answers the first item.
    pub fn shift(&self) -> JsValue {
        self.write(|items| (!items.is_empty()).then(|| items.remove(0)))
            .unwrap_or_default()
    }

    /// `array.unshift(value)`: puts an item in front; answers the new length.
    pub fn unshift(&self, value: &JsValue) -> u32 {
        self.write(|items| {
            items.insert(0, value.clone());
            items.len() as u32
        })
    }

    /// `array.concat(other)`: a new list.
    #[must_use]
    pub fn concat(&self, other: &Self) -> Self {
        let mut items = self.to_vec();
        items.extend(other.to_vec());
        Self::holding(items)
    }

    /// `array.slice(start, end)`: a new list.
    #[must_use]
    pub fn slice(&self, start: u32, end: u32) -> Self {
        self.read(|items| {
            let end = (end as usize).min(items.len());
            let start = (start as usize).min(end);
            Self::holding(items[start..end].to_vec())
        })
    }

    /// `array.reverse()`, in place.
    pub fn reverse(&self) -> Self {
        self.write(|items| items.reverse());
        self.clone()
    }

    /// `array.join(delimiter)`.
    #[must_use]
    pub fn join(&self, delimiter: &str) -> JsString {
        let text = self
            .object()
            .map(|array| text::join(&array, delimiter))
            .unwrap_or_default();
        JsValue::from(text).into()
    }

    /// `array.includes(value, from_index)`: NaN is found.
    #[must_use]
    pub fn includes(&self, value: &JsValue, from_index: i32) -> bool {
        let key = crate::heap::MapKey::new(value.clone());
        self.read(|items| {
            items[start(from_index, items.len())..]
                .iter()
                .any(|item| key.is(item))
        })
    }

    /// `array.indexOf(value, from_index)`, by `===`; -1 where it is not found.
    #[must_use]
    pub fn index_of(&self, value: &JsValue, from_index: i32) -> i32 {
        self.read(|items| {
            let start = start(from_index, items.len());
            items[start..]
                .iter()
                .position(|item| item == value)
                .map_or(-1, |place| (start + place) as i32)
        })
    }

    /// Calls `callback(item, index, array)` for every item.
    pub fn for_each(&self, callback: &mut dyn FnMut(JsValue, u32, Self)) {
        for (index, item) in self.to_vec().into_iter().enumerate() {
            callback(item, index as u32, self.clone());
        }
    }

    /// A new list of what `mapping(item, index, array)` answers.
    #[must_use]
    pub fn map(&self, mapping: &mut dyn FnMut(JsValue, u32, Self) -> JsValue) -> Self {
        let mapped = |(index, item)| mapping(item, index as u32, self.clone());
        self.to_vec().into_iter().enumerate().map(mapped).collect()
    }

    /// A new list of the items that `predicate(item, index, array)` accepts.
    #[must_use]
    pub fn filter(&self, predicate: &mut dyn FnMut(JsValue, u32, Self) -> bool) -> Self {
        let mut index = 0;
        let mut items = self.to_vec();
        items.retain(|item| {
            let keep = predicate(item.clone(), index, self.clone());
            index += 1;
            keep
        });
        Self::holding(items)
    }

    /// The items as they are now.
    #[must_use]
    pub fn to_vec(&self) -> Vec<JsValue> {
        self.read(<[JsValue]>::to_vec)
    }

    /// Iterates over the items as they are now.
    #[must_use]
    pub fn iter(&self) -> ArrayIntoIter {
        ArrayIntoIter {
            items: self.to_vec().into_iter(),
        }
    }
}

/// Where a search begins: a negative index counts from the end.
fn start(from_index: i32, length: usize) -> usize {
    let place = i64::from(from_index) + if from_index < 0 { length as i64 } else { 0 };
    usize::try_from(place).unwrap_or(0).min(length)
}

/// Iterates over the items of an [`Array`].
#[derive(Clone, Debug)]
pub struct ArrayIntoIter {
    items: std::vec::IntoIter<JsValue>,
}

impl Iterator for ArrayIntoIter {
    type Item = JsValue;

    fn next(&mut self) -> Option<JsValue> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl DoubleEndedIterator for ArrayIntoIter {
    fn next_back(&mut self) -> Option<JsValue> {
        self.items.next_back()
    }
}

impl ExactSizeIterator for ArrayIntoIter {}

impl IntoIterator for Array {
    type Item = JsValue;
    type IntoIter = ArrayIntoIter;

    fn into_iter(self) -> ArrayIntoIter {
        self.iter()
    }
}

impl<A: AsRef<JsValue>> FromIterator<A> for Array {
    fn from_iter<I: IntoIterator<Item = A>>(iter: I) -> Self {
        Self::holding(iter.into_iter().map(|item| item.as_ref().clone()).collect())
    }
}

impl<A: AsRef<JsValue>> Extend<A> for Array {
    fn extend<I: IntoIterator<Item = A>>(&mut self, iter: I) {
        for item in iter {
            self.push(item.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm_bindgen::JsCast;

    #[test]
    fn an_array_pushes_pops_and_is_read_past_its_end() {
        let array = Array::new();
        assert_eq!(array.push(&1.into()), 1);
        assert_eq!(array.push(&"b".into()), 2);
        assert!(array.get(2).is_undefined());
        array.set(3, JsValue::NULL);
        assert_eq!(array.length(), 4);
        assert!(array.get(2).is_undefined());
        assert!(array.pop().is_null());
        assert_eq!(array.at(-3), 1);
        assert_eq!(array.shift(), 1);
        assert_eq!(array.unshift(&0.into()), 3);
        assert_eq!(array.join("-"), "0-b-");
        assert_eq!(array.index_of(&"b".into(), 0), 1);
        assert_eq!(array.index_of(&"z".into(), -9), -1);
        assert_eq!(array.slice(1, 99).length(), 2);
        array.set_length(1);
        assert_eq!(array.to_vec(), [JsValue::from(0)]);
    }

    #[test]
    fn includes_finds_nan_and_index_of_does_not() {
        let array = Array::of1(&f64::NAN.into());
        assert!(array.includes(&f64::NAN.into(), 0));
        assert_eq!(array.index_of(&f64::NAN.into(), 0), -1);
    }

    #[test]
    fn an_array_is_made_from_iterables() {
        assert_eq!(Array::from(&"añ".into()).length(), 2);
        let bytes = crate::js_sys::Uint8Array::new_from_slice(&[7, 8]);
        assert_eq!(Array::from(&bytes).join(","), "7,8");
        assert_eq!(Array::from(&5.into()).length(), 0);
    }

    #[test]
    fn casts_are_checked_by_what_the_value_is() {
        let value = JsValue::from(Array::new());
        assert!(value.dyn_ref::<Array>().is_some());
        assert!(value.dyn_ref::<Object>().is_some());
        assert!(value.dyn_ref::<crate::js_sys::Map>().is_none());
        assert!(JsValue::from(1).dyn_into::<Array>().is_err());
        assert!(value.is_instance_of::<Array>());
    }

    #[test]
    fn a_callback_may_change_the_array_it_walks() {
        let array = Array::of2(&1.into(), &2.into());
        array.for_each(&mut |item, _, array| {
            array.push(&item);
        });
        assert_eq!(array.length(), 4);
        assert_eq!(array.map(&mut |_, i, _| i.into()).join(","), "0,1,2,3");
        assert_eq!(array.filter(&mut |item, _, _| item == 2).length(), 2);
    }
}
