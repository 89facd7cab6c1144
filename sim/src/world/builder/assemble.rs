//! Puts the engine together: bindings, stores, classes, code.

use super::databases::{self, Bound, Planned};
use super::{BuildError, Builder, Deployment, ISOLATES_PER_WORLD};
use crate::bill::usage::Usage;
use crate::engine::clock::Clock;
use crate::engine::cron::Crons;
use crate::engine::deployment::{
    Binding, DeployedClass, Deployment as Deployed, Deployments, Limiter,
};
use crate::engine::hosts::Hosts;
use crate::engine::inventory::Inventory;
use crate::engine::persist::State;
use crate::engine::record::Recorder;
use crate::engine::{Chance, Engine, Inner, Network, Settings};
use crate::kernel::seed::Stream;
use crate::platform::d1::D1;
use crate::platform::durable::Class;
use crate::platform::isolate::Isolates;
use crate::platform::kv::Namespace;
use crate::platform::outbound::Outbound;
use crate::topology::{Pop, Topology};
use crate::world::World;
use crate::wrangler::{Var, WorkerConfig};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Builds the world that a builder describes.
pub(super) fn assemble(builder: Builder) -> Result<World, BuildError> {
    if !builder.has_script {
        return Err(BuildError::NoScript);
    }
    for fault in &builder.faults {
        if !fault.kind.is_valid() {
            return Err(BuildError::Fault(fault.to_string()));
        }
    }
    let network = network(&builder)?;
    let mut state = match &builder.persist {
        None => State::default(),
        Some(_) if !builder.others.is_empty() => return Err(BuildError::StateOfSeveral),
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            State::load(folder)?
        }
    };
    let inventory = match &builder.persist {
        None => Inventory::default(),
        Some(folder) => state.account(folder, builder.first.config.as_ref(), builder.start)?,
    };
    let mut parts = Parts {
        builder: &builder,
        d1_home: network.d1_home,
        inventory,
        namespaces: Vec::new(),
        planned: Vec::new(),
        databases: Vec::new(),
        classes: Vec::new(),
        code: Vec::new(),
        limiters: Vec::new(),
    };
    let list = parts.deploy()?;
    parts.open_unbound()?;
    let Parts {
        inventory,
        namespaces,
        databases,
        classes,
        code,
        limiters,
        ..
    } = parts;

    let mut outbound = Outbound::default();
    for (host, origin) in &builder.origins {
        outbound.set(host, origin.clone());
    }
    let isolates = Isolates::new(
        builder.options.isolates,
        list.len(),
        Pop::COUNT,
        first_isolate(),
        Stream::new(builder.seed, "isolates"),
    );
    let workers = list.len();
    let crons = if builder.crons {
        Crons::of(&list, builder.start)
    } else {
        Crons::default()
    };
    let engine = Engine(Rc::new(Inner {
        clock: Clock::new(builder.start, builder.trace),
        network,
        chance: Chance::new(builder.seed),
        recorder: Recorder::new(builder.history),
        crons: RefCell::new(crons),
        deployments: Deployments {
            list,
            classes: code,
            limiters,
        },
        inventory: RefCell::new(inventory),
        namespaces: RefCell::new(namespaces),
        classes: RefCell::new(classes),
        instances: RefCell::default(),
        databases: RefCell::new(databases),
        rate_limits: RefCell::default(),
        outbound: RefCell::new(outbound),
        gateway: builder.gateway,
        isolates: RefCell::new(isolates),
        hosts: Hosts::new(workers),
        dirty: RefCell::default(),
        object_commits: Cell::new(0),
        usage: RefCell::new(Usage::default()),
        faults: RefCell::default(),
        next_invocation: Cell::new(1),
        next_client: Cell::new(1),
        settings: Settings {
            seed: builder.seed,
            plan: builder.plan,
            options: builder.options,
            folder: builder.persist,
            console: builder.console,
        },
    }));
    let world = World::new(engine.clone());
    if let Some(folder) = &engine.0.settings.folder {
        engine.restore(folder, state)?;
    }
    engine.plan_faults(builder.faults)?;
    Ok(world)
}

fn network(builder: &Builder) -> Result<Network, BuildError> {
    let codes = builder.pops.iter();
    let pops = codes.map(|code| pop(code)).collect::<Result<Vec<_>, _>>()?;
    let first = *pops
        .first()
        .ok_or_else(|| BuildError::UnknownPop(String::new()))?;
    let topology = Topology::new(&builder.options.latency);
    let sites = builder.options.kv_sites.iter();
    let mut sites = sites.map(|code| pop(code)).collect::<Result<Vec<_>, _>>()?;
    if sites.is_empty() {
        sites.push(first);
    }
    let nearest = |from: Pop| {
        let sites = sites.iter().copied();
        let nearest = sites.min_by_key(|site| topology.one_way(from, *site));
        nearest.expect("there is a site")
    };
    let kv_sites = Pop::all().map(nearest).collect();
    let d1_home = builder.options.d1_home.as_deref().map_or(Ok(first), pop)?;
    Ok(Network {
        topology,
        pops,
        kv_sites,
        d1_home,
    })
}

fn pop(code: &str) -> Result<Pop, BuildError> {
    Pop::from_code(code).ok_or_else(|| BuildError::UnknownPop(code.to_owned()))
}

/// The stores and classes that the Workers' bindings need, collected while the world is built.
struct Parts<'a> {
    builder: &'a Builder,
    d1_home: Pop,
    inventory: Inventory,
    namespaces: Vec<Namespace>,
    /// The databases that bindings mean, before they are opened.
    planned: Vec<Planned<'a>>,
    databases: Vec<D1>,
    classes: Vec<Class>,
    code: Vec<DeployedClass>,
    limiters: Vec<Limiter>,
}

impl<'a> Parts<'a> {
    /// All Workers, each with its bindings.
    fn deploy(&mut self) -> Result<Vec<Deployed>, BuildError> {
        let builder = self.builder;
        let workers: Vec<&'a Deployment> = std::iter::once(&builder.first)
            .chain(&builder.others)
            .collect();
        for (place, worker) in workers.iter().enumerate() {
            let mut earlier = workers[..place].iter();
            if earlier.any(|other| other.name() == worker.name()) {
                return Err(BuildError::TwoOfAName(worker.name().to_owned()));
            }
            let claimed = |host: &&String| {
                let mut earlier = workers[..place].iter();
                earlier.any(|other| other.hosts.contains(host))
            };
            if let Some(host) = worker.hosts.iter().find(claimed) {
                return Err(BuildError::TwoOfAHost(host.clone()));
            }
        }
        self.inventory.worker = builder.first.name().into();
        let mut list = Vec::with_capacity(workers.len());
        for (number, worker) in (0_u16..).zip(&workers) {
            let mut bindings = self.bindings(number, worker, &workers)?;
            let vars = worker.vars.iter();
            bindings.extend(vars.map(|(name, value)| {
                let value = value.as_str().into();
                (name.clone(), Binding::Var(value))
            }));
            let secrets = worker.secrets.iter();
            bindings.extend(
                secrets.map(|(name, value)| (name.clone(), Binding::Secret(value.clone()))),
            );
            for name in &worker.absent {
                bindings
                    .remove(name)
                    .ok_or_else(|| BuildError::NoBinding(name.clone()))?;
            }
            list.push(Deployed {
                name: worker.name().into(),
                hosts: worker.hosts.clone(),
                bindings: bindings
                    .into_iter()
                    .map(|(name, binding)| (name.into(), binding))
                    .collect(),
                crons: worker.config.as_ref().map(|config| {
                    let crons = config.crons.iter();
                    crons.map(|cron| cron.as_str().into()).collect()
                }),
                delete_all_deletes_alarm: worker
                    .config
                    .as_ref()
                    .is_some_and(WorkerConfig::delete_all_deletes_alarm),
                script: RefCell::new(Rc::clone(&worker.script)),
                version: Cell::new(1),
            });
        }
        databases::name_bindings(&mut self.planned);
        self.check_seeds()?;
        for planned in &self.planned {
            let opened = builder.database(planned, self.d1_home)?;
            self.databases.push(opened);
        }
        Ok(list)
    }

    /// Every database that is to be seeded must be there, under one of its names.
    fn check_seeds(&self) -> Result<(), BuildError> {
        let mut known: Vec<_> = self.planned.iter().flat_map(Planned::names).collect();
        known.sort_unstable();
        known.dedup();
        let mut seeds = self.builder.seeds.iter();
        match seeds.find(|(binding, ..)| !known.contains(&binding.as_str())) {
            None => Ok(()),
            Some((binding, source, _)) => Err(BuildError::NoDatabase {
                source_name: source.clone(),
                binding: binding.clone(),
                known: known.join(", "),
            }),
        }
    }

    /// What a Worker's configuration binds.
    fn bindings(
        &mut self,
        number: u16,
        worker: &'a Deployment,
        workers: &[&'a Deployment],
    ) -> Result<BTreeMap<String, Binding>, BuildError> {
        let mut bindings = BTreeMap::new();
        let Some(config) = &worker.config else {
            return Ok(bindings);
        };
        for limiter in &config.rate_limits {
            let number = u32::try_from(self.limiters.len()).expect("fewer than 2^32 limiters");
            self.limiters.push(Limiter {
                name: limiter.name.as_str().into(),
                namespace: limiter.namespace_id.as_str().into(),
                limit: limiter.limit,
                period_seconds: limiter.period_seconds,
            });
            bindings.insert(limiter.name.clone(), Binding::RateLimiter(number));
        }
        for (name, value) in &config.vars {
            let value = match value {
                Var::Text(text) => Binding::Var(text.as_str().into()),
                Var::Json(json) => Binding::Json(Rc::new(json.clone())),
            };
            bindings.insert(name.clone(), value);
        }
        let start = self.builder.start;
        // Two bindings that mean one item of the account are one namespace, and likewise for databases.
        for kv in &config.kv_namespaces {
            let fresh = u32::try_from(self.namespaces.len()).expect("fewer than 2^32 namespaces");
            let id = kv.id.as_deref();
            let inventory = &mut self.inventory;
            let (_, item) = inventory.bind_namespace(&config.name, &kv.binding, id, start);
            let namespace = *item.number.get_or_insert(fresh);
            if namespace == fresh {
                let taken = self.namespaces.iter().map(|known| &*known.binding);
                let name = unique(taken, worker, &kv.binding).into();
                self.namespaces.push(Namespace::new(name, Pop::COUNT));
            }
            bindings.insert(kv.binding.clone(), Binding::Kv(namespace));
        }
        for object in &config.durable_objects {
            let (owner, code) = match &object.script {
                None => (number, worker),
                Some(script) => find_worker(workers, script, worker)?,
            };
            let class = self.class(owner, code, &object.class)?;
            bindings.insert(object.binding.clone(), Binding::Objects(class));
        }
        for d1 in &config.d1_databases {
            let fresh = u32::try_from(self.planned.len()).expect("fewer than 2^32 databases");
            let (id, name) = (d1.id.as_deref(), d1.name.as_deref());
            let inventory = &mut self.inventory;
            let (id, item) = inventory.bind_database(&config.name, &d1.binding, id, name, start);
            let database = *item.number.get_or_insert(fresh);
            if database == fresh {
                let taken = self.planned.iter().map(|known| &*known.name);
                self.planned.push(Planned {
                    name: unique(taken, worker, &d1.binding),
                    id,
                    bindings: Vec::new(),
                });
            }
            self.planned[database as usize].bindings.push(Bound {
                worker,
                config: d1,
                name: String::new(),
            });
            bindings.insert(d1.binding.clone(), Binding::D1(database));
        }
        Ok(bindings)
    }

    /// The number of a class of a Worker; it gets one when it is first bound.
    fn class(&mut self, owner: u16, worker: &Deployment, name: &str) -> Result<u16, BuildError> {
        let mut known = self.code.iter();
        let known = known.position(|class| class.deployment == owner && *class.name == *name);
        let number = match known {
            Some(number) => number,
            None => {
                let code = worker.script.class(name);
                let code = code.ok_or_else(|| BuildError::NoClass {
                    file: worker.file(),
                    class: name.to_owned(),
                })?;
                // The ids of the first Worker's objects depend on the class alone, so that adding a Worker moves none.
                let namespace = match owner {
                    0 => name.to_owned(),
                    _ => format!("{}/{name}", worker.name()),
                };
                let taken = self.classes.iter().map(|known| &*known.name);
                let unique = unique(taken, worker, name);
                self.classes.push(Class::new(&unique, &namespace));
                self.code.push(DeployedClass {
                    deployment: owner,
                    name: name.into(),
                    code: RefCell::new(code),
                });
                self.code.len() - 1
            }
        };
        Ok(u16::try_from(number).expect("at most 500 classes (DOLIM)"))
    }

    /// The rest of the account is there too, bound or not.
    fn open_unbound(&mut self) -> Result<(), BuildError> {
        for item in self.inventory.namespaces.values_mut() {
            if item.number.is_none() {
                let number = u32::try_from(self.namespaces.len()).expect("fewer than 2^32");
                item.number = Some(number);
                let name = Rc::clone(&item.name);
                self.namespaces.push(Namespace::new(name, Pop::COUNT));
            }
        }
        for (id, item) in &mut self.inventory.databases {
            if item.number.is_none() {
                let number = u32::try_from(self.databases.len()).expect("fewer than 2^32");
                item.number = Some(number);
                let opened = self.builder.open(id, &item.name, self.d1_home);
                self.databases
                    .push(opened.map_err(|failure| BuildError::Sql {
                        file: item.name.to_string(),
                        message: failure.message,
                    })?);
            }
        }
        Ok(())
    }
}

/// What records and faults call a store or a class: as its Worker calls it, after that Worker's name if another one of
/// the world has the name already.
fn unique<'a>(mut taken: impl Iterator<Item = &'a str>, worker: &Deployment, name: &str) -> String {
    if taken.any(|taken| taken == name) {
        format!("{}/{name}", worker.name())
    } else {
        name.to_owned()
    }
}

/// The Worker that a binding names.
fn find_worker<'a>(
    workers: &[&'a Deployment],
    name: &str,
    binder: &Deployment,
) -> Result<(u16, &'a Deployment), BuildError> {
    let mut numbered = (0_u16..).zip(workers);
    let found = numbered.find(|(_, worker)| worker.name() == name);
    found
        .map(|(number, worker)| (number, *worker))
        .ok_or_else(|| {
            let known: Vec<_> = workers.iter().map(|worker| worker.name()).collect();
            BuildError::NoWorker {
                file: binder.file(),
                worker: name.to_owned(),
                known: known.join(", "),
            }
        })
}

/// Isolate numbers of a world: the lower half counts within the world, the upper tells the worlds of a process apart, so
/// that no two share module memory. Only the lower half is ever shown or hashed.
fn first_isolate() -> u64 {
    static WORLDS: AtomicU64 = AtomicU64::new(1);
    (WORLDS.fetch_add(1, Ordering::Relaxed) * ISOLATES_PER_WORLD) | 1
}
