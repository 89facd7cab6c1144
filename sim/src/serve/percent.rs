//! Percent-encoding as `decodeURIComponent` undoes it: strictly. The crate alone would leave a broken `%` as it is.

use percent_encoding::percent_decode_str;

/// The text; `None` where a `%` is not followed by two hexadecimal digits, and for what is not UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let digits = |at: usize| text.as_bytes().get(at + 1..at + 3);
    let is_whole = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let mut percents = text.match_indices('%');
    if !percents.all(|(at, _)| digits(at).is_some_and(is_whole)) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn whole_escapes_of_utf8_are_undone_and_nothing_else_is_taken() {
        assert_eq!(
            decoded("a%2Fb%20c%25%C3%A9+é").as_deref(),
            Some("a/b c%é+é")
        );
        assert_eq!(decoded("%2541").as_deref(), Some("%41"), "once only");
        for broken in ["%", "%2", "a%zz", "%+1", "%ff", "%é"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
    }
}
