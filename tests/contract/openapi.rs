//! The description of the API, and what of an answer it does not describe.
//!
//! Nothing may be in an answer that the description does not have: no status, no media type, no header, no member of a body.
//! What belongs to the connection and not to the API is left aside.

use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use support::client::Answer;
use url::Url;

/// Headers of the connection, and of any HTTP server.
const TRANSPORT: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "transfer-encoding",
];

/// The description, read once, with the validators of its schemas.
pub(crate) struct Description {
    document: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// What a request is in the description: a path with its placeholders and a method, or neither.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Documented { path: String, method: String },
    OtherMethod,
    OtherPath,
}

/// `worker/openapi.json`
pub(crate) fn description() -> &'static Description {
    static DESCRIPTION: OnceLock<Description> = OnceLock::new();
    DESCRIPTION.get_or_init(|| Description {
        document: serde_json::from_str(include_str!("../../worker/openapi.json"))
            .expect("the description is JSON"),
        validators: Mutex::default(),
    })
}

impl Description {
    /// All documented operations, each with its statuses.
    pub(crate) fn operations(&self) -> Vec<(Operation, Vec<u16>)> {
        let mut operations = Vec::new();
        for (path, item) in object(&self.document["paths"]) {
            for (method, operation) in object(item)
                .iter()
                .filter(|(name, _)| *name != "parameters")
            {
                let operation_of = Operation::Documented {
                    path: path.clone(),
                    method: method.to_ascii_uppercase(),
                };
                operations.push((operation_of, statuses(&operation["responses"])));
            }
        }
        operations.push((
            Operation::OtherMethod,
            statuses(&self.document["x-other-methods"]),
        ));
        operations.push((
            Operation::OtherPath,
            statuses(&self.document["x-other-paths"]),
        ));
        operations
    }

    /// Which operation a request is.
    pub(crate) fn operation(&self, method: &str, target: &str) -> Operation {
        let url = Url::parse("http://worker.example").and_then(|base| base.join(target));
        let path = url.map(|url| url.path().to_owned()).unwrap_or_default();
        let described = object(&self.document["paths"])
            .iter()
            .find(|(template, item)| fits(template, &path, item));
        match described {
            // A preflight is answered under any path.
            None if method == "OPTIONS" => Operation::Documented {
                path: "/api/transactions".to_owned(),
                method: method.to_owned(),
            },
            None => Operation::OtherPath,
            Some((_, item)) if item.get(method.to_ascii_lowercase()).is_none() => {
                Operation::OtherMethod
            }
            Some((template, _)) => Operation::Documented {
                path: template.clone(),
                method: method.to_owned(),
            },
        }
    }

    /// What of an answer is not as the description has it.
    pub(crate) fn faults(&self, method: &str, target: &str, answer: &Answer) -> Vec<String> {
        let operation = self.operation(method, target);
        let responses = match &operation {
            Operation::Documented { path, method } => {
                &self.document["paths"][path][method.to_ascii_lowercase()]["responses"]
            }
            Operation::OtherMethod => &self.document["x-other-methods"],
            Operation::OtherPath => &self.document["x-other-paths"],
        };
        let Some(response) = responses.get(answer.status.to_string()) else {
            return vec![format!(
                "openapi: {} is no status of {operation:?}",
                answer.status
            )];
        };
        let response = self.followed(response);
        let mut faults = Vec::new();
        self.headers(response, answer, &mut faults);
        self.body(method, response, answer, &mut faults);
        faults
    }

    fn headers(&self, response: &Value, answer: &Answer, faults: &mut Vec<String>) {
        let described: BTreeMap<String, &Value> = object(&response["headers"])
            .iter()
            .map(|(name, header)| (name.to_ascii_lowercase(), self.followed(header)))
            .collect();
        for name in answer.headers.keys() {
            if !described.contains_key(name) && !TRANSPORT.contains(&name.as_str()) {
                faults.push(format!("openapi: the header {name} is not described"));
            }
        }
        for (name, header) in described {
            let Some(text) = answer.headers.get(&name) else {
                if header["required"] == true {
                    faults.push(format!("openapi: the header {name} is missing"));
                }
                continue;
            };
            let schema = &header["schema"];
            let value = match schema["type"].as_str() {
                Some("integer") => text
                    .parse::<u64>()
                    .map_or(json!(text), |number| json!(number)),
                _ => json!(text),
            };
            self.validate(&format!("the header {name}"), schema, &value, faults);
        }
    }

    fn body(&self, method: &str, response: &Value, answer: &Answer, faults: &mut Vec<String>) {
        let media_type = answer.header("content-type");
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let Some(content) = response.get("content") else {
            if !answer.body.is_empty() || !media_type.is_empty() {
                faults.push("openapi: a body where none is described".to_owned());
            }
            return;
        };
        let Some(content) = content.get(media_type) else {
            faults.push(format!(
                "openapi: the media type {media_type:?} is not described"
            ));
            return;
        };
        if method == "HEAD" {
            return;
        }
        let value = match media_type {
            "text/plain" => json!(answer.text()),
            _ => match serde_json::from_slice(&answer.body) {
                Ok(value) => value,
                Err(problem) => {
                    return faults.push(format!("openapi: the body is no JSON: {problem}"));
                }
            },
        };
        self.validate("the body", &content["schema"], &value, faults);
    }

    fn validate(&self, what: &str, schema: &Value, value: &Value, faults: &mut Vec<String>) {
        let validator = self.validator(schema);
        let errors = validator.iter_errors(value);
        faults.extend(errors.map(|error| {
            format!(
                "openapi: {what}: {error} at {:?}",
                error.instance_path().as_str()
            )
        }));
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no validator panics");
        let made = validators.entry(schema.to_string()).or_insert_with(|| {
            // References lead into the components, so these come along.
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "allOf": [schema],
                "components": {"schemas": self.document["components"]["schemas"]},
            });
            Arc::new(jsonschema::validator_for(&whole).expect("the schema is a schema"))
        });
        Arc::clone(made)
    }

    /// What a reference leads to, or the value itself.
    fn followed<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            None => value,
            Some(reference) => {
                let found = self.document.pointer(reference.trim_start_matches('#'));
                found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
        }
    }
}

/// Whether a path is one of a template, such as `/api/transactions/{id}`, whose placeholder is a whole number.
fn fits(template: &str, path: &str, item: &Value) -> bool {
    let Some((before, after)) = template.split_once('{') else {
        return template == path;
    };
    assert!(
        after.ends_with('}') && item["parameters"][0]["in"] == "path",
        "{template}"
    );
    let number = path.strip_prefix(before).unwrap_or_default();
    !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse::<u64>().is_ok_and(|number| number < 1 << 53)
}

fn statuses(responses: &Value) -> Vec<u16> {
    let responses = object(responses).keys();
    responses
        .map(|status| {
            status
                .parse()
                .expect("every response has a status of its own")
        })
        .collect()
}

fn object(value: &Value) -> &serde_json::Map<String, Value> {
    static EMPTY: OnceLock<serde_json::Map<String, Value>> = OnceLock::new();
    value
        .as_object()
        .unwrap_or_else(|| EMPTY.get_or_init(serde_json::Map::new))
}
