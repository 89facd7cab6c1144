//! The objects of one class: ids that belong to it, and the table of those that were ever addressed.

use super::id::ObjectId;
use super::object::Object;
use super::storage::Storage;
use crate::topology::Pop;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The objects of one class.
#[derive(Debug)]
pub struct Class {
    /// The class's name.
    pub name: Rc<str>,
    /// Tells this namespace's ids from others'.
    tag: [u8; 8],
    /// Folder of its objects' databases; `None`: they are in memory.
    sql_folder: Option<PathBuf>,
    objects: Vec<Object>,
    by_id: FxHashMap<ObjectId, u32>,
}

impl Class {
    /// A class without objects; `namespace` tells its ids from those of a class of the same name in another Worker.
    pub fn new(name: &str, namespace: &str) -> Self {
        let mut hash = Hash::new(0x0b1e_c7c1_a55e_5000);
        hash.write(namespace.as_bytes());
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

    /// The object with this id, made at `home` if it is new; and whether it is new.
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
            let file = format!("object-{}-{}.sqlite", self.name, id.to_hex());
            storage.keep_sql_in(folder.join(file));
        }
        self.objects
            .push(Object::new(id, name.cloned(), home, storage));
        self.by_id.insert(id, index);
        (index, true)
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

/// A small seeded hash for ids: FNV-1a with a final avalanche. A collision matters only within one test.
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
