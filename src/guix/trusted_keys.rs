//! A set of keys whose signatures are trusted.

use super::narinfo::Narinfo;
use super::signature::{PublicKey, Signature, SignatureError};

/// Keys that may sign narinfos. Without any, signatures are not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// Returns true if there are no keys to check a signature by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, each once.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Adds the keys of `others`.
    pub fn extend(&mut self, others: &Self) {
        for key in &others.0 {
            self.add(*key);
        }
    }

    /// Checks the signature of a narinfo. Without keys, any narinfo passes.
    ///
    /// # Errors
    /// It is not signed by one of these keys, or was changed since.
    pub fn check(&self, narinfo: &Narinfo) -> Result<(), SignatureError> {
        match self.is_empty() {
            true => Ok(()),
            false => Signature::check(narinfo, &self.0),
        }
    }

    /// Adds a key, once.
    pub(super) fn add(&mut self, key: PublicKey) {
        if !self.0.contains(&key) {
            self.0.push(key);
        }
    }
}
