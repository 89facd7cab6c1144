//! Lists of KV, at the central store.

use super::{Answered, Exchange, KvListOptions};
use crate::bill::usage::Meter;
use crate::engine::record::{Begun, failed};
use crate::engine::{Engine, Operation, digest, scope};
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::name;
use crate::platform::kv::{self, Page};
use crate::topology::Pop;

impl Engine {
    /// Lists keys at the central store.
    ///
    /// # Errors
    /// A limit outside 1…1000, too many calls, a failing store.
    pub(crate) fn kv_list(
        &self,
        namespace: u32,
        options: KvListOptions,
    ) -> Operation<Result<Page, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            invocation.count_kv_operation(&engine)?;
            let prefix = options.prefix.unwrap_or_default();
            let limit = kv::check_list(&prefix, options.limit)?;
            let begun = engine.begin(|| Op::KvList {
                namespace: engine.kv_name(namespace),
                prefix: prefix.clone(),
            });
            engine.count(Meter::KvLists, 1);
            let cursor = options.cursor.as_deref();
            let listed = engine
                .kv_page(invocation.pop, namespace, &prefix, cursor, limit)
                .await;
            engine.kv_listed(begun, namespace, &prefix, &listed);
            engine.deliver().await;
            listed
        })
    }

    /// Ends a list: adds it to the fingerprint and finishes its record.
    pub(crate) fn kv_listed(
        &self,
        begun: Begun,
        namespace: u32,
        prefix: &str,
        listed: &Result<Page, Exception>,
    ) {
        self.mix(name!("kv.keys"), |fingerprint| {
            fingerprint.mix(u64::from(namespace));
            fingerprint.mix_bytes(prefix.as_bytes());
            match listed {
                Ok(page) => {
                    for key in &page.keys {
                        fingerprint.mix_bytes(key.name.as_bytes());
                        digest::optional(fingerprint, key.metadata.as_deref());
                        fingerprint.mix(key.expiration_seconds.unwrap_or(0));
                    }
                    digest::optional(fingerprint, page.cursor.as_deref());
                }
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish(begun, || match listed {
            Ok(page) => Outcome::KvListed {
                keys: page.keys.iter().map(|key| key.name.to_string()).collect(),
                complete: page.cursor.is_none(),
            },
            Err(exception) => failed(exception),
        });
    }

    async fn kv_page(
        &self,
        pop: Pop,
        namespace: u32,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Exception> {
        let exchange = Exchange {
            verb: "GET",
            pop,
            operation: KvOperation::Get,
            there: name!("kv.list"),
            back: name!("kv.listed"),
        };
        let list = |now| {
            let page = self.with_kv(namespace, |kv| kv.list(now, prefix, cursor, limit));
            let detail = page.keys.len() as u64;
            Answered {
                value: page,
                detail,
            }
        };
        // A list that is carried out twice changes nothing.
        let (_, page) = self.kv_exchange(&exchange, drop, list).await?;
        Ok(page)
    }
}
