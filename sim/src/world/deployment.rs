//! A Worker to be deployed into a world: its code, its configuration, what is set over that, and where it answers.

use crate::engine::deployment::Secret;
use crate::script::Script;
use crate::wrangler::{ConfigError, WorkerConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

/// One Worker, as it is deployed.
#[derive(Clone)]
#[must_use]
pub struct Deployment {
    pub(super) script: Rc<dyn Script>,
    pub(super) config: Option<WorkerConfig>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) absent: BTreeSet<String>,
    pub(super) hosts: Vec<String>,
}

impl Deployment {
    /// A Worker's code, without configuration.
    pub fn new(script: Rc<dyn Script>) -> Self {
        Self {
            script,
            config: None,
            vars: BTreeMap::new(),
            secrets: BTreeMap::new(),
            absent: BTreeSet::new(),
            hosts: Vec::new(),
        }
    }

    /// The Worker's configuration, already read.
    pub fn config(mut self, config: WorkerConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// The Worker's configuration: its `wrangler.toml`, for one environment.
    ///
    /// # Errors
    /// What the simulator cannot honour, with file and line.
    pub fn wrangler(
        self,
        path: impl AsRef<Path>,
        environment: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let config = WorkerConfig::load(path.as_ref(), environment)?;
        Ok(self.config(config))
    }

    /// Sets a variable, over what the configuration says.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a secret.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), Secret(value.into()));
        self
    }

    /// Leaves a binding out, as an environment that forgot it does.
    pub fn without(mut self, binding: &str) -> Self {
        self.absent.insert(binding.to_owned());
        self
    }

    /// Sends requests for this host to this Worker. The first Worker answers for hosts that no Worker claims.
    pub fn host(mut self, host: &str) -> Self {
        // As URLs have it.
        self.hosts.push(host.to_ascii_lowercase());
        self
    }

    /// The Worker's name; empty without a configuration.
    pub(super) fn name(&self) -> &str {
        self.config.as_ref().map_or("", |config| &config.name)
    }

    /// The configuration file, for errors.
    pub(super) fn file(&self) -> String {
        let file = self.config.as_ref().map(|config| &config.file);
        file.map_or_else(String::new, |file| file.display().to_string())
    }
}

impl std::fmt::Debug for Deployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployment")
            .field("name", &self.name())
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
