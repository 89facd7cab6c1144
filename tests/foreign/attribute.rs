//! `#[edgeproof::test]` with everything that a test may have.

use edgeproof::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

static MADE: AtomicU64 = AtomicU64::new(0);

fn counted() -> impl Iterator<Item = u64> {
    MADE.fetch_add(1, Ordering::Relaxed);
    0..3
}

#[edgeproof::test(
    package = "foreign-visits",
    library = foreign_visits,
    config = "foreign/visits/wrangler.toml",
    seeds = counted(),
)]
async fn seeds_are_made_once(mut world: &World) -> Result<(), String> {
    // The parameter may be a variable.
    let same = world.clone();
    world = &same;
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
    let answer = world.client(world.pops()[0].code()).get("/count").await;
    answer
        .json::<u64>()
        .map(drop)
        .map_err(|error| error.to_string())?;
    Ok(())
}

fn refuses(_: Builder) -> Builder {
    panic!("a setup that panics")
}

#[edgeproof::test(
    package = "foreign-visits",
    library = foreign_visits,
    config = "foreign/visits/wrangler.toml",
    setup = refuses,
)]
#[should_panic(expected = "a setup that panics")]
async fn a_setup_panics(_: &World) {}

mod deep {
    pub(super) mod er {
        use super::super::*;

        #[edgeproof::test(
            package = "foreign-visits",
            library = foreign_visits,
            config = "foreign/visits/wrangler.toml",
            seeds = [1, 2],
        )]
        #[should_panic(expected = "it is wrong")]
        async fn errors_fail(world: &World) -> Result<(), Box<dyn std::error::Error>> {
            let _: &super::er::Here = &Here;
            if world.seed() == 2 {
                Err("it is wrong")?;
            }
            Ok(())
        }

        pub(in super::super) struct Here;
    }
}

// Names that the expansion uses itself.

mod a_setup_named_builder {
    use super::*;

    fn builder(builder: Builder) -> Builder {
        builder.history(true)
    }

    #[edgeproof::test(
        package = "foreign-visits",
        library = foreign_visits,
        config = "foreign/visits/wrangler.toml",
        setup = builder,
    )]
    async fn it(world: &World) {
        let _ = world;
    }
}

mod a_test_named_test {
    use super::*;

    #[edgeproof::test(
        package = "foreign-visits",
        library = foreign_visits,
        config = "foreign/visits/wrangler.toml",
    )]
    async fn world(world: &World) {
        let _ = world;
    }
}

mod a_setup_named_test {
    use super::*;

    #[edgeproof::test(
        package = "foreign-visits",
        library = foreign_visits,
        config = "foreign/visits/wrangler.toml",
    )]
    async fn test(world: &World) {
        let _ = world;
    }
}
