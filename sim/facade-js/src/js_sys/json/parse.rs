//! `JSON.parse`, without a stack of calls: a text nested 30,000 levels deep is read as V8 reads it.

use super::fault::{Fault, UNEXPECTED_END, UNEXPECTED_TOKEN};
use crate::heap::{Obj, Props, Text};
use crate::wasm_bindgen::JsValue;

/// A list or an object that is not closed yet.
enum Open {
    Array(Vec<JsValue>),
    /// With the name whose value comes next.
    Object(Props, Text),
}

pub(super) struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Reads the whole text as one value.
    pub(super) fn document(&mut self) -> Result<JsValue, Fault> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            // Here a value begins.
            let mut value = match self.next_token() {
                Some(b'{') => {
                    self.at += 1;
                    if self.next_token() == Some(b'}') {
                        self.at += 1;
                        Obj::plain(Props::new()).into()
                    } else {
                        let key = self.name("Expected property name or '}' in")?;
                        open.push(Open::Object(Props::new(), key));
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if self.next_token() == Some(b']') {
                        self.at += 1;
                        Obj::array(Vec::new()).into()
                    } else {
                        open.push(Open::Array(Vec::new()));
                        continue;
                    }
                }
                Some(b'"') => JsValue::from(self.string(|text| Text::from(text))?),
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true", JsValue::TRUE)?,
                Some(b'f') => self.literal("false", JsValue::FALSE)?,
                Some(b'n') => self.literal("null", JsValue::NULL)?,
                _ => return Err(self.fault(UNEXPECTED_TOKEN)),
            };
            // Here one has ended, and perhaps what it is in.
            loop {
                match open.pop() {
                    None => {
                        return match self.next_token() {
                            None => Ok(value),
                            Some(_) => Err(self.fault("Unexpected non-whitespace character after")),
                        };
                    }
                    Some(Open::Array(mut items)) => {
                        items.push(value);
                        match self.next_token() {
                            Some(b',') => {
                                self.at += 1;
                                open.push(Open::Array(items));
                                break;
                            }
                            Some(b']') => {
                                self.at += 1;
                                value = Obj::array(items).into();
                            }
                            _ => {
                                return Err(
                                    self.fault("Expected ',' or ']' after array element in")
                                );
                            }
                        }
                    }
                    Some(Open::Object(mut props, key)) => {
                        props.insert(key, value);
                        match self.next_token() {
                            Some(b',') => {
                                self.at += 1;
                                let key = self.name("Expected double-quoted property name in")?;
                                open.push(Open::Object(props, key));
                                break;
                            }
                            Some(b'}') => {
                                self.at += 1;
                                value = Obj::plain(props).into();
                            }
                            _ => {
                                return Err(
                                    self.fault("Expected ',' or '}' after property value in")
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    fn fault(&self, why: &'static str) -> Fault {
        // Never inside a character, so that the text can be cut here.
        let mut at = self.at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        Fault { at, why }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space; the byte that follows.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// A property name and its colon.
    fn name(&mut self, wanted: &'static str) -> Result<Text, Fault> {
        if self.next_token() != Some(b'"') {
            return Err(self.fault(wanted));
        }
        let name = self.string(Text::name)?;
        if self.next_token() != Some(b':') {
            return Err(self.fault("Expected ':' after property name in"));
        }
        self.at += 1;
        Ok(name)
    }

    fn literal(&mut self, word: &'static str, value: JsValue) -> Result<JsValue, Fault> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(self.fault(UNEXPECTED_TOKEN));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<JsValue, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.fault("Unexpected number in"));
            }
        } else if self.digits() == 0 {
            return Err(self.fault("No number after minus sign in"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.fault("Unterminated fractional number in"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.fault("Exponent part is missing a number in"));
            }
        }
        let digits = &self.text[start..self.at];
        Ok(JsValue::from_f64(
            digits.parse().expect("JSON's numbers are a part of Rust's"),
        ))
    }

    /// A string, from its opening quote on.
    fn string(&mut self, make: fn(&str) -> Text) -> Result<Text, Fault> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(make(text));
                }
                Some(b'\\') => return self.string_with_escapes(start),
                Some(byte) => self.plain(byte)?,
                None => return Err(self.fault("Unterminated string in")),
            }
        }
    }

    fn plain(&mut self, byte: u8) -> Result<(), Fault> {
        if byte < 0x20 {
            return Err(self.fault("Bad control character in string literal in"));
        }
        self.at += 1;
        Ok(())
    }

    fn string_with_escapes(&mut self, start: usize) -> Result<Text, Fault> {
        let mut out = String::from(&self.text[start..self.at]);
        loop {
            let plain_from = self.at;
            while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b'"' | b'\\')) {
                self.plain(byte)?;
            }
            out.push_str(&self.text[plain_from..self.at]);
            match self.peek() {
                None => return Err(self.fault("Unterminated string in")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::from(out));
                }
                Some(_) => self.escape(&mut out)?,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Fault> {
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.fault(UNEXPECTED_END));
        };
        out.push(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let unit = self.unit()?;
                out.push(self.character(unit)?);
                return Ok(());
            }
            _ => return Err(self.fault("Bad escaped character in")),
        });
        self.at += 1;
        Ok(())
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fault("Bad Unicode escape in"));
            };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    /// The character of a unit, together with the low surrogate that may follow.
    fn character(&mut self, unit: u16) -> Result<char, Fault> {
        if !(0xd800..0xdc00).contains(&unit) || !self.text[self.at..].starts_with("\\u") {
            return Ok(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.at;
        self.at += 2;
        let low = self.unit()?;
        match char::decode_utf16([unit, low]).next() {
            Some(Ok(c)) => Ok(c),
            _ => {
                // The second escape stands for itself.
                self.at = after_first;
                Ok(char::REPLACEMENT_CHARACTER)
            }
        }
    }
}
