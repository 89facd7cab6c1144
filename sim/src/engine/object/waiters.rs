//! The tasks that wait before an object: which waker belongs to which ticket of a gate.

use crate::platform::durable::gate::Ticket;
use std::collections::VecDeque;
use std::task::Waker;

/// The tasks that wait in one line, in the order of their tickets.
#[derive(Debug, Default)]
pub(super) struct Waiters(VecDeque<(Ticket, Waker)>);

impl Waiters {
    /// Keeps the waker of a ticket, in place of the one it had.
    pub(super) fn keep(&mut self, ticket: Ticket, waker: &Waker) {
        match self.0.binary_search_by_key(&ticket, |(known, _)| *known) {
            Ok(place) => self.0[place].1.clone_from(waker),
            Err(place) => self.0.insert(place, (ticket, waker.clone())),
        }
    }

    /// Takes out the waker of a ticket, if there is one.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Waker> {
        let place = self.0.binary_search_by_key(&ticket, |(known, _)| *known);
        self.0.remove(place.ok()?).map(|(_, waker)| waker)
    }

    /// Wakes all of them, in order.
    pub(super) fn wake_all(self) {
        for (_, waker) in self.0 {
            waker.wake();
        }
    }
}
