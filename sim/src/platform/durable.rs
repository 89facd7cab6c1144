//! Durable Objects: identity, placement, storage and gates of each object. What runs in them is the world's business.
//!
//! An object has one home PoP, near its first caller. It is *live* while it has an instance; an idle one loses instance
//! and memory and keeps [`Storage`] and alarm. An object that was never written and is not live costs a few hundred
//! bytes, so a million of them is affordable.
//!
//! Not modelled: hibernating WebSockets, jurisdictions, moves of objects between PoPs, point-in-time recovery.

pub mod storage;

use crate::kernel::time::Instant;
use crate::script::ObjectInstance;
use crate::topology::Pop;
use rustc_hash::FxHashMap;
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Waker;
use storage::Storage;

/// A 256-bit object id: the last 8 bytes tell the namespace, so that a foreign id is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub [u8; 32]);

impl ObjectId {
    /// The id as 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// Reads 64 hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte");
        }
        Some(Self(id))
    }

    /// 64 bits that tell this id from others, for fingerprints.
    pub fn short(self) -> u64 {
        u64::from_le_bytes(self.0[..8].try_into().expect("8 of 32 bytes"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// An object in the world's table, and which of its instances is meant.
///
/// Handles of an old instance (its `State`, its `Storage`) stay valid as values; the world refuses them by `generation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectRef {
    /// Number of the class in the world.
    pub class: u16,
    /// Place of the object in its class.
    pub index: u32,
    /// Number of the instance.
    pub generation: u32,
}

/// Who waits at an object's input gate.
#[derive(Debug, Default)]
pub struct InputGate {
    /// Critical sections that are open: no event is delivered while there is one.
    pub locks: u32,
    /// Events in order of arrival, by ticket number.
    pub waiting: VecDeque<(u64, Option<Waker>)>,
    next_ticket: u64,
}

impl InputGate {
    /// Joins the end of the line.
    pub fn ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back((ticket, None));
        ticket
    }

    /// Whether the event with this ticket may be delivered now; it then leaves the line and the next one is woken.
    pub fn poll(&mut self, ticket: u64, waker: &Waker) -> bool {
        let first = self
            .waiting
            .front()
            .is_some_and(|(first, _)| *first == ticket);
        if first && self.locks == 0 {
            self.waiting.pop_front();
            self.wake_first();
            return true;
        }
        if let Some((_, kept)) = self
            .waiting
            .iter_mut()
            .find(|(waiting, _)| *waiting == ticket)
        {
            *kept = Some(waker.clone());
        }
        false
    }

    /// Leaves the line undelivered.
    pub fn give_up(&mut self, ticket: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.wake_first();
    }

    /// Closes the gate for a critical section.
    pub fn lock(&mut self) {
        self.locks += 1;
    }

    /// Ends a critical section.
    pub fn unlock(&mut self) {
        self.locks = self.locks.saturating_sub(1);
        if self.locks == 0 {
            self.wake_first();
        }
    }

    /// Nobody waits and nothing is locked.
    pub fn is_open(&self) -> bool {
        self.locks == 0 && self.waiting.is_empty()
    }

    fn wake_first(&mut self) {
        if self.locks == 0
            && let Some((_, waker)) = self.waiting.front_mut()
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }
}

/// What an object has only while it is live.
pub struct Live {
    /// The instance; `None` until the constructor has run.
    pub instance: Option<Rc<dyn ObjectInstance>>,
    /// The input gate.
    pub gate: InputGate,
    /// Events being handled: requests, alarms, `waitUntil` tasks.
    pub in_flight: u32,
    /// When the first of them began.
    pub active_since: Instant,
    /// When the last of them ended.
    pub idle_since: Instant,
    /// Handlers that must learn of a reset, by the number of their invocation.
    pub on_reset: Vec<(u64, Waker)>,
    /// Critical sections in order: one runs, those that are not part of it wait for it.
    pub sections: InputGate,
    /// Whether the world has a timer that will look whether this instance is idle.
    pub idle_timer: bool,
    /// When and why this instance was reset, once it was: for answers of its that are still under way.
    pub reset: Rc<OnceCell<(Instant, Rc<str>)>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("in_flight", &self.in_flight)
            .field("idle_since", &self.idle_since)
            .finish_non_exhaustive()
    }
}

/// One object.
#[derive(Debug)]
pub struct Object {
    /// Its id.
    pub id: ObjectId,
    /// The name it was addressed by, if it was.
    pub name: Option<Rc<str>>,
    /// Where it lives.
    pub home: Pop,
    /// Number of the instance: grows with every start and every reset.
    pub generation: u32,
    /// Why the last instance was reset, and when.
    pub last_reset: Option<(Instant, Rc<str>)>,
    /// It was its own code that failed then, so that callers are told of a remote error (observed on workerd).
    pub reset_by_itself: bool,
    /// What it stored.
    pub storage: Storage,
    /// When the world will look at its alarm next, in milliseconds since the Unix epoch.
    pub alarm_timer_ms: Option<u64>,
    /// Whether its alarm handler runs, or waits to run again.
    pub alarm_running: bool,
    /// Its instance, if it has one.
    pub live: Option<Box<Live>>,
}

/// The objects of one class.
#[derive(Debug)]
pub struct Class {
    /// The class's name.
    pub name: Rc<str>,
    /// Tells this namespace's ids from others'.
    tag: [u8; 8],
    /// Where its objects' databases live; in memory if nowhere.
    sql_folder: Option<PathBuf>,
    objects: Vec<Object>,
    by_id: FxHashMap<ObjectId, u32>,
}

impl Class {
    /// A class without objects.
    pub fn new(name: &str) -> Self {
        let mut hash = Hash::new(0x0b1e_c7c1_a55e_5000);
        hash.write(name.as_bytes());
        let tag = hash.finish().to_le_bytes();
        Self {
            name: name.into(),
            tag,
            sql_folder: None,
            objects: Vec::new(),
            by_id: FxHashMap::default(),
        }
    }

    /// Keeps the SQL databases of objects in files of this folder.
    pub fn keep_sql_in(&mut self, folder: &Path) {
        self.sql_folder = Some(folder.to_owned());
    }

    /// The id that always goes with `name`. (Production derives it by a keyed hash; only the property counts here.)
    pub fn id_from_name(&self, name: &str) -> ObjectId {
        let mut id = [0; 32];
        for (part, salt) in id.chunks_exact_mut(8).take(3).zip(1_u64..) {
            let mut hash = Hash::new(salt ^ u64::from_le_bytes(self.tag));
            hash.write(name.as_bytes());
            part.copy_from_slice(&hash.finish().to_le_bytes());
        }
        id[24..].copy_from_slice(&self.tag);
        ObjectId(id)
    }

    /// An id made of 192 random bits.
    pub fn unique_id(&self, random: [u64; 3]) -> ObjectId {
        let mut id = [0; 32];
        for (part, word) in id.chunks_exact_mut(8).zip(random) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        id[24..].copy_from_slice(&self.tag);
        ObjectId(id)
    }

    /// Whether `id` was made for this class.
    pub fn owns(&self, id: ObjectId) -> bool {
        id.0[24..] == self.tag
    }

    /// The object with this id, made at `home` if it is new; and whether it is.
    pub fn find_or_place(
        &mut self,
        id: ObjectId,
        name: Option<&Rc<str>>,
        home: Pop,
    ) -> (u32, bool) {
        if let Some(&index) = self.by_id.get(&id) {
            return (index, false);
        }
        let index = u32::try_from(self.objects.len()).expect("fewer than 2^32 objects");
        let mut storage = Storage::default();
        if let Some(folder) = &self.sql_folder {
            storage.keep_sql_in(folder.join(format!(
                "object-{}-{}.sqlite",
                self.name,
                id.to_hex()
            )));
        }
        self.objects.push(Object {
            id,
            name: name.cloned(),
            home,
            generation: 0,
            last_reset: None,
            reset_by_itself: false,
            storage,
            alarm_timer_ms: None,
            alarm_running: false,
            live: None,
        });
        self.by_id.insert(id, index);
        (index, true)
    }

    /// The place of the object with this id, if it was ever addressed.
    pub fn find(&self, id: ObjectId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The object at a place.
    pub fn object(&mut self, index: u32) -> &mut Object {
        &mut self.objects[index as usize]
    }

    /// All objects, in order of their first call.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }
}

/// A small seeded hash for ids: FNV-1a with a final avalanche; collisions only matter within one test.
struct Hash(u64);

impl Hash {
    fn new(seed: u64) -> Self {
        Self(0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
