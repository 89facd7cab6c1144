//! `multipart/form-data` (RFC 7578), whole in memory, as far as a value and its metadata need it: named parts, no files within
//! files, no character sets.
//!
//! By hand, because the crate `multer` reads asynchronous streams, copies every part and brings tables of character sets: here
//! the form is in memory, its parts are slices of it, and reading it is a pure function that a fuzzer drives.

use bytes::Bytes;
use memchr::memmem;

/// The boundary that a `Content-Type` names; `None` if it is another type, or names none.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The value of a header's parameter, bare or quoted.
fn parameter(mut parameters: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = parameters.split_once('=')?;
        let rest = rest.trim_start();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim_end().to_owned(), &rest[end..])
            }
        };
        if name
            .trim_matches([';', ' ', '\t'])
            .eq_ignore_ascii_case(wanted)
        {
            return Some(value);
        }
        parameters = rest;
    }
}

/// The text up to the closing quote, with its escapes undone, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(char),
        }
    }
    None
}

/// The parts of a form by name, in order; or what is wrong with it.
pub(super) fn parts(body: &Bytes, boundary: &str) -> Result<Vec<(String, Bytes)>, &'static str> {
    const TORN: &str = "the form ends in the middle of a part";
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first delimiter may stand at the very beginning, without the line end that belongs to it.
    let first = if body.starts_with(&delimiter[2..]) {
        line_end(body, delimiter.len() - 2)
    } else {
        next(body, 0, &delimiter).map(|(_, end)| end)
    };
    let mut end = first.ok_or("the form's boundary is not in it")?;
    let mut parts = Vec::new();
    while let End::Line(head) = end {
        // From the line end before it on: a part without any header has its empty line right here.
        let head_end = find(body, head - 2, b"\r\n\r\n").ok_or(TORN)?;
        let content = head_end + 4;
        // Likewise an empty part: its line end is that of the empty line.
        let (content_end, next) = next(body, content - 2, &delimiter).ok_or(TORN)?;
        let head = body.get(head..head_end).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| "a part's headers are not UTF-8")?;
        let name = head.lines().find_map(name).ok_or("a part has no name")?;
        parts.push((name, body.slice(content.min(content_end)..content_end)));
        end = next;
    }
    Ok(parts)
}

/// The meaning of a delimiter.
#[derive(Debug, Clone, Copy)]
enum End {
    /// A part, which begins here.
    Line(usize),
    /// The form ends.
    Form,
}

/// What the delimiter that ends at `at` means; `None` if the text after it makes it no delimiter (RFC 2046 section
/// 5.1.1).
fn line_end(body: &[u8], at: usize) -> Option<End> {
    let rest = body.get(at..)?;
    if rest.starts_with(b"--") {
        return Some(End::Form);
    }
    let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    let start = at + padding.count() + 2;
    body.get(start - 2..start)
        .is_some_and(|end| end == b"\r\n")
        .then_some(End::Line(start))
}

/// Where the next delimiter is, and what it means.
fn next(body: &[u8], mut from: usize, delimiter: &[u8]) -> Option<(usize, End)> {
    loop {
        let place = find(body, from, delimiter)?;
        if let Some(end) = line_end(body, place + delimiter.len()) {
            return Some((place, end));
        }
        from = place + 1;
    }
}

/// The part's name, if the line is the header that says it.
fn name(line: &str) -> Option<String> {
    let (header, value) = line.split_once(':')?;
    if !header.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    let (kind, parameters) = value.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("form-data");
    is_form.then(|| parameter(parameters, "name")).flatten()
}

fn find(body: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    Some(from + memmem::find(body.get(from..)?, wanted)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<Vec<(String, Bytes)>, &'static str> {
        parts(&Bytes::copy_from_slice(text.as_bytes()), "xyz")
    }

    #[test]
    fn a_boundary_is_read_bare_and_quoted_among_other_parameters() {
        let read = |text| boundary(text);
        assert_eq!(
            read("multipart/form-data; boundary=xyz").as_deref(),
            Some("xyz")
        );
        assert_eq!(
            read("Multipart/Form-Data;charset=utf-8; boundary=\"x\\\"; y\"").as_deref(),
            Some("x\"; y")
        );
        for none in [
            "text/plain; boundary=xyz",
            "multipart/form-data",
            "multipart/form-data; a=b",
            "",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn parts_come_by_name_with_their_bytes_untouched() {
        let form = form(
            "--xyz\r\nContent-Disposition: form-data; name=\"value\"\r\nContent-Type: text/plain\r\n\r\na\r\n--xyzzy\r\n\r\n\
             --xyz\r\ncontent-disposition: form-data; name=metadata\r\n\r\n\r\n--xyz--\r\n",
        );
        let form = form.expect("a form");
        assert_eq!(
            form[0],
            ("value".to_owned(), Bytes::from("a\r\n--xyzzy\r\n"))
        );
        assert_eq!(form[1], ("metadata".to_owned(), Bytes::new()));
    }

    #[test]
    fn a_form_that_is_cut_off_anywhere_is_refused_and_never_a_panic() {
        let whole =
            "--xyz\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nsome bytes\r\n--xyz--";
        assert!(form(whole).is_ok());
        for end in 0..whole.len() {
            assert!(form(&whole[..end]).is_err(), "{:?}", &whole[..end]);
        }
    }
}
