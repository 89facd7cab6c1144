//! Every key of `wrangler.toml`, and how the simulator treats it.
//!
//! Names and inheritance are those of wrangler's own configuration type (SDK 2026-08-22, `workers-utils`,
//! `config/environment.ts`).

/// How a key is treated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Treatment {
    /// It is read.
    Read,
    /// It is understood and changes nothing here, because …
    NoEffect(&'static str),
    /// It binds a product that is not simulated, …: the Worker runs as long as it does not call that binding.
    Absent(&'static str),
    /// A Worker with it would behave differently here, because …
    Refused(&'static str),
    /// Wrangler itself no longer takes it; write … instead.
    Removed(&'static str),
}

/// Whether an environment takes the key over from the top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// An environment without the key has the top level's value.
    Inherited,
    /// Every environment must set it again.
    NotInherited,
    /// It stands at the top level only.
    TopLevel,
}

/// One key of the top level or of an environment.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    pub(super) treatment: Treatment,
}

const fn read(name: &'static str, scope: Scope) -> Key {
    Key {
        name,
        scope,
        treatment: Treatment::Read,
    }
}

const fn no_effect(name: &'static str, scope: Scope, why: &'static str) -> Key {
    Key {
        name,
        scope,
        treatment: Treatment::NoEffect(why),
    }
}

const fn absent(name: &'static str, product: &'static str) -> Key {
    Key {
        name,
        scope: Scope::NotInherited,
        treatment: Treatment::Absent(product),
    }
}

const fn refused(name: &'static str, scope: Scope, why: &'static str) -> Key {
    Key {
        name,
        scope,
        treatment: Treatment::Refused(why),
    }
}

const fn removed(name: &'static str, instead: &'static str) -> Key {
    Key {
        name,
        scope: Scope::Inherited,
        treatment: Treatment::Removed(instead),
    }
}

const BUILD: &str = "it shapes the deployed bundle; the simulator links the Worker's source";
const NETWORK: &str =
    "it says which host names lead to the Worker; in the simulator every request does";
const LOGS: &str = "it sends logs elsewhere; the simulator keeps them in the history";
const ACCOUNT: &str = "it concerns the account or the command line";

use Scope::{Inherited, NotInherited, TopLevel};

/// The table; in alphabetical order within each part.
#[rustfmt::skip] // A table: one row, one line.
pub(super) const KEYS: &[Key] = &[
    read("compatibility_date", Inherited),
    read("compatibility_flags", Inherited),
    read("d1_databases", NotInherited),
    read("durable_objects", NotInherited),
    read("env", TopLevel),
    read("exports", Inherited),
    read("kv_namespaces", NotInherited),
    read("limits", Inherited),
    read("migrations", Inherited),
    read("name", Inherited),
    read("ratelimits", NotInherited),
    read("triggers", Inherited),
    read("vars", NotInherited),

    no_effect("$schema", TopLevel, "it helps editors"),
    no_effect("account_id", Inherited, ACCOUNT),
    no_effect("alias", TopLevel, BUILD),
    no_effect("base_dir", Inherited, BUILD),
    no_effect("build", Inherited, BUILD),
    no_effect("compliance_region", Inherited, ACCOUNT),
    no_effect("define", NotInherited, BUILD),
    no_effect("dev", TopLevel, "it sets up `wrangler dev`"),
    no_effect("find_additional_modules", Inherited, BUILD),
    no_effect("jsx_factory", Inherited, BUILD),
    no_effect("jsx_fragment", Inherited, BUILD),
    no_effect("keep_names", Inherited, BUILD),
    no_effect("keep_vars", TopLevel, ACCOUNT),
    no_effect("logpush", Inherited, LOGS),
    no_effect("main", Inherited, BUILD),
    no_effect("minify", Inherited, BUILD),
    no_effect("no_bundle", Inherited, BUILD),
    no_effect("observability", Inherited, LOGS),
    no_effect("placement", Inherited, "Smart Placement is not modelled: the Worker runs where its client arrives"),
    no_effect("preserve_file_names", Inherited, BUILD),
    no_effect("preview_urls", Inherited, NETWORK),
    no_effect("route", Inherited, NETWORK),
    no_effect("routes", Inherited, NETWORK),
    no_effect("rules", Inherited, BUILD),
    no_effect("secrets", NotInherited, "secrets are given to the world, never written in this file"),
    no_effect("send_metrics", TopLevel, ACCOUNT),
    no_effect("streaming_tail_consumers", NotInherited, LOGS),
    no_effect("tail_consumers", NotInherited, LOGS),
    no_effect("tsconfig", Inherited, BUILD),
    no_effect("upload_source_maps", Inherited, BUILD),
    no_effect("workers_dev", Inherited, NETWORK),

    absent("ai", "Workers AI"),
    absent("analytics_engine_datasets", "Analytics Engine"),
    absent("queues", "Queues"),
    absent("r2_buckets", "R2"),
    absent("secrets_store_secrets", "the Secrets Store"),
    absent("send_email", "Email"),
    absent("services", "calling another Worker"),

    refused("ai_search", NotInherited, "AI Search is not simulated"),
    refused("ai_search_namespaces", NotInherited, "AI Search is not simulated"),
    refused("assets", Inherited, "static assets are not simulated: they would answer before the Worker"),
    refused("browser", NotInherited, "Browser Rendering is not simulated"),
    refused("cache", Inherited, "the Workers cache is not simulated: it would answer before the Worker"),
    refused("cloudchamber", NotInherited, "Containers are not simulated"),
    refused("containers", NotInherited, "Containers are not simulated"),
    refused("data_blobs", TopLevel, "service-worker blobs are not simulated"),
    refused("dispatch_namespaces", NotInherited, "Workers for Platforms is not simulated"),
    refused("first_party_worker", Inherited, "first-party Workers are not simulated"),
    refused("hyperdrive", NotInherited, "Hyperdrive is not simulated"),
    refused("images", NotInherited, "Images is not simulated"),
    refused("logfwdr", Inherited, "logfwdr bindings are not simulated"),
    refused("media", NotInherited, "Media Transformations is not simulated"),
    refused("mtls_certificates", NotInherited, "client certificates are not simulated"),
    refused("pages_build_output_dir", TopLevel, "Pages projects are not simulated; a Pages project cannot define Durable Objects either"),
    refused("pipelines", NotInherited, "Pipelines is not simulated"),
    refused("site", Inherited, "Workers Sites is not simulated: its assets would answer before the Worker"),
    refused("stream", NotInherited, "Stream is not simulated"),
    refused("text_blobs", TopLevel, "service-worker blobs are not simulated"),
    refused("unsafe", NotInherited, "unsafe bindings are not simulated"),
    refused("vectorize", NotInherited, "Vectorize is not simulated"),
    refused("version_metadata", NotInherited, "version metadata is not simulated"),
    refused("vpc_networks", NotInherited, "VPC is not simulated"),
    refused("vpc_services", NotInherited, "VPC is not simulated"),
    refused("wasm_modules", TopLevel, "service-worker modules are not simulated"),
    refused("worker_loaders", NotInherited, "Worker Loaders are not simulated"),
    refused("workflows", NotInherited, "Workflows is not simulated"),

    removed("experimental_services", "`services`"),
    removed("kv-namespaces", "`kv_namespaces`"),
    removed("miniflare", "options of `wrangler dev`"),
    removed("type", "nothing: since wrangler 4 every Worker is built by its own `[build]`"),
    removed("usage_model", "nothing: all Workers have the standard usage model"),
    removed("webpack_config", "`[build]`"),
    removed("zone_id", "`routes` with a `zone_id`"),
];

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_in_the_table() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(
                KEYS[..index].iter().all(|other| other.name != key.name),
                "{}",
                key.name
            );
        }
    }
}
