use serde_json::{Value, json};

use super::api::{Api, Envelope as _, NAMESPACES};

fn create(api: &Api, title: &str) -> Value {
    let created = api.send_json("POST", NAMESPACES, &json!({ "title": title }));
    created.result()
}

fn titles(list: &Value) -> Vec<&str> {
    let items = list.as_array().expect("a list");
    items
        .iter()
        .map(|item| item["title"].as_str().expect("text"))
        .collect()
}

#[test]
fn a_namespace_is_made_looked_at_renamed_and_deleted() {
    let api = Api::start();
    let made = create(&api, "CACHE_KV");
    let id = made["id"].as_str().expect("text");
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(
        made,
        json!({ "id": id, "title": "CACHE_KV", "supports_url_encoding": true })
    );
    let path = format!("{NAMESPACES}/{id}");
    assert_eq!(api.get(&path).result(), made);

    let taken = (
        400,
        10_014,
        "a namespace with this account ID and title already exists".to_owned(),
    );
    let again = api.send_json("POST", NAMESPACES, &json!({ "title": "CACHE_KV" }));
    assert_eq!(again.error(), taken);
    let rename = |title: &str| api.send_json("PUT", &path, &json!({ "title": title }));
    assert_eq!(rename("shop-cache-kv").error(), taken);
    assert_eq!(
        rename("CACHE_KV").result()["title"],
        "CACHE_KV",
        "its own title is no other's"
    );
    assert_eq!(
        rename("renamed").result(),
        json!({ "id": id, "title": "renamed", "supports_url_encoding": true })
    );
    assert_eq!(
        create(&api, "CACHE_KV")["title"],
        "CACHE_KV",
        "the title is free again"
    );

    assert_eq!(api.send("DELETE", &path, &[], b"").result(), Value::Null);
    let gone = |message: &str| (404, 10_013, message.to_owned());
    let not_found = "get namespace: 'namespace not found'";
    assert_eq!(api.get(&path).error(), gone(not_found));
    assert_eq!(rename("x").error(), gone(not_found));
    assert_eq!(
        api.send("DELETE", &path, &[], b"").error(),
        gone("namespace not found")
    );
    for (method, rest) in [
        ("GET", "keys"),
        ("GET", "values/k"),
        ("PUT", "values/k"),
        ("DELETE", "values/k"),
        ("GET", "metadata/k"),
    ] {
        let answer = api.send(method, &format!("{path}/{rest}"), &[], b"v");
        assert_eq!(answer.error(), gone(not_found), "{method} {rest}");
    }
}

#[test]
fn the_binding_without_an_id_means_what_wrangler_would_have_made() {
    let api = Api::start();
    let settings = api
        .get("/client/v4/accounts/any/workers/scripts/shop/settings")
        .result();
    let cache = api.cache();
    let kv = json!({ "type": "kv_namespace", "name": "CACHE_KV", "namespace_id": cache });
    assert!(
        settings["bindings"]
            .as_array()
            .expect("a list")
            .contains(&kv),
        "{settings}"
    );
    let other = api.get("/client/v4/accounts/any/workers/scripts/other/settings");
    assert_eq!(other.error().1, 10_007);
    // The same in another world: it follows from the name.
    assert_eq!(Api::start().cache(), cache);
}

#[test]
fn lists_are_ordered_and_end() {
    let api = Api::start();
    for title in ["b", "c", "a"] {
        create(&api, title);
    }
    let all = ["a", "b", "c", "shop-cache-kv"];
    // As wrangler asks: page after page, until one is short or empty.
    let mut seen = Vec::new();
    for page in 1.. {
        let path = format!("{NAMESPACES}?per_page=2&order=title&direction=asc&page={page}");
        let answer = api.get(&path);
        let result = answer.result();
        let info = answer.json()["result_info"].clone();
        let count = result.as_array().expect("a list").len();
        let expected = json!({ "page": page, "per_page": 2, "count": count, "total_count": 4, "total_pages": 2 });
        assert_eq!(info, expected);
        assert!(page <= 3, "the list does not end");
        if count == 0 {
            assert_eq!(page, 3);
            break;
        }
        seen.extend(titles(&result).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, all);
    let backwards = api
        .get(&format!("{NAMESPACES}?order=title&direction=desc"))
        .result();
    assert_eq!(titles(&backwards), ["shop-cache-kv", "c", "b", "a"]);
    let by_id = api.get(NAMESPACES).result();
    let ids: Vec<&str> = by_id
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let far = api.get(&format!(
        "{NAMESPACES}?page=18446744073709551615&per_page=1000"
    ));
    assert_eq!(far.result(), json!([]));
    for query in [
        "page=0",
        "per_page=0",
        "per_page=1001",
        "page=-1",
        "page=x",
        "order=size",
        "direction=up",
        "page=18446744073709551616",
    ] {
        let answer = api.get(&format!("{NAMESPACES}?{query}"));
        assert_eq!(answer.error().0, 400, "{query}");
    }
}

#[test]
fn titles_that_are_none_are_refused() {
    let api = Api::start();
    let long = "t".repeat(513);
    for body in [
        &*json!({ "title": "" }).to_string(),
        &*json!({ "title": long }).to_string(),
        &*json!({ "title": 7 }).to_string(),
        "{}",
        "[]",
        "",
        "{\"title\":\"x\"",
        "\u{0}",
    ] {
        let answer = api.send("POST", NAMESPACES, &[], body.as_bytes());
        assert_eq!(answer.error().0, 400, "{body}");
    }
    assert_eq!(
        api.get(NAMESPACES).result().as_array().map(Vec::len),
        Some(1)
    );
}
