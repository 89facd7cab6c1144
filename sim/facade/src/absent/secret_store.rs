//! Secrets Store.

use super::Never;
use crate::Result;

/// A secret of the account.
#[derive(Debug, Clone)]
pub struct SecretStore(Never);

impl SecretStore {
    /// Its value.
    ///
    /// # Errors
    /// There is no such binding in the simulator.
    pub async fn get(&self) -> Result<Option<String>> {
        match self.0 {}
    }
}
