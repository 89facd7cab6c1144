//! Keys and values, at the central store.

use super::{Account, AccountItem};
use crate::bill::usage::Meter;
use crate::engine::kv::{KvPutOptions, kv_status};
use crate::engine::record::failed;
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::name;
use crate::platform::kv::{self, Namespace, Page, Put, Version};
use bytes::Bytes;
use std::rc::Rc;

impl Account {
    /// Reads a key at the central store.
    ///
    /// # Errors
    /// A bad key, a failing store.
    pub fn central_get(
        &self,
        namespace: &AccountItem,
        key: &str,
    ) -> Result<Option<Rc<Version>>, Exception> {
        kv::check_key("GET", key)?;
        self.0.count(Meter::KvReads, 1);
        let now = self.0.now();
        let begun = self.0.begin(|| Op::KvGet {
            namespace: self.central(namespace).binding.to_string(),
            key: key.to_owned(),
            cache_ttl_seconds: 0,
        });
        let version = self.central_fault("GET").map(|()| {
            self.central(namespace)
                .central(now, key, std::time::Duration::ZERO)
        });
        self.0.mix(name!("central.get"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            fingerprint.mix(version.as_ref().map_or(0, |version| version.digest.value()));
        });
        self.0.finish(begun, || match &version {
            Ok(version) => {
                let live = version.live(now).is_some();
                Outcome::KvRead {
                    version: live.then_some(version.number),
                    fetched_at: now.0,
                    cached: false,
                    digest: live.then_some(version.digest),
                }
            }
            Err(exception) => failed(exception),
        });
        Ok(Some(version?).filter(|version| version.live(now).is_some()))
    }

    /// Writes a key at the central store.
    ///
    /// # Errors
    /// A bad key, size or time; 429 for a second write within a second; a failing store.
    pub fn central_put(
        &self,
        namespace: &AccountItem,
        key: &str,
        value: Bytes,
        options: KvPutOptions,
    ) -> Result<(), Exception> {
        kv::check_key("PUT", key)?;
        let put = options.put(self.0.now(), key.into(), value)?;
        self.central_write(namespace, put)
    }

    /// Deletes a key at the central store; deleting one that is not there is no error.
    ///
    /// # Errors
    /// As [`central_put`](Self::central_put).
    pub fn central_delete(&self, namespace: &AccountItem, key: &str) -> Result<(), Exception> {
        kv::check_key("DELETE", key)?;
        self.central_write(
            namespace,
            Put {
                key: key.into(),
                value: None,
                metadata: None,
                expiration_seconds: None,
            },
        )
    }

    fn central_write(&self, namespace: &AccountItem, put: Put) -> Result<(), Exception> {
        let now = self.0.now();
        let (verb, meter) = if put.value.is_some() {
            ("PUT", Meter::KvWrites)
        } else {
            ("DELETE", Meter::KvDeletes)
        };
        let number = namespace.number;
        let begun = self.0.begin(|| self.0.kv_write_op(number, &put));
        let committed = self
            .central_fault(verb)
            .and_then(|()| self.central(namespace).commit(now, &put));
        if committed.is_ok() {
            self.0.count(meter, 1);
        }
        self.0.kv_written(begun, number, &put, &committed);
        committed.map(drop)
    }

    /// Lists keys at the central store.
    ///
    /// # Errors
    /// A prefix longer than a key may be, a failing store.
    pub fn central_list(
        &self,
        namespace: &AccountItem,
        prefix: &str,
        cursor: Option<&str>,
        limit: u64,
    ) -> Result<Page, Exception> {
        let limit = kv::check_list(prefix, Some(limit))?;
        self.0.count(Meter::KvLists, 1);
        let now = self.0.now();
        let begun = self.0.begin(|| Op::KvList {
            namespace: self.central(namespace).binding.to_string(),
            prefix: prefix.to_owned(),
        });
        let page = self
            .central_fault("GET")
            .map(|()| self.central(namespace).list(now, prefix, cursor, limit));
        self.0.kv_listed(begun, namespace.number, prefix, &page);
        page
    }

    /// The result of an operation under a fault of the store.
    fn central_fault(&self, verb: &str) -> Result<(), Exception> {
        let operation = if verb == "GET" {
            KvOperation::Get
        } else {
            KvOperation::Put
        };
        match self.0.kv_error(self.0.now(), operation) {
            None => Ok(()),
            Some(status) => Err(kv_status(verb, status)),
        }
    }

    fn central(&self, namespace: &AccountItem) -> std::cell::RefMut<'_, Namespace> {
        std::cell::RefMut::map(self.0.0.namespaces.borrow_mut(), |namespaces| {
            &mut namespaces[namespace.number as usize]
        })
    }
}
