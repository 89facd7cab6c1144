//! Books in D1 behind a Router of axum.

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use js_sys::Date;
use serde::{Deserialize, Serialize};
use tower_service::Service as _;
use worker::*;
use worker_macros::event as worker_event;

#[derive(Deserialize)]
struct NewBook {
    title: String,
    author: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Book {
    id: u32,
    title: String,
    author: Option<String>,
}

fn router(env: Env) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/books", get(list).post(add))
        .route("/books/{id}", get(one))
        .route("/echo", axum::routing::post(echo))
        .route("/where", get(whereabouts))
        .with_state(env)
}

#[worker_event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _: Context) -> Result<axum::http::Response<Body>> {
    Ok(router(env).call(request).await?)
}

async fn front() -> &'static str {
    "a shelf"
}

/// Where the client is.
async fn whereabouts(Extension(cf): Extension<Cf>) -> String {
    format!("{} near {}", cf.city().unwrap_or_default(), cf.colo())
}

/// Streams the body back, as it comes.
async fn echo(body: Body) -> Body {
    body
}

#[worker::send]
async fn list(State(env): State<Env>) -> axum::response::Result<Json<Vec<Book>>> {
    let books = query!(
        &books(&env)?,
        "SELECT id, title, author FROM books ORDER BY id"
    );
    let books = books.all().await.map_err(failed)?;
    Ok(Json(books.results().map_err(failed)?))
}

#[worker::send]
async fn add(
    State(env): State<Env>,
    Json(book): Json<NewBook>,
) -> axum::response::Result<impl IntoResponse> {
    let database = books(&env)?;
    let added = String::from(Date::new_0().to_iso_string());
    let id: Option<u32> = query!(
        &database,
        "INSERT INTO books (title, author, added) VALUES (?1, ?2, ?3) RETURNING id",
        &book.title,
        &book.author,
        &added,
    )
    .map_err(failed)?
    .first(Some("id"))
    .await
    .map_err(failed)?;
    Ok((
        StatusCode::CREATED,
        [("location", format!("/books/{}", id.unwrap_or(0)))],
    ))
}

#[worker::send]
async fn one(State(env): State<Env>, Path(id): Path<u32>) -> axum::response::Result<Json<Book>> {
    let database = books(&env)?;
    let book: Option<Book> = query!(
        &database,
        "SELECT id, title, author FROM books WHERE id = ?1",
        &id
    )
    .map_err(failed)?
    .first(None)
    .await
    .map_err(failed)?;
    book.map(Json).ok_or_else(|| StatusCode::NOT_FOUND.into())
}

fn books(env: &Env) -> std::result::Result<D1Database, (StatusCode, String)> {
    env.d1("BOOKS").map_err(failed)
}

fn failed(error: Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
