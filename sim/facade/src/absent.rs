//! Products that are not simulated, as far as Workers name their types.
//!
//! The types have upstream's signatures, so that a Worker with such a binding compiles. The only way to a value of theirs is
//! [`Env`], which answers an error with the name of the call. Inside they are uninhabited: no method has a body that pretends.
//!
//! [`Env`]: crate::Env

mod analytics_engine;
mod fetcher;
mod r2;
mod secret_store;

pub use analytics_engine::{
    AnalyticsEngineDataPoint, AnalyticsEngineDataPointBuilder, AnalyticsEngineDataset, BlobType,
};
pub use fetcher::Fetcher;
pub use r2::{
    Bucket, Conditional, CreateMultipartUploadOptionsBuilder, Data, GetOptionsBuilder,
    HttpMetadata, Include, ListOptionsBuilder, MultipartUpload, Object, ObjectBody, Objects,
    PutOptionsBuilder, Range, UploadedPart,
};
pub use secret_store::SecretStore;

use crate::{Error, Result};

/// What no value of exists.
#[derive(Debug, Clone, Copy)]
enum Never {}

/// The error of a call that asks for such a product.
pub(crate) fn refused<T>(product: &str, call: &str, binding: &str) -> Result<T> {
    Err(Error::RustError(format!(
        "{product} is not simulated by edgeproof: {call}({binding:?})"
    )))
}

#[cfg(test)]
mod tests {
    use crate::Env;

    #[test]
    fn a_product_that_is_not_simulated_is_named() {
        let env = Env::new();
        let told = [
            env.bucket("FILES").map(drop),
            env.analytics_engine("USE").map(drop),
            env.secret_store("KEY").map(drop),
            env.service("AUTH").map(drop),
            env.assets("ASSETS").map(drop),
        ]
        .map(|asked| asked.expect_err("it is not simulated").to_string());
        assert_eq!(
            told,
            [
                "R2 is not simulated by edgeproof: Env::bucket(\"FILES\")",
                "Analytics Engine is not simulated by edgeproof: Env::analytics_engine(\"USE\")",
                "the Secrets Store is not simulated by edgeproof: Env::secret_store(\"KEY\")",
                "calling another Worker is not simulated by edgeproof: Env::service(\"AUTH\")",
                "serving static assets is not simulated by edgeproof: Env::assets(\"ASSETS\")",
            ]
        );
    }
}
