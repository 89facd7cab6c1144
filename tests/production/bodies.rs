//! Bodies of requests, good and bad.

use crate::dice::Dice;
use crate::people::{PASSWORD, People};
use serde_json::{Value, json};

/// The longest body that the Worker takes, in bytes.
const LIMIT: usize = 65_536;

/// A body and how it is sent.
pub(crate) struct Body {
    /// What is special about it, for the tables.
    pub(crate) label: &'static str,
    pub(crate) media_type: Option<&'static str>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunked: bool,
}

impl Body {
    fn json(label: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            label,
            media_type: Some("application/json"),
            bytes: bytes.into(),
            chunked: false,
        }
    }
}

/// Texts that must come back byte for byte.
const TEXTS: [&str; 12] = [
    "tea",
    "SELECT a gift",
    "O'Brien & \"Söhne\" <b>bold</b>",
    "'; DROP TABLE transactions; --",
    "🚨 emoji, Ελληνικά, 中文, \u{202e}RTL",
    "  spaces at both ends  ",
    "tab\tnewline\nreturn\rdelete\u{7f}escape\u{1b}",
    "e\u{301} is not \u{e9}",
    "\u{feff}BOM",
    "back\\slash/solidus",
    "2026-01-15T00:00:00.000Z",
    "\u{2028}line separator",
];

const DATES: [&str; 6] = [
    "2026-01-15",
    "2024-02-29",
    "1999-12-31",
    "0001-01-01",
    "9999-12-31",
    "2026-11-24",
];

fn amount(dice: &mut Dice) -> Value {
    // As text where the spelling is the point; those are put in by hand below.
    let cents = dice.below(100_000_000) + 1;
    match dice.below(4) {
        0 => json!(cents),
        1 => json!(cents as f64 / 100.0),
        2 => json!((cents % 1_000) as f64 / 10.0 + 0.1),
        _ => json!(dice.one_of(&[0.01, 0.1, 0.29, 1.1, 1e12, 999_999_999_999.99, 70.07])),
    }
}

/// A text that may be stored: one of those with a point, or any characters at all.
fn description(dice: &mut Dice) -> String {
    if dice.percent(60) {
        return dice.one_of(&TEXTS).to_owned();
    }
    let ranges = [
        ' '..='~',
        '\u{1}'..='\u{1f}',
        '\u{7f}'..='\u{24f}',
        '\u{300}'..='\u{36f}',
        '\u{2000}'..='\u{206f}',
        '\u{e000}'..='\u{ffff}',
        '\u{10000}'..='\u{10ffff}',
    ];
    let characters = 1 + dice.below(40);
    (0..characters)
        .map(|_| {
            let range = dice.one_of(&ranges);
            let (first, last) = (*range.start() as usize, *range.end() as usize);
            let code = first + dice.below(last - first + 1);
            // None of the ranges has a surrogate in it.
            u32::try_from(code)
                .ok()
                .and_then(char::from_u32)
                .expect("a character")
        })
        .collect()
}

fn transaction(dice: &mut Dice) -> Value {
    json!({
        "type": dice.one_of(&["income", "expense"]),
        "amount": amount(dice),
        "description": description(dice),
        "date": dice.one_of(&DATES),
    })
}

/// A transaction that is in order.
pub(crate) fn good_transaction(dice: &mut Dice) -> Body {
    let text = transaction(dice).to_string();
    let mut body = match dice.below(12) {
        0 => Body::json("exactly the limit", padded(&text, LIMIT)),
        1 => {
            let mut with_more = transaction(dice);
            with_more["id"] = json!(1);
            with_more["user_id"] = json!("somebody else");
            with_more["role"] = json!("admin");
            with_more["nested"] = json!({"a": [1, {"b": null}]});
            Body::json("members that are ignored", with_more.to_string())
        }
        2 => Body::json("white space", format!(" \r\n\t{text}\n")),
        3 => Body::json(
            "escapes",
            r#"{"type":"\u0065xpense","amount":1.5e1,"description":"\u00e9\ud83d\udea8\/\n","date":"2026-01-1\u0035"}"#,
        ),
        4 => Body::json(
            "500 characters",
            json!({"type": "income", "amount": 1, "description": "é".repeat(500), "date": "2026-01-15"}).to_string(),
        ),
        5 => {
            let spelled = dice.one_of(&["1e2", "1E+2", "0.10", "12.340000", "100e-2", "1000000000000.00"]);
            Body::json(
                "amounts spelled otherwise",
                format!(r#"{{"type":"income","amount":{spelled},"description":"x","date":"2026-01-15"}}"#),
            )
        }
        _ => Body::json("valid", text),
    };
    if dice.percent(15) {
        body.media_type = Some(dice.one_of(&[
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/json;charset=\"x;y\"",
            " application/json ;v=1",
        ]));
    }
    body.chunked = dice.percent(15);
    body
}

/// A body that is no transaction.
pub(crate) fn bad_transaction(dice: &mut Dice) -> Body {
    if dice.percent(50) {
        let good = transaction(dice);
        return bad_json(dice, &good);
    }
    let mut wrong = transaction(dice);
    for _ in 0..=dice.below(3) {
        let (member, value) = dice.one_of(&[
            ("type", json!("Income")),
            ("type", json!(null)),
            ("type", json!(["income"])),
            ("type", json!("transfer")),
            ("amount", json!(0)),
            ("amount", json!(-1)),
            ("amount", json!(0.001)),
            ("amount", json!(1_000_000_000_001_u64)),
            ("amount", json!("12.34")),
            ("amount", json!(null)),
            ("amount", json!(true)),
            ("amount", json!(1e300)),
            ("description", json!("")),
            ("description", json!("é".repeat(501))),
            ("description", json!("a\u{0}b")),
            ("description", json!(7)),
            ("description", json!({"html": "<b>"})),
            ("date", json!("2026-02-30")),
            ("date", json!("2026-1-15")),
            ("date", json!("2026-01-15T00:00:00Z")),
            ("date", json!("0000-01-01")),
            ("date", json!(20_260_115)),
            ("date", json!("２０２６-01-15")),
        ]);
        wrong[member] = value;
    }
    if dice.percent(20) {
        let member = dice.one_of(&["type", "amount", "description", "date"]);
        wrong.as_object_mut().expect("it is one").remove(member);
    }
    Body::json("breaks the schema", wrong.to_string())
}

/// A body that is not even the right kind of thing.
fn bad_json(dice: &mut Dice, good: &Value) -> Body {
    let good = good.to_string();
    match dice.below(20) {
        0 => Body {
            label: "no media type",
            media_type: None,
            bytes: good.into(),
            chunked: false,
        },
        1 | 2 => Body {
            label: "another media type",
            media_type: Some(dice.one_of(&[
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/jsonp",
                "application/json+x",
                "application/problem+json",
                "text/json, application/json",
                "",
            ])),
            bytes: good.into(),
            chunked: dice.percent(30),
        },
        3 => Body::json("empty", ""),
        4 => Body::json("cut off", good[..good.len() - 1].to_owned()),
        5 => Body::json("trailing bytes", good + " x"),
        6 => Body::json(
            "not UTF-8",
            [b"{\"type\":\"\xff\xfe".as_slice(), b"\"}"].concat(),
        ),
        7 => Body::json("a byte order mark", ["\u{feff}", &good].concat()),
        8 => Body::json(
            "NaN",
            r#"{"type":"income","amount":NaN,"description":"x","date":"2026-01-15"}"#,
        ),
        9 => Body::json(
            "a lone surrogate",
            r#"{"type":"income","amount":1,"description":"\ud83d","date":"2026-01-15"}"#,
        ),
        10 => Body::json(
            "a member twice",
            r#"{"type":"income","type":"expense","amount":1,"description":"x","date":"2026-01-15"}"#,
        ),
        11 => Body::json(
            "not an object",
            dice.one_of(&["[]", "null", "7", "\"{}\"", "true", "[{}]"]),
        ),
        12 => Body::json("deep nesting", "[".repeat(30_000)),
        13 => Body::json(
            "deep nesting, closed",
            format!("{}{}", "[".repeat(40), "]".repeat(40)),
        ),
        14 => Body::json("one byte over the limit", padded(&good, LIMIT + 1)),
        15 => Body {
            chunked: true,
            ..Body::json("one byte over the limit", padded(&good, LIMIT + 1))
        },
        16 => Body {
            chunked: dice.percent(50),
            ..Body::json("far over the limit", padded(&good, 300_000))
        },
        17 => Body::json("{\"test\":\"data\"}", r#"{"test":"data"}"#),
        18 => Body::json("an empty object", "{}"),
        _ => Body::json("control characters", "{\"type\":\"inc\u{1}ome\"}"),
    }
}

/// Credentials that are right, for the user (0) or the administrator (1).
pub(crate) fn login(people: &People, number: usize) -> Body {
    let credentials = json!({"username": people.username(number), "password": PASSWORD});
    Body::json("right", credentials.to_string())
}

/// A login that cannot succeed.
pub(crate) fn bad_login(people: &People, dice: &mut Dice) -> Body {
    let name = people.username(0);
    let credentials = |username: Value, password: Value| {
        json!({"username": username, "password": password}).to_string()
    };
    match dice.below(10) {
        0 | 1 => Body::json(
            "wrong password",
            credentials(json!(name), json!("pass-Unicode-7")),
        ),
        2 => Body::json(
            "unknown user",
            credentials(json!(format!("{name}?")), json!(PASSWORD)),
        ),
        3 => Body::json(
            "SQL",
            credentials(json!("' OR '1'='1"), json!("' OR '1'='1")),
        ),
        4 => Body::json("empty password", credentials(json!(name), json!(""))),
        5 => Body::json("wrong kinds", credentials(json!(7), json!([PASSWORD]))),
        6 => Body::json(
            "long password",
            credentials(json!(name), json!("é".repeat(257))),
        ),
        7 => Body::json(
            "long name",
            credentials(json!("n".repeat(256)), json!("p".repeat(256))),
        ),
        _ => bad_json(dice, &json!({"username": name, "password": PASSWORD})),
    }
}

/// JSON text made longer with white space, which changes nothing of its meaning.
fn padded(text: &str, bytes: usize) -> Vec<u8> {
    let mut padded = text.as_bytes().to_vec();
    padded.resize(bytes, b' ');
    padded
}
