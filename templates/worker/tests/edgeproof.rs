//! The Worker on a simulated Cloudflare: `cargo test` runs this.

use edgeproof::prelude::*;

#[edgeproof::test(pops = ["MEX", "FRA"], seeds = 0..20)]
async fn a_reader_far_away_is_stale_for_a_minute(world: &World) {
    let (mex, fra) = (world.client("MEX"), world.client("FRA"));
    assert_eq!(fra.get("/count").await.text(), "0");
    mex.post("/count").await.expect_status(200);
    assert_eq!(fra.get("/count").await.text(), "0");
    world.sleep(secs(61)).await;
    assert_eq!(fra.get("/count").await.text(), "1");
    assert_eq!(world.usage().total(Meter::KvWrites), 1);
}
