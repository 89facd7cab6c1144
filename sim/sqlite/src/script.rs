//! Cutting SQL text into statements and tokens, no deeper than SQLite's `sqlite3_complete` needs: strings, quoted names,
//! comments, and the `BEGIN … END` of a trigger. It never judges whether the SQL is right.

/// What a token is, as far as cutting is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// White space or a comment.
    Blank,
    Semicolon,
    /// A keyword, a bare name or a number.
    Word,
    /// A string or a quoted name.
    Quoted,
    Other,
}

/// The tokens of a text with their positions.
struct Tokens<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    /// Kind, text, position of the first byte.
    type Item = (Kind, &'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = &self.sql.as_bytes()[self.at..];
        let first = *bytes.first()?;
        let until = |stop: u8, from: usize| {
            bytes[from..]
                .iter()
                .position(|&b| b == stop)
                .map_or(bytes.len(), |n| from + n + 1)
        };
        let (kind, len) = match first {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'\x0b' => (Kind::Blank, 1),
            b'-' if bytes.get(1) == Some(&b'-') => (Kind::Blank, until(b'\n', 2)),
            b'/' if bytes.get(1) == Some(&b'*') => {
                let end = bytes[2..].windows(2).position(|pair| pair == b"*/");
                (Kind::Blank, end.map_or(bytes.len(), |n| n + 4))
            }
            b';' => (Kind::Semicolon, 1),
            // A doubled quote reads here as two strings side by side, which cuts at the same places.
            b'\'' | b'"' | b'`' => (Kind::Quoted, until(first, 1)),
            b'[' => (Kind::Quoted, until(b']', 1)),
            b if is_word(b) => {
                let end = bytes.iter().position(|&b| !is_word(b));
                (Kind::Word, end.unwrap_or(bytes.len()))
            }
            _ => (Kind::Other, 1),
        };
        let start = self.at;
        self.at += len;
        // Every cut is next to an ASCII byte, or inside a run of one kind, so both ends are character boundaries.
        Some((kind, &self.sql[start..self.at], start))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Where in a statement the cutter is, for the sake of triggers.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Explain,
    Create,
    Normal,
    Trigger,
    /// In a trigger, right after a `;`.
    TriggerSemicolon,
    /// In a trigger, right after `; END`.
    TriggerEnd,
}

/// Cuts `sql` into its statements, without the semicolons between them and without pieces that are blank or only comments.
/// The last one need not be complete.
pub(crate) fn split(sql: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut place = Place::Start;
    let mut start = 0;
    for (kind, text, at) in Tokens::new(sql) {
        let is = |word: &str| kind == Kind::Word && text.eq_ignore_ascii_case(word);
        place = match (place, kind) {
            (_, Kind::Blank) => continue,
            (Place::Trigger | Place::TriggerSemicolon, Kind::Semicolon) => Place::TriggerSemicolon,
            (_, Kind::Semicolon) => {
                statements.push(&sql[start..at]);
                start = at + 1;
                Place::Start
            }
            (Place::TriggerSemicolon, _) if is("END") => Place::TriggerEnd,
            (Place::Trigger | Place::TriggerSemicolon | Place::TriggerEnd, _) => Place::Trigger,
            (Place::Start, _) if is("EXPLAIN") => Place::Explain,
            (Place::Explain, _) if is("QUERY") || is("PLAN") => Place::Explain,
            (Place::Start | Place::Explain, _) if is("CREATE") => Place::Create,
            (Place::Create, _) if is("TEMP") || is("TEMPORARY") => Place::Create,
            (Place::Create, _) if is("TRIGGER") => Place::Trigger,
            _ => Place::Normal,
        };
    }
    statements.push(&sql[start..]);
    statements.retain(|statement| !is_blank(statement));
    for statement in &mut statements {
        *statement = statement.trim_matches([' ', '\t', '\n', '\r', '\x0c', '\x0b']);
    }
    statements
}

/// Whether there is nothing but white space, comments and semicolons.
pub(crate) fn is_blank(sql: &str) -> bool {
    Tokens::new(sql).all(|(kind, ..)| matches!(kind, Kind::Blank | Kind::Semicolon))
}

/// The name an `ALTER TABLE … RENAME TO name` gives, quotes taken off. `None` if it is no such statement.
pub(crate) fn renamed_to(sql: &str) -> Option<&str> {
    let words: Vec<&str> = Tokens::new(sql)
        .filter(|(kind, ..)| *kind != Kind::Blank)
        .map(|(_, text, _)| text)
        .collect();
    // Searched for as a pair: the table itself may be called `rename`.
    words
        .windows(3)
        .find(|w| w[0].eq_ignore_ascii_case("RENAME") && w[1].eq_ignore_ascii_case("TO"))
        .map(|w| w[2].trim_matches(['\'', '"', '`', '[', ']']))
}

/// Whether `needle`, given in lower case, occurs in `haystack` in any case.
pub(crate) fn contains_ignore_case(haystack: &str, needle: &str) -> bool {
    haystack
        .as_bytes()
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}
