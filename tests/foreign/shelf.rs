//! A Router of axum, and D1.

use edgeproof::prelude::*;
use edgeproof::sim::http::Body;
use futures_util::stream;
use serde_json::json;

#[edgeproof::test(
    package = "foreign-shelf",
    library = foreign_shelf,
    config = "foreign/shelf/wrangler.toml",
    pops = ["MEX", "FRA"],
    seeds = 0..5,
)]
async fn a_book_that_was_added_is_on_the_shelf(world: &World) {
    let (mex, fra) = (world.client("MEX"), world.client("FRA"));
    assert_eq!(mex.get("/").await.text(), "a shelf");
    let book = json!({ "title": "Momo", "author": "Michael Ende" });
    let added = mex.post("/books").json(&book).await.expect_status(201);
    assert_eq!(added.header("location"), Some("/books/1"));
    mex.post("/books")
        .json(&json!({ "title": "Beowulf" }))
        .await
        .expect_status(201);
    let books: serde_json::Value = fra.get("/books").await.json().expect("JSON");
    let all = json!([
        { "id": 1, "title": "Momo", "author": "Michael Ende" },
        { "id": 2, "title": "Beowulf", "author": null },
    ]);
    assert_eq!(books, all);
    let book: serde_json::Value = fra.get("/books/2").await.json().expect("JSON");
    assert_eq!(book["title"], "Beowulf");
    fra.get("/books/3").await.expect_status(404);
    mex.post("/books").json(&json!({})).await.expect_status(422);
}

#[edgeproof::test(
    package = "foreign-shelf",
    library = foreign_shelf,
    config = "foreign/shelf/wrangler.toml",
)]
async fn axum_streams_what_it_receives(world: &World) {
    let mut request = world.client("IAD").post("/echo").build();
    request.body = "whole".into();
    let client = world.client("IAD");
    assert_eq!(client.send(request.clone()).await.text(), "whole");
    let pieces = stream::iter([Ok("one ".into()), Ok("two".into())]);
    let request = request.map_body(|_| Body::stream(pieces));
    let answer = client.open(request).await;
    assert!(answer.body.whole().is_none());
    assert_eq!(answer.body.bytes().await.expect("all of it"), "one two");
}

#[edgeproof::test(
    package = "foreign-shelf",
    library = foreign_shelf,
    config = "foreign/shelf/wrangler.toml",
    pops = ["MEX"],
)]
async fn a_client_is_where_the_test_says(world: &World) {
    let client = world.client("MEX");
    assert_eq!(client.get("/where").await.text(), "Mexico City near MEX");
    let puebla = client.with_cf(|cf| cf.city = Some("Puebla".to_owned()));
    assert_eq!(puebla.get("/where").await.text(), "Puebla near MEX");
}
