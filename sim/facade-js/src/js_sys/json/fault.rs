//! Where and why a text is no JSON, in V8's words.

/// Where and why a text is no JSON.
pub(super) struct Fault {
    /// In bytes.
    pub(super) at: usize,
    /// V8's message up to the words "JSON at position", or one of the two below.
    pub(super) why: &'static str,
}

/// The faults whose message does not name a position.
pub(super) const UNEXPECTED_END: &str = "Unexpected end of JSON input";
pub(super) const UNEXPECTED_TOKEN: &str = "";

impl Fault {
    pub(super) fn message(&self, text: &str) -> String {
        // The units before the fault, and those from it on.
        let position = text[..self.at].encode_utf16().count();
        if self.at >= text.len() && matches!(self.why, UNEXPECTED_TOKEN | UNEXPECTED_END) {
            return UNEXPECTED_END.to_owned();
        }
        if self.why != UNEXPECTED_TOKEN {
            let before = &text[..self.at];
            let line = 1 + before.matches('\n').count() + before.matches('\r').count()
                - before.matches("\r\n").count();
            let line_start = before.rfind(['\n', '\r']).map_or(0, |i| i + 1);
            let column = 1 + before[line_start..].encode_utf16().count();
            let why = self.why;
            return format!("{why} JSON at position {position} (line {line} column {column})");
        }
        if matches!(text, "NaN" | "Infinity" | "undefined" | "[object Object]") {
            return format!("\"{text}\" is not valid JSON");
        }
        // How much of the text V8 shows on either side of the token.
        const CONTEXT_UNITS: usize = 10;
        let units: Vec<u16> = text.encode_utf16().collect();
        let shown = |range: std::ops::Range<usize>| String::from_utf16_lossy(&units[range]);
        let token = shown(position..position + 1);
        let length = units.len();
        let (before, excerpt, after) = if length <= 2 * CONTEXT_UNITS {
            ("", shown(0..length), "")
        } else if position < CONTEXT_UNITS {
            ("", shown(0..position + CONTEXT_UNITS), "...")
        } else if position < length - CONTEXT_UNITS {
            (
                "...",
                shown(position - CONTEXT_UNITS..position + CONTEXT_UNITS),
                "...",
            )
        } else {
            ("...", shown(position - CONTEXT_UNITS..length), "")
        };
        format!("Unexpected token '{token}', {before}\"{excerpt}\"{after} is not valid JSON")
    }
}
