//! `Accept`, as far as the metrics need it: JSON or Prometheus text (RFC 9110 §12.5.1).

/// Whether a client would rather have `text/plain` than JSON.
///
/// JSON is what anybody gets who does not ask for text: who asks for neither, for both alike (as the HTTP clients of browsers do
/// by default), or for anything at all. A wildcard never chooses text.
///
/// ```
/// use edgeproof_worker::core::accept::prefers_text;
/// assert!(prefers_text("text/plain;version=0.0.4;q=0.5, */*;q=0.1"));
/// assert!(!prefers_text("application/json, text/plain, */*"));
/// assert!(!prefers_text("text/plain;q=0, application/json"));
/// ```
pub fn prefers_text(accept: &str) -> bool {
    let (mut text, mut json, mut any) = (0, None, 0);
    for element in accept.split(',') {
        let mut parts = element.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let Some(weight) = weight(parts) else {
            continue;
        };
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        if is("text/plain") {
            text = text.max(weight);
        } else if is("application/json") {
            json = json.max(Some(weight));
        } else if is("application/*") || is("*/*") {
            any = any.max(weight);
        }
    }
    match json {
        Some(json) => text > json,
        None => text > 0 && text >= any,
    }
}

/// The weight among an element's parameters in thousandths, 1,000 without one; `None` if it is not written as RFC 9110 §12.4.2 has it.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let weight = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(weight) = weight else {
        return Some(1_000);
    };
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(3)
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::prefers_text;

    #[test]
    fn text_is_for_those_who_ask_for_it() {
        for accept in [
            "text/plain",
            "Text/PLAIN ; version=0.0.4; charset=utf-8",
            "text/plain, */*",
            "text/plain, */*;q=0.1",
            "text/plain;q=0.1",
            "application/json;q=0.4, text/plain;q=0.401",
            "application/json;q=0, text/plain;q=0.1",
            "text/plain;q=0, text/plain;q=0.5",
            // Prometheus 2 and 3.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain;version=0.0.4;q=0.3,*/*;Q=0.2",
        ] {
            assert!(prefers_text(accept), "{accept}");
        }
    }

    #[test]
    fn everybody_else_gets_json() {
        for accept in [
            "",
            "*/*",
            "text/*",
            "text/html, text/*;q=0.9, */*;q=0.8",
            "application/json",
            "application/json, text/plain, */*",
            "text/plain, application/json",
            "text/plain;q=0, application/json",
            "text/plain;q=0",
            "text/plain;q=0.000, */*",
            "text/plain;q=0.5, application/json",
            "text/plain;q=0.5, application/*",
            "text/plain;q=0.5, */*",
            "text/plainer",
            "xtext/plain",
            "text/plain;q=2",
            "text/plain;q=1.001",
            "text/plain;q=0.1234",
            "text/plain;q=.5",
            "text/plain;q=-1",
            "text/plain;q=",
            ";;;,,,=q",
        ] {
            assert!(!prefers_text(accept), "{accept}");
        }
    }
}
