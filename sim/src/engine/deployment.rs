//! The Workers of a world: what is deployed under which name, with which bindings and which code.

use super::Engine;
use super::record::Author;
use super::scope::Cause;
use crate::history::{Op, Outcome};
use crate::limits;
use crate::script::{ObjectClass, Script};
use crate::topology::Pop;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use url::Url;

/// What a binding's name stands for.
#[derive(Debug, Clone)]
pub enum Binding {
    /// A plain-text variable.
    Var(Rc<str>),
    /// A secret: like a variable, but never printed.
    Secret(Secret),
    /// A JSON variable.
    Json(Rc<serde_json::Value>),
    /// A KV namespace, by its number.
    Kv(u32),
    /// A Durable Object class, by its number.
    Objects(u16),
    /// A D1 database, by its number.
    D1(u32),
    /// A rate limiter, by its number.
    RateLimiter(u32),
}

/// A rate limiter that a Worker binds.
pub(crate) struct Limiter {
    /// The binding.
    pub(crate) name: Rc<str>,
    pub(crate) namespace: Rc<str>,
    pub(crate) limit: u64,
    pub(crate) period_seconds: u64,
}

/// A secret's value; its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(pub Rc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// One deployed Worker.
pub(crate) struct Deployment {
    pub(crate) name: Rc<str>,
    /// The hosts whose requests it answers.
    pub(crate) hosts: Vec<String>,
    /// Its bindings, in order of their names.
    pub(crate) bindings: Vec<(Rc<str>, Binding)>,
    /// The cron expressions of its configuration; `None` if it has no configuration.
    pub(crate) crons: Option<Vec<Rc<str>>>,
    /// Whether `deleteAll()` deletes the alarm too, by its compatibility date.
    pub(crate) delete_all_deletes_alarm: bool,
    pub(crate) script: RefCell<Rc<dyn Script>>,
    /// Number of the code: 1, and one more with every update.
    pub(crate) version: Cell<u32>,
}

/// A class of Durable Objects, and the deployment whose code it is.
pub(crate) struct DeployedClass {
    pub(crate) deployment: u16,
    pub(crate) name: Rc<str>,
    pub(crate) code: RefCell<Rc<dyn ObjectClass>>,
}

/// All Workers of a world. The first Worker answers every request whose host no other Worker claims.
pub(crate) struct Deployments {
    pub(crate) list: Vec<Deployment>,
    /// In the order of the engine's classes.
    pub(crate) classes: Vec<DeployedClass>,
    /// The rate limiters of all Workers.
    pub(crate) limiters: Vec<Limiter>,
}

impl Deployments {
    pub(crate) fn get(&self, number: u16) -> &Deployment {
        &self.list[usize::from(number)]
    }

    pub(crate) fn class(&self, number: u16) -> &DeployedClass {
        &self.classes[usize::from(number)]
    }

    /// The deployment that answers a URL.
    pub(crate) fn at(&self, url: &Url) -> u16 {
        if self.list.len() == 1 {
            return 0;
        }
        let host = url.host_str().unwrap_or_default();
        let claims = |deployment: &Deployment| deployment.hosts.iter().any(|own| own == host);
        let place = self.list.iter().position(claims).unwrap_or(0);
        u16::try_from(place).expect("fewer than 2^16 Workers")
    }

    pub(crate) fn named(&self, name: &str) -> Option<u16> {
        let place = self.list.iter().position(|one| &*one.name == name)?;
        u16::try_from(place).ok()
    }
}

/// Why new code for a Worker was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// This world has no Worker of that name.
    #[error("no Worker is called {name:?}; this world has {known}")]
    NoWorker {
        /// The name.
        name: String,
        /// The Workers that there are.
        known: String,
    },
    /// The new code lacks a class that a binding needs.
    #[error("the new code of {worker} does not export the class {class}, which has a namespace")]
    NoClass {
        /// The Worker.
        worker: String,
        /// The class.
        class: String,
    },
}

impl Engine {
    /// The binding of this name, in the deployment that runs.
    pub(crate) fn binding(&self, name: &str) -> Option<&Binding> {
        let number = super::scope::read(|invocation| invocation.deployment).unwrap_or(0);
        let bindings = &self.0.deployments.get(number).bindings;
        let place = bindings
            .binary_search_by(|(bound, _)| (**bound).cmp(name))
            .ok()?;
        Some(&bindings[place].1)
    }

    /// Gives a Worker new code: requests that come from now on run it, its objects are reset, and requests in flight
    /// finish in the old code.
    pub(crate) fn deploy(&self, name: &str, script: &Rc<dyn Script>) -> Result<u32, DeployError> {
        let deployments = &self.0.deployments;
        let number = deployments.named(name).ok_or_else(|| {
            let names = deployments.list.iter().map(|one| &*one.name);
            DeployError::NoWorker {
                name: name.to_owned(),
                known: names.collect::<Vec<_>>().join(", "),
            }
        })?;
        let own = || {
            let classes = deployments.classes.iter();
            classes.filter(|class| class.deployment == number)
        };
        let mut code = Vec::new();
        for class in own() {
            code.push(
                script
                    .class(&class.name)
                    .ok_or_else(|| DeployError::NoClass {
                        worker: name.to_owned(),
                        class: class.name.to_string(),
                    })?,
            );
        }
        for (class, code) in own().zip(code) {
            class.code.replace(code);
        }
        let deployment = deployments.get(number);
        deployment.script.replace(Rc::clone(script));
        let version = deployment.version.get() + 1;
        deployment.version.set(version);
        let cause = self.note(
            || Author::platform(None, None),
            || {
                let worker = name.to_owned();
                let code_version = version;
                let op = Op::Deploy {
                    worker,
                    code_version,
                };
                (op, Outcome::Done)
            },
        );
        self.mix(crate::name!("deploy"), |fingerprint| {
            fingerprint.mix_bytes(name.as_bytes());
            fingerprint.mix(u64::from(version));
        });
        self.replace_isolates(number, cause);
        for (class, deployed) in (0_u16..).zip(&deployments.classes) {
            if deployed.deployment == number {
                self.reset_class(class, limits::durable::RESET_CODE_UPDATED, cause);
            }
        }
        Ok(version)
    }

    /// Evicts every isolate of a deployment, and leaves those that host its objects.
    fn replace_isolates(&self, deployment: u16, cause: Cause) {
        for pop in Pop::all() {
            let evicted = self.0.isolates.borrow_mut().evict_all(deployment, pop);
            self.forget_isolates(pop, &evicted, cause);
            // Objects of the new code have module memory of their own.
            self.0.hosts.leave(deployment, pop);
        }
    }
}
