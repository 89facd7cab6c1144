//! Objects with alarms, and a cron trigger.

use edgeproof::prelude::*;
use edgeproof::sim::exception::Exception;

#[edgeproof::test(
    package = "foreign-reminders",
    library = foreign_reminders,
    config = "foreign/reminders/wrangler.toml",
    pops = ["MEX", "FRA"],
    seeds = 0..5,
)]
async fn an_alarm_rings_when_it_is_due(world: &World) {
    let (mex, fra) = (world.client("MEX"), world.client("FRA"));
    mex.post("/reminders/tea?in=180").await.expect_status(200);
    world.sleep(secs(170)).await;
    assert_eq!(fra.get("/reminders/tea").await.text(), "rang 0 times");
    world.sleep(secs(15)).await;
    assert_eq!(fra.get("/reminders/tea").await.text(), "rang 1 times");
    assert_eq!(fra.get("/reminders/eggs").await.text(), "rang 0 times");
    mex.post("/reminders/tea").await.expect_status(400);
}

#[edgeproof::test(
    package = "foreign-reminders",
    library = foreign_reminders,
    config = "foreign/reminders/wrangler.toml",
)]
async fn the_cron_trigger_rings_the_daily_one(world: &World) -> Result<(), Exception> {
    let client = world.client("IAD");
    for times in 1..=2 {
        world.scheduled("0 6 * * *").await?;
        let told = client.get("/reminders/daily").await.text();
        assert_eq!(told, format!("rang {times} times"));
    }
    Ok(())
}
