//! The commands of edgeproof for the Worker `visits`, as `cargo edgeproof` writes such a program.

edgeproof::main!(
    foreign_visits,
    package = "foreign-visits",
    config = "../visits/wrangler.toml"
);
