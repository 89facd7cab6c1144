use worker::*;

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    Router::new()
        .get_async("/count", |_, context| async move {
            Response::ok(count(&context.kv("VISITS")?).await?.to_string())
        })
        .post_async("/count", |_, context| async move {
            let kv = context.kv("VISITS")?;
            let next = count(&kv).await? + 1;
            kv.put("count", next.to_string())?.execute().await?;
            Response::ok(next.to_string())
        })
        .run(request, env)
        .await
}

async fn count(kv: &KvStore) -> Result<u32> {
    let text = kv.get("count").text().await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}
