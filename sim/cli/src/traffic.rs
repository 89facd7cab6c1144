//! What a forecast asks of traffic.

use std::fmt::Debug;
use std::time::Duration;

use edgeproof_sim::Builder;
use edgeproof_sim::World;
use edgeproof_sim::bill::usage::UtcDay;
use edgeproof_sim::http::Request;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::client::Client;

/// Who asks for what, where and when. The same traffic has the same days.
pub trait Traffic: Debug {
    /// What reports call it: a word, or the name of its file.
    fn name(&self) -> &str;

    /// The kinds of requests, by name. A request's kind is its place in this list.
    fn kinds(&self) -> &[String];

    /// How many users there are.
    fn users(&self) -> usize;

    /// The PoPs at which requests come in; the first is also where D1 is.
    fn pops(&self) -> &[Pop];

    /// Requests of a day, unless the command line says otherwise.
    fn requests(&self) -> u64;

    /// A day's requests are a multiple of this, so that the mix comes out exactly.
    fn multiple(&self) -> u64;

    /// What a reader must know to trust the figures as far as they go; lines of a report.
    fn assumed(&self) -> String;

    /// Gives the world what the requests need: secrets, origins, rows.
    fn furnish(&self, builder: Builder) -> Builder;

    /// The users in a new world.
    fn enter(&self, world: &World) -> Box<dyn Senders + '_>;

    /// The requests of a day, in order of time.
    fn day(&self, day: u32, requests: u64) -> Vec<Planned>;
}

/// The users in a world, who write the requests.
pub trait Senders {
    /// A planned request, on its day, and who sends it.
    fn request(&self, planned: &Planned, date: UtcDay) -> (Client, Request);
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// A user, under the address that the user always has.
    User(usize),
    /// Somebody who acts on a user from another address, such as one who guesses passwords.
    Attacker {
        /// The attacker's number within the day.
        number: usize,
        /// The user.
        victim: usize,
    },
}

/// One request to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Time since 00:00 UTC.
    pub at: Duration,
    /// Where it comes in.
    pub pop: Pop,
    /// Who sends it.
    pub sender: Sender,
    /// Its place in [`Traffic::kinds`].
    pub kind: usize,
    /// Chance for what the request says.
    pub draw: u64,
}
