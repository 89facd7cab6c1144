//! Splits a command line into words as bash does, without running anything.
//!
//! Known: backslash, `'…'`, `"…"`, `$'…'` with its escapes, `$"…"`, backslash-newline, comments. A construct whose value
//! only a shell could know (a variable, a command substitution, a brace expansion) and an operator (`|`, `&`, `;`, a
//! redirection) are errors. Deliberately absent: file name patterns and `~`, which stay as they are written.
//!
//! Words are bytes, because `$'\xff'` is a byte and not a character.

use thiserror::Error;

/// Why a line could not be split.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A quotation that never ends; holds its opening (`'`, `"` or `$'`).
    #[error("the quotation opened by {0} is never closed")]
    OpenQuote(&'static str),
    /// A variable or a substitution, which only a shell could replace.
    #[error("{0} was not replaced by its value")]
    Substitution(String),
    /// An operator of the shell outside quotes.
    #[error("{0} outside quotes ends the command in a shell")]
    Operator(char),
    /// `{a,b}` outside quotes, which a shell would turn into several words.
    #[error("a shell would expand these braces into several words")]
    Braces,
    /// A zero byte, which no argument can hold.
    #[error("an argument cannot hold a zero byte")]
    Nul,
    /// A backslash with nothing after it.
    #[error("nothing follows the last backslash")]
    LoneBackslash,
    /// The caret quoting of Windows' command prompt.
    #[error("this is the quoting of Windows' command prompt")]
    Caret,
}

impl Fault {
    /// The label at the place in the shown command.
    pub fn label(&self) -> &'static str {
        match self {
            Self::OpenQuote(_) => "opened here",
            Self::Substitution(_) => "still literal",
            Self::Operator(_) => "here",
            Self::Braces => "this word",
            Self::Nul => "in this word",
            Self::LoneBackslash => "here",
            Self::Caret => "here",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::OpenQuote(_) => "check where the pasted command was cut off".into(),
            Self::Substitution(_) => {
                "put the value there, or write `Bearer YOUR_TOKEN` and give --login USER:PASSWORD or --token-env NAME"
                    .into()
            }
            Self::Operator('\n') => "only one command can be given".into(),
            Self::Operator(_) => "quote the URL or the data that holds it; only one command can be given".into(),
            Self::Braces => "quote the word".into(),
            Self::Nul => return None,
            Self::LoneBackslash => "check where the pasted command was cut off".into(),
            Self::Caret => "copy it as \"cURL (bash)\" instead".into(),
        })
    }
}

/// A line that could not be split: the words before the place, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitError {
    /// The words that were complete before the fault.
    pub before: Vec<Vec<u8>>,
    /// What is wrong.
    pub fault: Fault,
    /// The faulty piece as it may be shown (no more of its word than that: the rest may be a credential).
    pub shown: String,
}

/// Splits `line` into words.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, SplitError> {
    let mut splitter = Splitter {
        rest: line.as_bytes(),
        words: Vec::new(),
        word: None,
        braces: Braces::default(),
    };
    match splitter.run() {
        Ok(()) => Ok(splitter.words),
        Err((fault, shown)) => Err(SplitError {
            before: splitter.words,
            fault,
            shown,
        }),
    }
}

type Step = Result<(), (Fault, String)>;

/// How far an unquoted brace expansion has come in the current word.
#[derive(Default)]
struct Braces {
    open: bool,
    separated: bool,
    dot: bool,
}

struct Splitter<'a> {
    rest: &'a [u8],
    words: Vec<Vec<u8>>,
    /// The word being read; `Some` as soon as a quote or a character began it (`''` is a word).
    word: Option<Vec<u8>>,
    braces: Braces,
}

impl Splitter<'_> {
    fn run(&mut self) -> Step {
        while let Some(byte) = self.next() {
            match byte {
                b' ' | b'\t' => self.end_word(),
                b'\n' => {
                    self.end_word();
                    if !self.words.is_empty() && !self.rest_is_blank() {
                        return Err((Fault::Operator('\n'), "(end of line)".into()));
                    }
                }
                b'#' if self.word.is_none() => {
                    while self.rest.first().is_some_and(|&b| b != b'\n') {
                        self.next();
                    }
                }
                b'\\' => match self.next() {
                    Some(b'\n') => {}
                    Some(byte) => self.push(byte),
                    None => return Err((Fault::LoneBackslash, "\\".into())),
                },
                b'\'' => self.single()?,
                b'"' => self.double()?,
                b'$' => match self.rest.first() {
                    Some(b'\'') => {
                        self.next();
                        self.ansi_c()?;
                    }
                    Some(b'"') => {
                        self.next();
                        self.double()?;
                    }
                    _ => self.dollar()?,
                },
                b'`' => return Err((Fault::Substitution("`…`".into()), "`".into())),
                b'^' if matches!(self.rest.first(), Some(b'"' | b'^' | b'\n')) => {
                    return Err((Fault::Caret, "^".into()));
                }
                b'&' | b'|' | b';' | b'<' | b'>' | b'(' | b')' => {
                    return Err((Fault::Operator(byte as char), (byte as char).to_string()));
                }
                0 => return Err((Fault::Nul, "\\0".into())),
                _ => {
                    self.watch_braces(byte)?;
                    self.push(byte);
                }
            }
        }
        self.end_word();
        Ok(())
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn push(&mut self, byte: u8) {
        self.word.get_or_insert_default().push(byte);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
        self.braces = Braces::default();
    }

    /// Whether nothing but blanks, newlines and comments follows.
    fn rest_is_blank(&self) -> bool {
        self.rest
            .split(|&b| b == b'\n')
            .all(|line| line.trim_ascii().is_empty() || line.trim_ascii().starts_with(b"#"))
    }

    fn watch_braces(&mut self, byte: u8) -> Step {
        match byte {
            b'{' => {
                self.braces = Braces {
                    open: true,
                    ..Braces::default()
                }
            }
            b',' => self.braces.separated |= self.braces.open,
            b'.' if self.braces.dot => self.braces.separated |= self.braces.open,
            b'}' if self.braces.open && self.braces.separated => {
                return Err((Fault::Braces, "{…}".into()));
            }
            _ => {}
        }
        self.braces.dot = byte == b'.';
        Ok(())
    }

    fn single(&mut self) -> Step {
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some(b'\'') => return Ok(()),
                Some(0) => return Err((Fault::Nul, "\\0".into())),
                Some(byte) => self.push(byte),
                None => return Err((Fault::OpenQuote("'"), "'".into())),
            }
        }
    }

    fn double(&mut self) -> Step {
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some(b'"') => return Ok(()),
                Some(b'$') => self.dollar()?,
                Some(b'`') => return Err((Fault::Substitution("`…`".into()), "`".into())),
                Some(b'\\') => match self.next() {
                    Some(b'\n') => {}
                    Some(byte @ (b'$' | b'`' | b'"' | b'\\')) => self.push(byte),
                    Some(byte) => {
                        self.push(b'\\');
                        self.push(byte);
                    }
                    None => return Err((Fault::OpenQuote("\""), "\"".into())),
                },
                Some(0) => return Err((Fault::Nul, "\\0".into())),
                Some(byte) => self.push(byte),
                None => return Err((Fault::OpenQuote("\""), "\"".into())),
            }
        }
    }

    /// After a `$` that opens no quotation: a substitution is a fault, any other dollar is itself.
    fn dollar(&mut self) -> Step {
        let name_length = self
            .rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        let substituted = match self.rest.first() {
            Some(b'(') => Some("$(…)".to_owned()),
            Some(b'{') => {
                let inner = &self.rest[1..];
                let length = inner
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                    .count();
                Some(match inner.get(length) {
                    Some(b'}') => format!("${{{}}}", String::from_utf8_lossy(&inner[..length])),
                    _ => "${…}".to_owned(),
                })
            }
            Some(first) if first.is_ascii_digit() => Some(format!("${}", *first as char)),
            Some(first @ (b'@' | b'*' | b'#' | b'?' | b'-' | b'!' | b'$')) => {
                Some(format!("${}", *first as char))
            }
            Some(b'[') => Some("$[…]".to_owned()),
            _ if name_length > 0 => Some(format!(
                "${}",
                String::from_utf8_lossy(&self.rest[..name_length])
            )),
            _ => None,
        };
        match substituted {
            Some(shown) => Err((Fault::Substitution(shown.clone()), shown)),
            None => {
                self.push(b'$');
                Ok(())
            }
        }
    }

    /// The inside of `$'…'`: the escapes of the bash manual, "ANSI-C Quoting".
    fn ansi_c(&mut self) -> Step {
        self.word.get_or_insert_default();
        let unclosed = || (Fault::OpenQuote("$'"), "$'".to_owned());
        loop {
            let byte = match self.next().ok_or_else(unclosed)? {
                b'\'' => return Ok(()),
                b'\\' => match self.next().ok_or_else(unclosed)? {
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b'e' | b'E' => 0x1b,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 0x0b,
                    byte @ (b'\\' | b'\'' | b'"' | b'?') => byte,
                    first @ b'0'..=b'7' => {
                        let more = self.digits(8, 2);
                        more.iter()
                            .fold(u32::from(first - b'0'), |sum, digit| sum * 8 + digit)
                            as u8
                    }
                    b'x' => match self.number(16, 2) {
                        Some(value) => value as u8,
                        None => {
                            self.push(b'\\');
                            b'x'
                        }
                    },
                    letter @ (b'u' | b'U') => {
                        match self.number(16, if letter == b'u' { 4 } else { 8 }) {
                            Some(0) => return Err((Fault::Nul, "\\u0".into())),
                            Some(value) => {
                                let mut buffer = [0; 4];
                                // Not a scalar value (half a surrogate pair): the replacement character, since a body
                                // of broken UTF-8 is never what a browser meant to copy.
                                let text = char::from_u32(value)
                                    .unwrap_or('\u{fffd}')
                                    .encode_utf8(&mut buffer);
                                text.bytes().for_each(|byte| self.push(byte));
                            }
                            None => {
                                self.push(b'\\');
                                self.push(letter);
                            }
                        }
                        continue;
                    }
                    b'c' => {
                        let byte = self.next().ok_or_else(unclosed)?;
                        // `\c\\` is one control character written with three.
                        if byte == b'\\' && self.rest.first() == Some(&b'\\') {
                            self.next();
                        }
                        if byte == b'?' {
                            0x7f
                        } else {
                            byte.to_ascii_uppercase() & 0x1f
                        }
                    }
                    other => {
                        self.push(b'\\');
                        other
                    }
                },
                byte => byte,
            };
            if byte == 0 {
                return Err((Fault::Nul, "\\0".into()));
            }
            self.push(byte);
        }
    }

    /// Up to `most` digits of `radix`, as values.
    fn digits(&mut self, radix: u32, most: usize) -> Vec<u32> {
        let mut digits = Vec::new();
        while digits.len() < most
            && let Some(digit) = self
                .rest
                .first()
                .and_then(|&byte| (byte as char).to_digit(radix))
        {
            self.next();
            digits.push(digit);
        }
        digits
    }

    fn number(&mut self, radix: u32, most: usize) -> Option<u32> {
        let digits = self.digits(radix, most);
        (!digits.is_empty()).then(|| digits.iter().fold(0, |sum, digit| sum * radix + digit))
    }
}

/// Writes `word` so that a POSIX shell reads it back as it is; plain words stay plain.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
