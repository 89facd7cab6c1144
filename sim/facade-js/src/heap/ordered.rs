//! A table that remembers the order of insertion: properties of an object, entries of a `Map`.
//!
//! Small tables are searched from front to back, which beats any index up to a few dozen entries. A
//! larger one keeps an ordered index beside it, so that hostile input with thousands of keys stays
//! n log n. Removal from a large table leaves a gap until half the slots are gaps.

use std::collections::BTreeMap;

/// Above this many slots a table keeps an index.
const LINEAR_SLOTS: usize = 32;

/// Keys of type `K`, each once, in the order they came.
pub(crate) struct Ordered<K, V> {
    slots: Vec<Option<(K, V)>>,
    gaps: usize,
    index: Option<BTreeMap<K, usize>>,
}

impl<K: Ord + Clone, V> Ordered<K, V> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            gaps: 0,
            index: None,
        }
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            slots: Vec::with_capacity(capacity),
            gaps: 0,
            index: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.gaps
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().flatten().map(|(key, value)| (key, value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().flatten().map(|(_, value)| value)
    }

    /// Looks for the key that `matches` accepts; `key` is made only for a large table.
    pub(crate) fn get_by(
        &self,
        matches: impl Fn(&K) -> bool,
        key: impl FnOnce() -> K,
    ) -> Option<&V> {
        let slot = self.find(matches, key)?;
        self.slots[slot].as_ref().map(|(_, value)| value)
    }

    /// Replaces the value of a key or appends it.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if let Some(slot) = self.find(|k| *k == key, || key.clone()) {
            self.slots[slot] = Some((key, value));
            return;
        }
        self.push_new(key, value);
    }

    /// Appends a key that is known to be absent.
    pub(crate) fn push_new(&mut self, key: K, value: V) {
        if let Some(index) = &mut self.index {
            index.insert(key.clone(), self.slots.len());
        }
        self.slots.push(Some((key, value)));
        if self.index.is_none() && self.slots.len() > LINEAR_SLOTS {
            self.rebuild_index();
        }
    }

    /// Removes a key; the others keep their order.
    pub(crate) fn remove_by(
        &mut self,
        matches: impl Fn(&K) -> bool,
        key: impl FnOnce() -> K,
    ) -> Option<V> {
        let slot = self.find(matches, key)?;
        let Some(index) = &mut self.index else {
            return self.slots.remove(slot).map(|(_, value)| value);
        };
        let (key, value) = self.slots[slot].take()?;
        index.remove(&key);
        self.gaps += 1;
        if self.gaps * 2 > self.slots.len() {
            self.slots.retain(Option::is_some);
            self.gaps = 0;
            self.index = None;
            if self.slots.len() > LINEAR_SLOTS {
                self.rebuild_index();
            }
        }
        Some(value)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    fn find(&self, matches: impl Fn(&K) -> bool, key: impl FnOnce() -> K) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&key()).copied(),
            None => self
                .slots
                .iter()
                .position(|slot| slot.as_ref().is_some_and(|(k, _)| matches(k))),
        }
    }

    fn rebuild_index(&mut self) {
        let index = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(slot, entry)| entry.as_ref().map(|(key, _)| (key.clone(), slot)))
            .collect();
        self.index = Some(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u32),
        Remove(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (any::<u8>(), any::<u32>()).prop_map(|(k, v)| Step::Insert(k, v)),
            2 => any::<u8>().prop_map(Step::Remove),
        ]
    }

    #[test]
    fn gaps_never_outnumber_the_entries() {
        let mut table = Ordered::new();
        for key in 0..1_000 {
            table.insert(key, ());
        }
        for key in 0..900 {
            table.remove_by(|k| *k == key, || key);
            assert!(table.slots.len() <= 2 * table.len());
        }
        assert!(table.iter().map(|(key, ())| *key).eq(900..1_000));
    }

    proptest! {
        #[test]
        fn an_ordered_table_behaves_like_a_list_of_pairs(steps in prop::collection::vec(step(), 0..400)) {
            let mut table = Ordered::new();
            let mut pairs: Vec<(u8, u32)> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        table.insert(key, value);
                        match pairs.iter_mut().find(|(k, _)| *k == key) {
                            Some(pair) => pair.1 = value,
                            None => pairs.push((key, value)),
                        }
                    }
                    Step::Remove(key) => {
                        let removed = table.remove_by(|k| *k == key, || key);
                        let place = pairs.iter().position(|(k, _)| *k == key);
                        prop_assert_eq!(removed, place.map(|i| pairs.remove(i).1));
                    }
                }
                prop_assert_eq!(table.len(), pairs.len());
            }
            let listed: Vec<(u8, u32)> = table.iter().map(|(k, v)| (*k, *v)).collect();
            prop_assert_eq!(&listed, &pairs);
            for (key, value) in pairs {
                prop_assert_eq!(table.get_by(|k| *k == key, || key), Some(&value));
            }
        }
    }
}
