//! What a fault can name in one world, and what a generator of faults can draw from.

use super::FaultKind;
use super::in_force::Effect;
use crate::nearest::nearest;
use crate::topology::Pop;
use serde::Serialize;
use std::time::Duration;

/// The names of a world: of its places, and of what its Workers bind. Where two Workers use one name for different
/// things, the later Worker's is `<worker>/<name>`, here, in faults and in records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Space {
    /// IATA codes of the PoPs with clients. A fault may name any PoP of [`Pop::all`]: the stores stand in others.
    pub pops: Vec<String>,
    /// Workers.
    pub workers: Vec<String>,
    /// Classes of Durable Objects.
    pub classes: Vec<String>,
    /// Bindings of KV namespaces.
    pub namespaces: Vec<String>,
    /// Bindings of D1 databases.
    pub databases: Vec<String>,
    /// Simulated origins.
    pub hosts: Vec<String>,
    /// The hosts whose requests a Worker answers, besides the first Worker, which answers all others.
    pub routes: Vec<String>,
}

/// A fault names something that the world does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the fault \"{fault}\" names the {kind} {name:?}, which this world does not have{}{}", self.meant(), self.known())]
pub struct UnknownName {
    fault: String,
    kind: &'static str,
    name: String,
    known: Vec<String>,
}

impl UnknownName {
    /// The known name that comes closest, if one comes close.
    fn meant(&self) -> String {
        let known = self.known.iter().map(String::as_str);
        match nearest(&self.name, known) {
            Some(known) => format!("; did you mean {known:?}?"),
            None => String::new(),
        }
    }

    fn known(&self) -> String {
        match self.known.len() {
            0 => "; it has none".to_owned(),
            _ => format!("; it has {}", self.known.join(", ")),
        }
    }
}

impl Space {
    /// A fault as the engine asks about it: names resolved to numbers, in the order of this space.
    ///
    /// # Errors
    /// It names something that does not exist.
    pub(crate) fn resolve(&self, fault: &FaultKind) -> Result<Effect, UnknownName> {
        let find = |kind: &'static str, known: &[String], name: &str| {
            let place = known.iter().position(|known| known == name);
            place.ok_or_else(|| UnknownName {
                fault: fault.to_string(),
                kind,
                name: name.to_owned(),
                known: known.to_vec(),
            })
        };
        let pop = |code: &str| {
            Pop::from_code(code).ok_or_else(|| UnknownName {
                fault: fault.to_string(),
                kind: "PoP",
                name: code.to_owned(),
                known: Pop::all().map(|pop| pop.code().to_owned()).collect(),
            })
        };
        let class = |name: &str| {
            let place = find("Durable Object class", &self.classes, name)?;
            Ok(u16::try_from(place).expect("at most 500 classes (DOLIM)"))
        };
        let database = |name: &str| find("D1 database", &self.databases, name);
        Ok(match fault {
            FaultKind::LinkLatency { a, b, extra_ms, .. } => Effect::LinkLatency {
                link: (pop(a)?, pop(b)?),
                extra: Duration::from_millis(*extra_ms),
            },
            FaultKind::Partition { a, b, .. } => Effect::Partition {
                link: (pop(a)?, pop(b)?),
            },
            FaultKind::MessageDropped {
                from,
                to,
                skip,
                count,
                ..
            } => Effect::Dropped {
                way: (pop(from)?, pop(to)?),
                skip: *skip,
                count: *count,
            },
            FaultKind::MessageDuplicated {
                from,
                to,
                skip,
                count,
                ..
            } => Effect::Duplicated {
                way: (pop(from)?, pop(to)?),
                skip: *skip,
                count: *count,
            },
            FaultKind::KvPropagationDelay {
                pop: code,
                delay_ms,
                ..
            } => Effect::KvDelay {
                pop: pop(code)?,
                delay: Duration::from_millis(*delay_ms),
            },
            FaultKind::KvErrors {
                operation,
                status,
                ratio,
                ..
            } => Effect::KvErrors {
                operation: *operation,
                status: *status,
                ratio: *ratio,
            },
            FaultKind::ObjectUnreachable { class: name, .. } => Effect::Unreachable(class(name)?),
            FaultKind::ObjectReset { class: name } => Effect::Reset(class(name)?),
            FaultKind::ObjectOverloaded { class: name, .. } => Effect::Overloaded(class(name)?),
            FaultKind::ObjectStorageFailing { class: name, .. } => {
                Effect::StorageFailing(class(name)?)
            }
            FaultKind::ObjectStorageFull { class: name, .. } => Effect::StorageFull(class(name)?),
            FaultKind::D1Slow {
                binding, factor, ..
            } => Effect::D1Slow {
                database: database(binding)?,
                factor: *factor,
            },
            FaultKind::D1Failing { binding, .. } => Effect::D1Failing(database(binding)?),
            FaultKind::IsolateEvicted { pop: code } => Effect::IsolatesEvicted(pop(code)?),
            FaultKind::OriginHanging { host, .. } => {
                find("origin", &self.hosts, host)?;
                Effect::OriginHanging(host.clone())
            }
        })
    }
}
