//! The configuration of workerd: one service for each PoP, one for the objects, and the simulator behind all of them.
//!
//! Every service runs the same modules with the same bindings; what differs is the headers injected on the way to the simulator,
//! by which it knows whose view of KV is asked for. Nothing is inherited between services, so everything is written out.

use edgeproof_sim::serve::workerd::front::CF_HEADER;
use edgeproof_sim::serve::workerd::{
    DATABASE_HEADER, NAMESPACE_HEADER, OUTBOUND_HEADER, POP_HEADER, RATE_LIMIT_HEADER,
};
use edgeproof_sim::topology::Pop;
use edgeproof_sim::wrangler::{Var, WorkerConfig};
use std::fmt::Write;
use std::net::SocketAddr;

/// The service that owns the Durable Objects of all PoPs.
const HOME: &str = "home";

/// File name of the module that makes the rate limiting binding.
pub(super) const RATE_LIMIT_MODULE: &str = "sim-rate-limit.js";

/// A module of the Worker, by its file name; it lies beside the configuration.
#[derive(Debug, Clone)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) kind: ModuleKind,
}

/// What workerd makes of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModuleKind {
    EsModule,
    Wasm,
    Text,
    Data,
}

impl ModuleKind {
    /// By the file's ending, as wrangler's default rules have it.
    pub(super) fn of(file_name: &str) -> Option<Self> {
        match file_name.rsplit_once('.')?.1 {
            "js" | "mjs" => Some(Self::EsModule),
            "wasm" => Some(Self::Wasm),
            "txt" | "html" | "sql" => Some(Self::Text),
            "bin" => Some(Self::Data),
            _ => None,
        }
    }

    fn field(self) -> &'static str {
        match self {
            Self::EsModule => "esModule",
            Self::Wasm => "wasm",
            Self::Text => "text",
            Self::Data => "data",
        }
    }
}

/// What a configuration is made of.
#[derive(Debug)]
pub(super) struct Configuration<'a> {
    pub(super) config: &'a WorkerConfig,
    /// The main module first.
    pub(super) modules: &'a [Module],
    /// Variables as they are in force.
    pub(super) vars: &'a [(String, Var)],
    /// Names of the secrets, and of the environment variables from which workerd takes them: no file holds their values.
    pub(super) secrets: &'a [(String, String)],
    pub(super) pops: &'a [Pop],
    /// Where the simulator answers.
    pub(super) simulator: SocketAddr,
    /// Folder of the objects' SQLite files.
    pub(super) objects: &'a str,
}

/// Name of the socket on which a PoP's requests are taken.
pub(super) fn socket_name(pop: Pop) -> String {
    format!("http-{}", pop.code())
}

impl Configuration<'_> {
    /// The configuration's text.
    pub(super) fn text(&self) -> String {
        let objects = !self.config.durable_objects.is_empty();
        let mut services: Vec<String> = Vec::new();
        for pop in self.pops {
            services.push(self.worker(&format!("worker-{}", pop.code()), *pop, false));
            services.extend(self.simulated(*pop));
        }
        if objects {
            // The objects' own calls are those of the first PoP.
            services.push(self.worker(HOME, self.pops[0], true));
            services.push(format!(
                "(name = \"objects\", disk = (path = {}, writable = true))",
                quoted(self.objects)
            ));
        }
        let sockets = self.pops.iter().map(|pop| {
            format!(
                "(name = {}, address = \"127.0.0.1:0\", http = (cfBlobHeader = {}), service = {})",
                quoted(&socket_name(*pop)),
                quoted(CF_HEADER),
                quoted(&format!("worker-{}", pop.code()))
            )
        });
        let extensions = if self.config.rate_limits.is_empty() {
            String::new()
        } else {
            format!(
                "\n  extensions = [(modules = [(name = \"sim-internal:rate-limit\", internal = true, esModule = embed \"{RATE_LIMIT_MODULE}\")])],"
            )
        };
        format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\nconst config :Workerd.Config = (\n  services = [\n    {}\n  ],{extensions}\n  sockets = [\n    {}\n  ],\n);\n",
            services.join(",\n    "),
            sockets.collect::<Vec<_>>().join(",\n    "),
        )
    }

    /// A service that runs the Worker.
    fn worker(&self, name: &str, pop: Pop, home: bool) -> String {
        let modules = self.modules.iter().map(|module| {
            let name = quoted(&module.name);
            format!("(name = {name}, {} = embed {name})", module.kind.field())
        });
        let flags = self
            .config
            .compatibility_flags
            .iter()
            .map(|flag| quoted(flag));
        let mut text = format!(
            "(name = {}, worker = (\n      modules = [{}],\n      compatibilityDate = {}, compatibilityFlags = [{}],\n      globalOutbound = {},\n      bindings = [\n        {}\n      ]",
            quoted(name),
            modules.collect::<Vec<_>>().join(", "),
            quoted(&self.config.compatibility_date),
            flags.collect::<Vec<_>>().join(", "),
            quoted(&format!("outbound-{}", pop.code())),
            self.bindings(pop, home).join(",\n        "),
        );
        if home {
            let mut classes: Vec<&str> = self
                .config
                .durable_objects
                .iter()
                .map(|object| object.class.as_str())
                .collect();
            classes.sort_unstable();
            classes.dedup();
            let namespaces = classes.iter().map(|class| {
                format!(
                    "(className = {}, uniqueKey = {}, enableSql = {})",
                    quoted(class),
                    quoted(&format!("{}-{class}", self.config.name)),
                    self.config
                        .sqlite_classes
                        .iter()
                        .any(|sqlite| sqlite == class)
                )
            });
            let _ = write!(
                text,
                ",\n      durableObjectNamespaces = [{}],\n      durableObjectStorage = (localDisk = \"objects\")",
                namespaces.collect::<Vec<_>>().join(", ")
            );
        }
        text.push_str("))");
        text
    }

    fn bindings(&self, pop: Pop, home: bool) -> Vec<String> {
        let code = pop.code();
        let mut bindings = Vec::new();
        for (name, value) in self.vars {
            let name = quoted(name);
            bindings.push(match value {
                Var::Text(text) => format!("(name = {name}, text = {})", quoted(text)),
                Var::Json(json) => format!("(name = {name}, json = {})", quoted(&json.to_string())),
            });
        }
        for (name, variable) in self.secrets {
            let (name, variable) = (quoted(name), quoted(variable));
            bindings.push(format!("(name = {name}, fromEnvironment = {variable})"));
        }
        for kv in &self.config.kv_namespaces {
            bindings.push(format!(
                "(name = {}, kvNamespace = {})",
                quoted(&kv.binding),
                quoted(&format!("kv-{}-{code}", kv.binding))
            ));
        }
        for d1 in &self.config.d1_databases {
            bindings.push(format!(
                "(name = {}, wrapped = (moduleName = \"cloudflare-internal:d1-api\", innerBindings = [(name = \"fetcher\", service = {})]))",
                quoted(&d1.binding),
                quoted(&format!("d1-{}-{code}", d1.binding))
            ));
        }
        for limiter in &self.config.rate_limits {
            bindings.push(format!(
                "(name = {}, wrapped = (moduleName = \"sim-internal:rate-limit\", innerBindings = [(name = \"counters\", service = {}), (name = \"limit\", json = \"{}\"), (name = \"period\", json = \"{}\")]))",
                quoted(&limiter.name),
                quoted(&format!("ratelimit-{}-{code}", limiter.name)),
                limiter.limit,
                limiter.period_seconds
            ));
        }
        for object in &self.config.durable_objects {
            let (name, class) = (quoted(&object.binding), quoted(&object.class));
            bindings.push(if home {
                format!("(name = {name}, durableObjectNamespace = {class})")
            } else {
                format!("(name = {name}, durableObjectNamespace = (className = {class}, serviceName = \"{HOME}\"))")
            });
        }
        bindings
    }

    /// The services behind a PoP's bindings: all of them the simulator, told apart by headers.
    fn simulated(&self, pop: Pop) -> Vec<String> {
        let code = pop.code();
        let external = |name: String, style: &str, header: &str, value: &str| {
            format!(
                "(name = {}, external = (address = \"{}\", http = ({style}injectRequestHeaders = [(name = {}, value = {}), (name = {}, value = {})])))",
                quoted(&name),
                self.simulator,
                quoted(POP_HEADER),
                quoted(code),
                quoted(header),
                quoted(value)
            )
        };
        let mut services = vec![external(
            format!("outbound-{code}"),
            "style = proxy, ",
            OUTBOUND_HEADER,
            "1",
        )];
        for kv in &self.config.kv_namespaces {
            let name = format!("kv-{}-{code}", kv.binding);
            services.push(external(name, "", NAMESPACE_HEADER, &kv.binding));
        }
        for d1 in &self.config.d1_databases {
            let name = format!("d1-{}-{code}", d1.binding);
            services.push(external(name, "", DATABASE_HEADER, &d1.binding));
        }
        for limiter in &self.config.rate_limits {
            let name = format!("ratelimit-{}-{code}", limiter.name);
            services.push(external(name, "", RATE_LIMIT_HEADER, &limiter.namespace_id));
        }
        services
    }
}

/// A text literal of Cap'n Proto's schema language.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(toml: &str, pops: &[&str]) -> String {
        let head = "name = 'w'\ncompatibility_date = '2026-08-20'\n";
        let config = WorkerConfig::parse(&format!("{head}{toml}"), "wrangler.toml", None)
            .unwrap_or_else(|problem| panic!("{problem}"));
        let vars: Vec<(String, Var)> = config.vars.clone().into_iter().collect();
        let module = |name: &str, kind| Module {
            name: name.to_owned(),
            kind,
        };
        let modules = [
            module("index.js", ModuleKind::EsModule),
            module("index_bg.wasm", ModuleKind::Wasm),
        ];
        let pops: Vec<Pop> = pops
            .iter()
            .filter_map(|code| Pop::from_code(code))
            .collect();
        Configuration {
            config: &config,
            modules: &modules,
            vars: &vars,
            secrets: &[("TOKEN".to_owned(), "FROM_HERE".to_owned())],
            pops: &pops,
            simulator: ([127, 0, 0, 1], 9).into(),
            objects: "/objects",
        }
        .text()
    }

    #[test]
    fn every_pop_has_its_own_view_and_all_share_the_objects() {
        let text = text(
            "kv_namespaces = [{ binding = 'KV' }]\ndurable_objects.bindings = [{ name = 'O', class_name = 'Thing' }]\n\
             [exports.Thing]\ntype = 'durable-object'\nstorage = 'sqlite'",
            &["MEX", "FRA"],
        );
        assert_eq!(
            text.matches("durableObjectNamespaces = ").count(),
            1,
            "{text}"
        );
        assert!(
            text.contains("(className = \"Thing\", uniqueKey = \"w-Thing\", enableSql = true)"),
            "{text}"
        );
        assert_eq!(
            text.matches("(className = \"Thing\", serviceName = \"home\")")
                .count(),
            2,
            "{text}"
        );
        for code in ["MEX", "FRA"] {
            let view = format!(
                "(name = \"x-sim-pop\", value = \"{code}\"), (name = \"x-sim-namespace\", value = \"KV\")"
            );
            assert_eq!(text.matches(&view).count(), 1, "{text}");
        }
    }

    #[test]
    fn secrets_come_from_the_environment_and_texts_are_escaped() {
        let text = text("vars = { A = \"say \\\"hi\\\"\\n\\\\\", N = 3 }", &["IAD"]);
        assert!(
            text.contains(r#"(name = "A", text = "say \"hi\"\n\\")"#),
            "{text}"
        );
        assert!(text.contains(r#"(name = "N", json = "3")"#), "{text}");
        assert!(
            text.contains(r#"(name = "TOKEN", fromEnvironment = "FROM_HERE")"#),
            "{text}"
        );
        assert!(
            !text.contains("home"),
            "a Worker without objects needs no home for them: {text}"
        );
    }

    #[test]
    fn a_rate_limiter_is_a_module_of_ours() {
        let text = text(
            "ratelimits = [{ name = 'RL', namespace_id = '1001', simple = { limit = 3, period = 60 } }]",
            &["IAD"],
        );
        assert!(text.contains("extensions = "), "{text}");
        assert!(
            text.contains("(name = \"x-sim-ratelimit\", value = \"1001\")"),
            "{text}"
        );
    }
}
