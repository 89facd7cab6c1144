//! `ArrayBuffer`, and the one view onto it that Workers use: `Uint8Array`.

use super::class::{class, plain_traits};
use super::{Object, try_iter};
use crate::heap::{Kind, Obj, View, to_uint8};
use crate::wasm_bindgen::{JsValue, throw_str};

class! {
    /// A block of bytes of fixed length.
    ArrayBuffer extends Object; is |value| {
        value.object().is_some_and(|o| matches!(o.kind, Kind::Buffer(_)))
    }
}
class! {
    /// Bytes of an [`ArrayBuffer`], which views may share.
    Uint8Array extends Object; is |value| {
        value.object().is_some_and(|o| matches!(o.kind, Kind::Bytes(_)))
    }
}
plain_traits!(ArrayBuffer Uint8Array);

impl ArrayBuffer {
    /// `new ArrayBuffer(length)`: zeros.
    #[must_use]
    pub fn new(length: u32) -> Self {
        JsValue::from(Obj::buffer(vec![0; length as usize].into())).into()
    }

    /// `buffer.byteLength`.
    #[must_use]
    pub fn byte_length(&self) -> u32 {
        self.read(<[u8]>::len) as u32
    }

    /// `buffer.slice(begin)`: a copy.
    #[must_use]
    pub fn slice(&self, begin: u32) -> Self {
        self.slice_with_end(begin, u32::MAX)
    }

    /// `buffer.slice(begin, end)`: a copy.
    #[must_use]
    pub fn slice_with_end(&self, begin: u32, end: u32) -> Self {
        let copy: Box<[u8]> = self.read(|bytes| bytes[range(begin, end, bytes.len())].into());
        JsValue::from(Obj::buffer(copy)).into()
    }

    fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self.object().as_ref().map(|o| &o.kind) {
            Some(Kind::Buffer(bytes)) => read(&bytes.borrow()),
            _ => read(&[]),
        }
    }
}

impl Uint8Array {
    /// `new Uint8Array(value)`: a view of a buffer, a copy of another array or list, or zeros.
    #[must_use]
    pub fn new(value: &JsValue) -> Self {
        if let Some(object) = value.object() {
            match &object.kind {
                Kind::Buffer(bytes) => {
                    let length = bytes.borrow().len();
                    return Self::over(value.clone(), 0, length);
                }
                Kind::Bytes(view) => return view.with(Self::new_from_slice),
                _ => {
                    let items = try_iter(value).ok().flatten();
                    let bytes: Vec<u8> = items
                        .into_iter()
                        .flatten()
                        .flatten()
                        .map(|v| to_uint8(&v))
                        .collect();
                    return Self::owning(bytes.into());
                }
            }
        }
        let length = value.to_number();
        let length = if length.is_finite() && length > 0.0 {
            length as u32
        } else {
            0
        };
        Self::new_with_length(length)
    }

    /// `new Uint8Array(length)`: zeros.
    #[must_use]
    pub fn new_with_length(length: u32) -> Self {
        Self::owning(vec![0; length as usize].into())
    }

    /// A copy of a slice.
    #[must_use]
    pub fn new_from_slice(bytes: &[u8]) -> Self {
        Self::owning(bytes.into())
    }

    /// `new Uint8Array(buffer, byteOffset, length)`.
    ///
    /// # Panics
    /// The window lies outside the buffer, where JavaScript throws a `RangeError`.
    #[must_use]
    pub fn new_with_byte_offset_and_length(
        buffer: &JsValue,
        byte_offset: u32,
        length: u32,
    ) -> Self {
        let (offset, length) = (byte_offset as usize, length as usize);
        match buffer.object() {
            Some(object) if matches!(object.kind, Kind::Buffer(_)) => {
                let Kind::Buffer(bytes) = &object.kind else {
                    unreachable!("matched above")
                };
                if offset + length > bytes.borrow().len() {
                    throw_str(&format!("Invalid typed array length: {length}"));
                }
                Self::over(buffer.clone(), offset, length)
            }
            _ => throw_str("the argument is no ArrayBuffer"),
        }
    }

    fn owning(bytes: Box<[u8]>) -> Self {
        JsValue::from(Obj::bytes(bytes)).into()
    }

    fn over(buffer: JsValue, offset: usize, length: usize) -> Self {
        let view = View {
            buffer,
            offset,
            length,
        };
        JsValue::from(Obj::new(Kind::Bytes(view))).into()
    }

    /// Reads the view; there is none if an unchecked cast made another value look like an array of bytes.
    fn view<R>(&self, read: impl FnOnce(&View) -> R) -> Option<R> {
        match &self.object()?.kind {
            Kind::Bytes(view) => Some(read(view)),
            _ => None,
        }
    }

    fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self.object().as_ref().map(|o| &o.kind) {
            Some(Kind::Bytes(view)) => view.with(read),
            _ => read(&[]),
        }
    }

    /// `array.length`.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.view(|view| view.length as u32).unwrap_or(0)
    }

    /// `array.byteLength`.
    #[must_use]
    pub fn byte_length(&self) -> u32 {
        self.length()
    }

    /// `array.byteOffset`.
    #[must_use]
    pub fn byte_offset(&self) -> u32 {
        self.view(|view| view.offset as u32).unwrap_or(0)
    }

    /// `array.buffer`: always the same object for one view.
    #[must_use]
    pub fn buffer(&self) -> ArrayBuffer {
        match self.view(|view| view.buffer.clone()) {
            Some(buffer) => buffer.into(),
            None => ArrayBuffer::new(0),
        }
    }

    /// A copy of the bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.read(<[u8]>::to_vec)
    }

    /// Copies the bytes out.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn copy_to(&self, destination: &mut [u8]) {
        self.read(|bytes| destination.copy_from_slice(bytes));
    }

    /// Copies a slice in.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn copy_from(&self, source: &[u8]) {
        self.view(|view| view.with_mut(|bytes| bytes.copy_from_slice(source)));
    }

    /// `array[index]`.
    ///
    /// # Panics
    /// Past the end, where wasm-bindgen finds no number.
    #[must_use]
    pub fn get_index(&self, index: u32) -> u8 {
        self.read(|bytes| bytes.get(index as usize).copied())
            .expect("the index lies inside the array")
    }

    /// `array[index] = value`; ignored past the end.
    pub fn set_index(&self, index: u32, value: u8) {
        self.view(|view| {
            view.with_mut(|bytes| {
                if let Some(place) = bytes.get_mut(index as usize) {
                    *place = value;
                }
            });
        });
    }

    /// `array.set(source, offset)`: copies the bytes of another array or list.
    ///
    /// # Panics
    /// The source does not fit, where JavaScript throws a `RangeError`.
    pub fn set(&self, source: &JsValue, offset: u32) {
        let source = Self::new(source).to_vec();
        self.view(|view| {
            let start = offset as usize;
            if start + source.len() > view.length {
                throw_str("offset is out of bounds");
            }
            view.with_mut(|bytes| bytes[start..start + source.len()].copy_from_slice(&source));
        });
    }

    /// `array.fill(value, start, end)`.
    pub fn fill(&self, value: u8, start: u32, end: u32) -> Self {
        self.view(|view| {
            view.with_mut(|bytes| {
                let range = range(start, end, bytes.len());
                bytes[range].fill(value);
            });
        });
        self.clone()
    }

    /// `array.slice(begin, end)`: a copy.
    #[must_use]
    pub fn slice(&self, begin: u32, end: u32) -> Self {
        self.read(|bytes| Self::new_from_slice(&bytes[range(begin, end, bytes.len())]))
    }

    /// `array.subarray(begin, end)`: another view of the same bytes.
    #[must_use]
    pub fn subarray(&self, begin: u32, end: u32) -> Self {
        let part = self.view(|view| {
            let range = range(begin, end, view.length);
            Self::over(view.buffer.clone(), view.offset + range.start, range.len())
        });
        part.unwrap_or_else(|| Self::new_with_length(0))
    }
}

impl From<&[u8]> for Uint8Array {
    fn from(bytes: &[u8]) -> Self {
        Self::new_from_slice(bytes)
    }
}

impl From<Vec<u8>> for Uint8Array {
    fn from(bytes: Vec<u8>) -> Self {
        Self::owning(bytes.into())
    }
}

/// `begin..end` within a length, empty where they cross.
fn range(begin: u32, end: u32, length: usize) -> std::ops::Range<usize> {
    let end = (end as usize).min(length);
    (begin as usize).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::Array;

    #[test]
    fn views_of_one_buffer_share_their_bytes_and_slices_do_not() {
        let array = Uint8Array::new_from_slice(&[1, 2, 3, 4]);
        let tail = array.subarray(2, 99);
        let copy = array.slice(2, 4);
        tail.set_index(0, 9);
        assert_eq!(array.to_vec(), [1, 2, 9, 4]);
        assert_eq!(copy.to_vec(), [3, 4]);
        assert_eq!((tail.byte_offset(), tail.length()), (2, 2));
        assert_eq!(tail.buffer(), array.buffer());
        assert_eq!(Uint8Array::new(&array.buffer()).buffer(), array.buffer());
        assert_ne!(Uint8Array::new(&array).buffer(), array.buffer());
    }

    #[test]
    fn bytes_come_from_lists_modulo_256() {
        let list = Array::of(&[
            1.into(),
            257.into(),
            (-1).into(),
            "3".into(),
            f64::NAN.into(),
        ]);
        assert_eq!(Uint8Array::new(&list).to_vec(), [1, 1, 255, 3, 0]);
        assert_eq!(Uint8Array::new(&3.into()).to_vec(), [0, 0, 0]);
    }

    #[test]
    fn a_copy_in_respects_the_window() {
        let array = Uint8Array::new_with_length(4);
        array.set(&Uint8Array::new_from_slice(&[7, 8]), 1);
        array.subarray(3, 4).fill(5, 0, 9);
        assert_eq!(array.to_vec(), [0, 7, 8, 5]);
        assert_eq!(array.buffer().slice(2).byte_length(), 2);
    }

    #[test]
    #[should_panic(expected = "offset is out of bounds")]
    fn a_source_that_does_not_fit_throws() {
        Uint8Array::new_with_length(1).set(&Uint8Array::new_from_slice(&[7, 8]), 0);
    }
}
