//! Writes of KV: to the central store, and seen at once in the PoP that made them.

use super::{Answered, Exchange, KvPutOptions, kv_status};
use crate::bill::usage::Meter;
use crate::engine::record::{Begun, failed};
use crate::engine::scope::{self, Invocation};
use crate::engine::{Engine, Operation, digest};
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::fingerprint::Fingerprint;
use crate::kernel::time::Instant;
use crate::limits;
use crate::name;
use crate::platform::kv::{self, Put, Version};
use crate::topology::Pop;
use bytes::Bytes;
use std::rc::Rc;

impl KvPutOptions {
    /// Checks a value and its options, and returns the write.
    ///
    /// # Errors
    /// A size or a time that KV refuses.
    pub(crate) fn put(self, now: Instant, key: Rc<str>, value: Bytes) -> Result<Put, Exception> {
        let metadata_bytes = self.metadata.as_ref().map_or(0, |metadata| metadata.len());
        let expiration_seconds = kv::check_put(
            now,
            value.len(),
            metadata_bytes,
            self.expiration_seconds,
            self.expiration_ttl_seconds,
        )?;
        Ok(Put {
            key,
            value: Some(value),
            metadata: self.metadata,
            expiration_seconds,
        })
    }
}

impl Engine {
    /// Writes a key.
    ///
    /// # Errors
    /// A bad key, size or time; 429 for a second write within a second; too many calls; a failing store.
    pub(crate) fn kv_put(
        &self,
        namespace: u32,
        key: Rc<str>,
        value: Bytes,
        options: KvPutOptions,
    ) -> Operation<Result<(), Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            kv::check_key("PUT", &key)?;
            invocation.count_kv_operation(&engine)?;
            let put = options.put(engine.now(), key, value)?;
            engine.kv_write(&invocation, namespace, &put).await
        })
    }

    /// Deletes a key; deleting one that is not there is no error.
    ///
    /// # Errors
    /// As [`kv_put`](Self::kv_put).
    pub(crate) fn kv_delete(
        &self,
        namespace: u32,
        key: Rc<str>,
    ) -> Operation<Result<(), Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            kv::check_key("DELETE", &key)?;
            invocation.count_kv_operation(&engine)?;
            let put = Put {
                key,
                value: None,
                metadata: None,
                expiration_seconds: None,
            };
            engine.kv_write(&invocation, namespace, &put).await
        })
    }

    async fn kv_write(
        &self,
        invocation: &Invocation,
        namespace: u32,
        put: &Put,
    ) -> Result<(), Exception> {
        let (verb, meter) = if put.value.is_some() {
            ("PUT", Meter::KvWrites)
        } else {
            ("DELETE", Meter::KvDeletes)
        };
        let begun = self.begin(|| self.kv_write_op(namespace, put));
        // A KV write leaves an object only when what the object wrote before is durable (workerd io-gate.h).
        if let Err(reset) = self.output_gate(invocation).await {
            // The write was never sent.
            self.finish(begun, || failed(&reset));
            return Err(reset);
        }
        let committed = self
            .kv_commit(invocation.pop, namespace, verb, meter, put, begun)
            .await;
        self.kv_written(begun, namespace, put, &committed);
        self.deliver().await;
        committed.map(drop)
    }

    /// A write in the form that records use.
    pub(crate) fn kv_write_op(&self, namespace: u32, put: &Put) -> Op {
        let (namespace, key) = (self.kv_name(namespace), put.key.to_string());
        match &put.value {
            Some(value) => Op::KvPut {
                namespace,
                key,
                bytes: value.len() as u64,
                value_digest: Fingerprint::of(value),
                expiration_seconds: put.expiration_seconds,
            },
            None => Op::KvDelete { namespace, key },
        }
    }

    /// Ends a write: adds it to the fingerprint and finishes its record.
    pub(crate) fn kv_written(
        &self,
        begun: Begun,
        namespace: u32,
        put: &Put,
        committed: &Result<Rc<Version>, Exception>,
    ) {
        self.mix(name!("kv.put"), |fingerprint| {
            fingerprint.mix(u64::from(namespace) << 1 | u64::from(put.value.is_some()));
            fingerprint.mix_bytes(put.key.as_bytes());
            digest::optional(fingerprint, put.metadata.as_deref());
            fingerprint.mix(put.expiration_seconds.unwrap_or(0));
            match committed {
                Ok(version) => fingerprint.mix_pair(version.number, version.digest.value()),
                Err(exception) => {
                    fingerprint.mix_bytes(put.value.as_deref().unwrap_or_default());
                    fingerprint.mix_bytes(exception.message.as_bytes());
                }
            }
        });
        self.finish(begun, || match committed {
            Ok(version) => Outcome::KvWritten {
                version: version.number,
                committed_at: version.committed_at.0,
            },
            Err(exception) => failed(exception),
        });
    }

    async fn kv_commit(
        &self,
        pop: Pop,
        namespace: u32,
        verb: &'static str,
        meter: Meter,
        put: &Put,
        begun: Begun,
    ) -> Result<Rc<Version>, Exception> {
        let exchange = Exchange {
            verb,
            pop,
            operation: KvOperation::Put,
            there: name!("kv.write"),
            back: name!("kv.written"),
        };
        let copied = |nanos| {
            let begun = self.begin_copy(begun);
            self.kv_copy(namespace, verb, meter, put.clone(), nanos, begun);
        };
        let commit = |at| {
            let committed = self.with_kv(namespace, |kv| kv.commit(at, put));
            if committed.is_ok() {
                self.count(meter, 1);
            }
            let detail = committed.as_ref().map_or(0, |version| version.number);
            Answered {
                value: committed,
                detail,
            }
        };
        let (committed_at, committed) = self.kv_exchange(&exchange, copied, commit).await?;
        let version = committed?;
        let now = self.now();
        // The PoP of the write sees it at once, for as long as its cache may serve a read with the default cacheTtl.
        self.with_kv(namespace, |kv| {
            kv.fill(
                now,
                pop,
                &put.key,
                &version,
                committed_at,
                limits::kv::CACHE_TTL_DEFAULT,
            )
        });
        Ok(version)
    }

    /// The second copy of a duplicated write arrives; its result is discarded.
    fn kv_copy(
        &self,
        namespace: u32,
        verb: &'static str,
        meter: Meter,
        put: Put,
        nanos: u64,
        begun: Begun,
    ) {
        let engine = self.clone();
        self.spawn_in(
            None,
            Box::pin(async move {
                let at = engine.now().after(nanos);
                engine.sleep_until(at, name!("kv.copy"), 0).await;
                let committed = match engine.kv_error(at, KvOperation::Put) {
                    Some(status) => Err(kv_status(verb, status)),
                    None => engine.with_kv(namespace, |kv| kv.commit(at, &put)),
                };
                if committed.is_ok() {
                    engine.count(meter, 1);
                }
                engine.kv_written(begun, namespace, &put, &committed);
            }),
        );
    }
}
