//! Cases as they are written, and what their shorthands stand for.
//!
//! A file `cases/<topic>.json` is a list of `{"case": name, "steps": […]}`. A step is one of
//!
//! | step | what it does |
//! |---|---|
//! | `{"kv": "put", "key": "a", "value": "1"}` | a call of KV (`worker/src/kv.rs`) |
//! | `{"d1": "all", "sql": "SELECT ?", "bind": [1]}` | a call of D1 (`worker/src/d1.rs`) |
//! | `{"do": "get", "key": "a"}` | an event of the case's object (`worker/src/object.rs`) |
//! | `{"events": […], "at_once": true, "one_stub": true}` | several of them (`worker/src/events.rs`) |
//! | `{"wait_ms": 300}` | nothing, for a while |
//!
//! and anywhere in it `{"$repeat": "ab", "times": 3}` stands for `"ababab"`, `{"$bytes": "00ff"}` for these bytes, and
//! `{"$list": <value>, "times": 3}` for a list of so many of it, with every `#` in its texts replaced by the place in the list.

use crate::generated;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// What a file of cases is about.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Its name, which begins with the product's.
    pub(crate) name: String,
    /// Its cases.
    pub(crate) cases: Vec<Case>,
}

/// A case.
#[derive(Debug)]
pub(crate) struct Case {
    /// What it is about, as a sentence or nearly one.
    pub(crate) name: String,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A call, with its shorthands written out.
    Call {
        /// Whose.
        product: Product,
        /// What the Worker is sent.
        body: Value,
    },
    /// Nothing happens for a while.
    Wait {
        /// How long.
        ms: u64,
    },
}

/// Whose call a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// KV.
    Kv,
    /// D1.
    D1,
    /// The case's object.
    Object,
}

/// This folder.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// All topics, in order of their names; generated cases come after those of the files.
pub(crate) fn all() -> Vec<Topic> {
    let folder = folder().join("cases");
    let entries = std::fs::read_dir(&folder).expect("the cases are where they were");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    let mut topics: Vec<Topic> = files.iter().map(|file| Topic::read(file)).collect();
    topics.extend(generated::all());
    topics
}

impl Topic {
    fn read(file: &Path) -> Self {
        let shown = file.display();
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let cases: Vec<Map<String, Value>> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let name = file.file_stem().and_then(|stem| stem.to_str());
        let cases = cases.into_iter().map(|case| {
            let name = case.get("case").and_then(Value::as_str);
            let name = name.unwrap_or_else(|| panic!("{shown}: a case without a name: {case:?}"));
            let steps = case.get("steps").and_then(Value::as_array);
            let steps = steps.unwrap_or_else(|| panic!("{shown}: `{name}` has no steps"));
            Case::new(name, steps)
        });
        Self {
            name: name.expect("a name of ASCII").to_owned(),
            cases: cases.collect(),
        }
    }
}

impl Case {
    pub(crate) fn new(name: &str, steps: &[Value]) -> Self {
        let step = |step| {
            Step::new(&written_out(step)).unwrap_or_else(|| panic!("`{name}`: no step is {step}"))
        };
        Self {
            name: name.to_owned(),
            steps: steps.iter().map(step).collect(),
        }
    }

    /// Whether it is about calls that follow each other faster than ordinary cases let them.
    pub(crate) fn hurries(&self) -> bool {
        self.name.contains("within a second")
    }

    /// A number that changes with the steps: FNV-1a over their text.
    pub(crate) fn fingerprint(&self) -> String {
        let text = format!("{:?}", self.steps);
        format!("{:016x}", fnv(text.as_bytes()))
    }
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

impl Step {
    /// The key of KV that it writes or deletes.
    #[cfg_attr(
        not(feature = "real"),
        expect(dead_code, reason = "the simulator's time passes after every call")
    )]
    pub(crate) fn written_key(&self) -> Option<&str> {
        let Self::Call {
            product: Product::Kv,
            body,
        } = self
        else {
            return None;
        };
        let call = body.get("kv").and_then(Value::as_str);
        let writes = matches!(call, Some("put" | "delete"));
        body.get("key").filter(|_| writes).and_then(Value::as_str)
    }

    fn new(step: &Value) -> Option<Self> {
        if let Some(ms) = step.get("wait_ms") {
            return Some(Self::Wait { ms: ms.as_u64()? });
        }
        let marks = [
            ("kv", Product::Kv),
            ("d1", Product::D1),
            ("do", Product::Object),
            ("events", Product::Object),
        ];
        let (_, product) = marks
            .into_iter()
            .find(|(mark, _)| step.get(mark).is_some())?;
        Some(Self::Call {
            product,
            body: step.clone(),
        })
    }
}

/// A value with its shorthands written out.
fn written_out(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(written_out).collect(),
        Value::Object(fields) => {
            let times = || {
                let times = fields.get("times").and_then(Value::as_u64);
                usize::try_from(times.expect("`times` says how often")).expect("it fits")
            };
            if let Some(text) = fields.get("$repeat").and_then(Value::as_str) {
                return text.repeat(times()).into();
            }
            if let Some(digits) = fields.get("$bytes").and_then(Value::as_str) {
                let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
                let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
                return json!({"bytes": bytes});
            }
            if let Some(item) = fields.get("$list") {
                let place = |place: usize| numbered(&written_out(item), &place.to_string());
                return (0..times()).map(place).collect();
            }
            let field = |(key, value): (&String, &Value)| (key.clone(), written_out(value));
            fields.iter().map(field).collect::<Map<_, _>>().into()
        }
        plain => plain.clone(),
    }
}

fn numbered(value: &Value, place: &str) -> Value {
    match value {
        Value::String(text) => text.replace('#', place).into(),
        Value::Array(items) => items.iter().map(|item| numbered(item, place)).collect(),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| (key.clone(), numbered(value, place));
            fields.iter().map(field).collect::<Map<_, _>>().into()
        }
        plain => plain.clone(),
    }
}
