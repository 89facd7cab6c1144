//! Days of traffic at a Worker, in a world of its own: every request at its instant, whether or not those before it
//! have been answered; and a look at the bill now and then, to see when an allowance is used up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill::prices::{self, Per};
use edgeproof_sim::bill::usage::{DAY_NANOS, Meter, Usage, UtcDay};
use edgeproof_sim::http::Response;
use edgeproof_sim::kernel::time::{Instant, SECOND, nanos};
use edgeproof_sim::limits::{self, Plan};
use edgeproof_sim::script::Script;
use edgeproof_sim::world::builder::BuildError;
use edgeproof_sim::wrangler::WorkerConfig;

use crate::server::Pair;
use crate::traffic::{Planned, Senders, Traffic};

/// The first day, 2026-01-01.
const START_UNIX_MS: u64 = 1_767_225_600_000;

/// How often the bill is looked at.
const LOOK: u64 = 60 * SECOND;

/// How often it is when an allowance is about to be used up.
const CLOSE_LOOK: u64 = SECOND / 10;

/// What is to be run.
pub(crate) struct Plans<'a> {
    pub(crate) script: Rc<dyn Script>,
    pub(crate) traffic: &'a dyn Traffic,
    pub(crate) config: WorkerConfig,
    pub(crate) vars: &'a [Pair],
    pub(crate) secrets: &'a [Pair],
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
    pub(crate) days: u32,
    /// Of each day.
    pub(crate) requests: u64,
}

/// What the days gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) days: Vec<Day>,
    pub(crate) fingerprint: String,
    /// Triggers of the configuration that are not simple enough to be run here.
    pub(crate) crons_not_run: Vec<String>,
}

/// One UTC day.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) date: UtcDay,
    /// What this day alone used.
    pub(crate) usage: Usage,
    pub(crate) answers: Answers,
    /// When daily allowances were used up, as time since 00:00 UTC.
    pub(crate) used_up: BTreeMap<Meter, Duration>,
}

/// Answers, counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answers {
    /// By kind of request and status.
    pub(crate) statuses: BTreeMap<usize, BTreeMap<u16, u64>>,
    /// By the value of `X-Cache`.
    pub(crate) x_cache: BTreeMap<String, u64>,
}

impl Answers {
    fn add(&mut self, kind: usize, answer: &Response) {
        let statuses = self.statuses.entry(kind).or_default();
        *statuses.entry(answer.status).or_insert(0) += 1;
        if let Some(value) = answer.header("x-cache") {
            *self.x_cache.entry(value.to_owned()).or_insert(0) += 1;
        }
    }

    /// How many there are.
    pub(crate) fn total(&self) -> u64 {
        self.statuses.values().flat_map(BTreeMap::values).sum()
    }
}

/// Runs the days one after the other in one world, so that the later ones begin with what the earlier ones stored.
pub(crate) fn run(plans: Plans<'_>) -> Result<Outcome, BuildError> {
    let traffic = plans.traffic;
    let crons: Vec<_> = plans
        .config
        .crons
        .iter()
        .map(|cron| (cron.clone(), daily(cron)))
        .collect();
    let builder = World::builder()
        .script(plans.script)
        .config(plans.config)
        .pops(traffic.pops().iter().map(|pop| pop.code()))
        // The days below run them.
        .crons(false)
        .plan(plans.plan)
        .seed(plans.seed)
        .start_unix_ms(START_UNIX_MS);
    let mut builder = traffic.furnish(builder);
    for Pair(name, value) in plans.vars {
        builder = builder.var(name, value);
    }
    for Pair(name, value) in plans.secrets {
        builder = builder.secret(name, value);
    }
    let world = builder.build()?;
    let senders = traffic.enter(&world);
    let mut days = Vec::new();
    for day in 0..plans.days {
        let planned = traffic.day(day, plans.requests);
        days.push(world.run(async |world| one_day(world, &*senders, &planned, &crons).await));
    }
    // What is still to be answered, and what follows the answers.
    world.run(async |world| world.sleep(limits::workers::WAIT_UNTIL).await);
    let usage = world.usage();
    let days = days.into_iter().map(|(date, answers, used_up)| Day {
        date,
        usage: of_day(&usage, date),
        answers: answers.take(),
        used_up,
    });
    Ok(Outcome {
        days: days.collect(),
        fingerprint: world.fingerprint().to_string(),
        crons_not_run: crons
            .into_iter()
            .filter_map(|(cron, at)| at.is_none().then_some(cron))
            .collect(),
    })
}

/// One UTC day, from midnight to midnight. The last answers may come in later.
async fn one_day(
    world: &World,
    senders: &dyn Senders,
    planned: &[Planned],
    crons: &[(String, Option<u64>)],
) -> (UtcDay, Rc<RefCell<Answers>>, BTreeMap<Meter, Duration>) {
    let date = UtcDay::at(world.now().0);
    let midnight = Instant(date.start_nanos());
    let answers = Rc::new(RefCell::new(Answers::default()));
    let mut watch = Watch::new(world.plan(), date);
    let mut look_at = 0;
    let mut crons: Vec<(&str, u64)> = crons
        .iter()
        .filter_map(|(cron, at)| Some((cron.as_str(), (*at)?)))
        .collect();
    let mut planned = planned.iter().peekable();
    loop {
        let request_at = planned.peek().map_or(DAY_NANOS, |next| nanos(next.at));
        let cron_at = crons.iter().map(|(_, at)| *at).min().unwrap_or(DAY_NANOS);
        let next = request_at.min(cron_at).min(look_at).min(DAY_NANOS);
        let now = world.now();
        let wait = midnight.after(next).since(now);
        if !wait.is_zero() {
            world.sleep(wait).await;
        }
        if next == DAY_NANOS {
            // What was used up with the last requests.
            watch.look(&world.usage(), next);
            return (date, answers, watch.used_up);
        }
        if look_at <= next {
            look_at = next + watch.look(&world.usage(), next);
        }
        while let Some(due) = crons.iter().position(|(_, at)| *at <= next) {
            let (cron, _) = crons.remove(due);
            let (running, cron) = (world.clone(), cron.to_owned());
            world.spawn(async move {
                // A handler that fails says so on the console, as in production.
                let _ = running.scheduled(&cron).await;
            });
        }
        while let Some(request) = planned.next_if(|request| nanos(request.at) <= next) {
            let (client, message) = senders.request(request, date);
            let answers = Rc::clone(&answers);
            let kind = request.kind;
            let sending = client.send(message);
            world.spawn(async move {
                let answer = sending.await;
                answers.borrow_mut().add(kind, &answer);
            });
        }
    }
}

/// Looks at the bill and notes when a daily allowance is used up.
struct Watch {
    date: UtcDay,
    /// Each daily allowance in raw units, with what was used at the last look and the most that came between two looks.
    allowances: Vec<(Meter, u64, u64, u64)>,
    used_up: BTreeMap<Meter, Duration>,
}

impl Watch {
    fn new(plan: Plan, date: UtcDay) -> Self {
        let daily = prices::of_plan(plan).filter(|price| price.per == Per::Day);
        let allowances = daily.map(|price| {
            (
                price.meter,
                price.included * price.meter.raw_per_unit(),
                0,
                0,
            )
        });
        Self {
            date,
            allowances: allowances.collect(),
            used_up: BTreeMap::new(),
        }
    }

    /// Looks at `at`, in nanoseconds since 00:00 UTC; how long from now the next look should be.
    fn look(&mut self, usage: &Usage, at: u64) -> u64 {
        let mut next = LOOK;
        for (meter, cap, before, most) in &mut self.allowances {
            let used = usage.on(self.date, *meter);
            *most = (*most).max(used - *before);
            *before = used;
            if used >= *cap {
                self.used_up
                    .entry(*meter)
                    .or_insert(Duration::from_nanos(at));
            } else if used + 2 * *most >= *cap {
                next = CLOSE_LOOK;
            }
        }
        next
    }
}

/// What `date` used, as a bill of its own.
fn of_day(usage: &Usage, date: UtcDay) -> Usage {
    let mut day = Usage::default();
    for meter in Meter::all() {
        let amount = usage.on(date, meter);
        if meter.is_gauge() {
            day.level(date, meter, amount);
        } else {
            day.add(date, meter, amount);
        }
    }
    day
}

/// The instant of a trigger that comes once every day (`17 3 * * *`), in nanoseconds since 00:00 UTC.
fn daily(cron: &str) -> Option<u64> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, "*", "*", "*"] = fields[..] else {
        return None;
    };
    let below = |field: &str, end: u64| field.parse().ok().filter(|number: &u64| *number < end);
    Some((below(hour, 24)? * 60 + below(minute, 60)?) * 60 * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trigger_of_once_a_day_has_an_instant() {
        assert_eq!(daily("17 3 * * *"), Some((3 * 60 + 17) * 60 * SECOND));
        for other in ["*/5 * * * *", "17 3 * * 1", "60 3 * * *", "17 24 * * *", ""] {
            assert_eq!(daily(other), None, "{other}");
        }
    }

    #[test]
    fn an_allowance_is_used_up_when_the_last_unit_of_it_is() {
        let date = UtcDay(20_454);
        let mut watch = Watch::new(Plan::Free, date);
        let mut usage = Usage::default();
        let minute = 60 * SECOND;
        assert_eq!(watch.look(&usage, 0), LOOK);
        usage.add(date, Meter::KvWrites, 400);
        // Another 400 would be too few, but 800 would not.
        assert_eq!(watch.look(&usage, minute), CLOSE_LOOK);
        usage.add(date, Meter::KvWrites, 599);
        watch.look(&usage, 2 * minute);
        assert!(watch.used_up.is_empty());
        usage.add(date, Meter::KvWrites, 1);
        watch.look(&usage, 3 * minute);
        usage.add(date, Meter::KvWrites, 500);
        watch.look(&usage, 4 * minute);
        assert_eq!(
            watch.used_up,
            [(Meter::KvWrites, Duration::from_secs(180))].into()
        );
        // What the day before used does not count.
        let mut next = Watch::new(Plan::Free, UtcDay(date.0 + 1));
        next.look(&usage, 0);
        assert!(next.used_up.is_empty());
        // The paid plan has no daily allowances.
        assert!(Watch::new(Plan::Paid, date).allowances.is_empty());
    }
}
