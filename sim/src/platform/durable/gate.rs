//! A gate: events wait in line before it, and enter one by one while it is not locked.
//!
//! Each object has two of them. The *input gate* holds events back while the object starts and while a critical section
//! (`blockConcurrencyWhile`, `transaction`) runs. The *line of sections* lets one critical section run at a time.
//!
//! An event takes a [`Ticket`], and asks with it whether it may enter. An event that was refused asks again when an
//! operation here names its ticket, and need not ask before: every operation that can let an event in returns the
//! ticket that may go next.

use std::collections::VecDeque;

#[cfg(test)]
mod tests;

/// An event's place in the line: tickets are given out in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The answer to an event that asks to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It enters, and has left the line. The next ticket, if any, may enter too.
    Enter {
        /// The ticket that is first in line now.
        next: Option<Ticket>,
    },
    /// It stays in the line.
    Wait,
}

/// A lock and the line before it.
#[derive(Debug, Default)]
pub struct Gate {
    /// How many locks are in force; nothing enters while there is one.
    locks: u32,
    /// Tickets of the events that wait, in ascending order.
    waiting: VecDeque<Ticket>,
    next_ticket: u64,
}

impl Gate {
    /// Joins the end of the line.
    pub fn join(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.push_back(ticket);
        ticket
    }

    /// Asks to enter: granted to the first in line while nothing is locked.
    pub fn enter(&mut self, ticket: Ticket) -> Admission {
        if self.locks > 0 || self.waiting.front() != Some(&ticket) {
            return Admission::Wait;
        }
        self.waiting.pop_front();
        Admission::Enter { next: self.next() }
    }

    /// Leaves the line without having entered. Answers the ticket that may go next.
    pub fn give_up(&mut self, ticket: Ticket) -> Option<Ticket> {
        if let Ok(place) = self.waiting.binary_search(&ticket) {
            self.waiting.remove(place);
        }
        self.next()
    }

    /// Locks the gate; locks are counted.
    pub fn lock(&mut self) {
        self.locks += 1;
    }

    /// Takes one lock away. Answers the ticket that may go next, once the last lock is gone.
    ///
    /// # Panics
    /// Without a lock.
    pub fn unlock(&mut self) -> Option<Ticket> {
        self.locks = self
            .locks
            .checked_sub(1)
            .expect("a gate is unlocked once for every lock");
        self.next()
    }

    /// True if an event that came now would enter at once.
    pub fn is_open(&self) -> bool {
        self.locks == 0 && self.waiting.is_empty()
    }

    fn next(&self) -> Option<Ticket> {
        let first = self.waiting.front().copied();
        first.filter(|_| self.locks == 0)
    }
}
