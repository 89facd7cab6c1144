use std::path::{Path, PathBuf};

use edgeproof_sim::wrangler::WorkerConfig;
use serde_json::{Value, json};

use super::api::{Api, CONFIG, DATABASES, Envelope as _, NAMESPACES, world};

/// A folder of the tests', removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("edgeproof-rest-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn start(&self, config: &str) -> Api {
        let (path, config) = (self.0.clone(), config.to_owned());
        Api::over(move || world(&config).persist(path))
    }

    /// Stops a server and saves its world.
    fn save(&self, api: Api) {
        let path = self.0.clone();
        api.served
            .stop(move |world| world.account().save(&path).expect("saved"));
    }

    fn state(&self) -> Value {
        let text = std::fs::read(self.0.join("state.json")).expect("it was saved");
        serde_json::from_slice(&text).expect("JSON")
    }

    fn databases(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.0).expect("a folder");
        let mut names: Vec<String> = files
            .filter_map(|file| file.expect("readable").file_name().into_string().ok())
            .filter(|name| name.ends_with(".sqlite"))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn id(item: &Value, name: &str) -> String {
    item[name].as_str().expect("text").to_owned()
}

#[test]
fn what_no_binding_means_is_kept_and_what_one_means_is_found_by_its_id() {
    let folder = Folder::new("kept");
    let api = folder.start(CONFIG);
    let namespace = id(
        &api.send_json("POST", NAMESPACES, &json!({ "title": "CACHE_KV" }))
            .result(),
        "id",
    );
    let database = id(
        &api.send_json("POST", DATABASES, &json!({ "name": "logs" }))
            .result(),
        "uuid",
    );
    let put = |api: &Api, id: &str, value: &str| {
        let path = format!("{NAMESPACES}/{id}/values/key");
        assert!(
            api.send("PUT", &path, &[], value.as_bytes())
                .result()
                .is_null()
        );
    };
    put(&api, &namespace, "created");
    put(&api, &api.cache(), "bound");
    let (orders, logs) = (api.db_path(), format!("{DATABASES}/{database}"));
    api.query(
        &orders,
        "CREATE TABLE orders (x); INSERT INTO orders VALUES (1)",
    );
    api.query(&logs, "CREATE TABLE logs (x); INSERT INTO logs VALUES (2)");
    folder.save(api);

    // Another Worker, which binds what was made by its ids and does not know the first one's own.
    let config = format!(
        "name = 'other'\ncompatibility_date = '2026-08-20'\nkv_namespaces = [{{ binding = 'KV', id = '{namespace}' }}]\n\
         d1_databases = [{{ binding = 'DB', database_name = 'logs', database_id = '{database}' }}]"
    );
    let api = folder.start(&config);
    let settings = api
        .get("/client/v4/accounts/a/workers/scripts/other/settings")
        .result();
    assert_eq!(
        settings["bindings"],
        json!([{ "type": "d1", "name": "DB", "id": database }, { "type": "kv_namespace", "name": "KV", "namespace_id": namespace }])
    );
    assert_eq!(
        api.get(&format!("{NAMESPACES}/{namespace}/values/key"))
            .text(),
        "created"
    );
    assert_eq!(
        api.query(&logs, "SELECT x FROM logs")[0]["results"],
        json!([{ "x": 2 }])
    );
    assert_eq!(
        api.get(&format!("{NAMESPACES}/{namespace}")).result()["title"],
        "CACHE_KV"
    );
    folder.save(api);

    // The first Worker again: nothing of its own was lost in between.
    let api = folder.start(CONFIG);
    assert_eq!(
        api.get(&format!("{}/values/key", api.cache_path())).text(),
        "bound"
    );
    assert_eq!(api.db_path(), orders);
    assert_eq!(
        api.query(&orders, "SELECT x FROM orders")[0]["results"],
        json!([{ "x": 1 }])
    );
    assert_eq!(
        api.get(NAMESPACES).result().as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(
        api.get(DATABASES).result().as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn databases_are_written_down_at_once_and_their_files_go_with_them() {
    let folder = Folder::new("at-once");
    let api = folder.start(CONFIG);
    let database = id(
        &api.send_json("POST", DATABASES, &json!({ "name": "logs" }))
            .result(),
        "uuid",
    );
    let path = format!("{DATABASES}/{database}");
    api.query(&path, "CREATE TABLE logs (x)");
    let file = format!("d1-{database}.sqlite");
    assert!(folder.databases().contains(&file));
    let listed = folder.state()["databases"].to_string();
    assert!(
        listed.contains(&database) && listed.contains("logs"),
        "{listed}"
    );
    assert!(api.send("DELETE", &path, &[], b"").result().is_null());
    assert!(!folder.databases().contains(&file));
    assert!(!folder.state()["databases"].to_string().contains(&database));
    let left: Vec<_> = std::fs::read_dir(&folder.0)
        .expect("a folder")
        .filter_map(Result::ok)
        .map(|file| file.file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains(&database)),
        "{left:?}"
    );
}

#[test]
fn objects_of_classes_that_a_world_lacks_are_kept() {
    let folder = Folder::new("objects");
    let api = folder.start(CONFIG);
    folder.save(api);
    let mut state = folder.state();
    let object = json!([{ "id": "00".repeat(32), "name": "n", "home": "IAD", "alarm_ms": 5, "values": { "k": "dg==" } }]);
    state["objects"]["Counter"] = object.clone();
    std::fs::write(folder.0.join("state.json"), state.to_string()).expect("writable");
    let api = folder.start(CONFIG);
    folder.save(api);
    assert_eq!(folder.state()["objects"]["Counter"], object);
}

#[test]
fn the_first_form_of_the_state_is_read_as_its_bindings_mean_it() {
    let folder = Folder::new("form-1");
    // Made by a database of today, under the name it had then.
    let api = folder.start(CONFIG);
    let path = api.db_path();
    api.query(
        &path,
        "CREATE TABLE orders (x); INSERT INTO orders VALUES (1)",
    );
    let cache = api.cache();
    folder.save(api);
    let [now] = <[String; 1]>::try_from(folder.databases()).expect("one");
    for end in ["", "-wal", "-shm"] {
        let old = folder.0.join(format!("d1-DB.sqlite{end}"));
        let _ = std::fs::rename(folder.0.join(format!("{now}{end}")), old);
    }
    let entry = |value: &str| json!([{ "key": "k", "value": value, "metadata": "{\"m\":1}", "expiration_seconds": null }]);
    let objects = json!({ "Counter": [] });
    let old = json!({ "form": 1, "kv": { "CACHE_KV": entry("dg=="), "GONE": entry("ZnJvbSBiZWZvcmU=") }, "objects": objects });
    std::fs::write(folder.0.join("state.json"), old.to_string()).expect("writable");

    // A second database of then, which nothing binds now.
    let other = folder.0.join("d1-OLD.sqlite");
    std::fs::copy(folder.0.join("d1-DB.sqlite"), other).expect("copied");
    let _ = std::fs::copy(
        folder.0.join("d1-DB.sqlite-wal"),
        folder.0.join("d1-OLD.sqlite-wal"),
    );

    drop(folder.start(CONFIG));
    assert_eq!(
        folder.state()["form"],
        2,
        "written down as soon as files are renamed"
    );
    let api = folder.start(CONFIG);
    assert_eq!((api.db_path(), api.cache()), (path.clone(), cache));
    let unbound = api.get(&format!("{DATABASES}/shop-old")).result();
    assert_eq!(unbound["num_tables"], 1, "{unbound}");
    assert_eq!(
        api.query(&path, "SELECT x FROM orders")[0]["results"],
        json!([{ "x": 1 }])
    );
    let value = format!("{}/values/k", api.cache_path());
    assert_eq!(api.get(&value).text(), "v");
    assert_eq!(
        api.get(&value.replace("/values/", "/metadata/")).result(),
        json!({ "m": 1 })
    );
    // A namespace that is no longer bound keeps the title that its binding would give it.
    let list = api.get(NAMESPACES).result();
    let gone = list
        .as_array()
        .expect("a list")
        .iter()
        .find(|item| item["title"] == "shop-gone")
        .expect("kept");
    assert_eq!(
        api.get(&format!("{NAMESPACES}/{}/values/k", id(gone, "id")))
            .text(),
        "from before"
    );
    let mut expected = vec![now, format!("d1-{}.sqlite", id(&unbound, "uuid"))];
    expected.sort();
    assert_eq!(folder.databases(), expected);
}

#[test]
fn a_database_whose_name_was_lost_is_there_under_its_id() {
    let folder = Folder::new("lost");
    let api = folder.start(CONFIG);
    let database = id(
        &api.send_json("POST", DATABASES, &json!({ "name": "logs" }))
            .result(),
        "uuid",
    );
    let (path, orders) = (format!("{DATABASES}/{database}"), api.db_path());
    api.query(&path, "CREATE TABLE logs (x)");
    api.query(&orders, "CREATE TABLE orders (x)");
    drop(api);
    std::fs::remove_file(folder.0.join("state.json")).expect("it was there");
    let api = folder.start(CONFIG);
    assert_eq!(api.get(&path).result()["name"], *database);
    assert_eq!(api.get(&path).result()["num_tables"], 1);
    assert_eq!(
        api.get(&orders).result()["num_tables"],
        1,
        "a binding finds its own by name"
    );
}

#[test]
fn an_id_of_a_configuration_never_leaves_the_folder() {
    let folder = Folder::new("escape");
    let config = format!(
        "{CONFIG}\n[[env.odd.d1_databases]]\nbinding = 'DB'\ndatabase_name = 'odd'\ndatabase_id = '../../odd é'\n"
    );
    let path = folder.0.clone();
    let api = Api::over(move || {
        let config =
            WorkerConfig::parse(&config, "wrangler.toml", Some("odd")).expect("a configuration");
        world(CONFIG).config(config).persist(path)
    });
    assert_eq!(
        api.get(&format!("{DATABASES}/odd")).result()["uuid"],
        "../../odd é"
    );
    assert_eq!(
        folder.databases(),
        ["d1-%2E%2E%2F%2E%2E%2Fodd%20%C3%A9.sqlite"]
    );
    assert!(Path::new(&folder.0).join(&folder.databases()[0]).exists());
}
