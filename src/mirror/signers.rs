//! The keys that signed the narinfos of a mirror, counted over a sample.

use super::failure::Failure;
use super::narinfos::{self, PublishedNarinfo};
use crate::guix::{PublicKey, Signature, SignatureError, farm_of};
use crate::ipfs::cid::Cid;
use crate::publication::Tree;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashMap;

/// The signers of some narinfos. Each signature was checked.
#[derive(Debug, Default, Serialize)]
pub struct Signers {
    /// The number of narinfos that were read.
    pub read: usize,
    /// The keys, the one with the most narinfos first.
    pub signed: Vec<Signer>,
    /// The number of narinfos without a signature.
    pub unsigned: usize,
    /// The number of those that cannot be read, or whose signature is not right.
    pub broken: usize,
}

/// A key that signed narinfos.
#[derive(Debug, Serialize)]
pub struct Signer {
    /// The key, as in key files.
    pub key: String,
    /// The official farm that has it.
    pub farm: Option<&'static str>,
    /// The number of narinfos.
    pub count: usize,
}

/// Reads these narinfos, and counts their signers.
pub fn signers(tree: &Tree, jobs: u16, sample: Vec<(String, Cid)>) -> Result<Signers, Failure> {
    let mut signers = Signers::default();
    let mut keys: HashMap<PublicKey, usize> = HashMap::new();
    let signer = |published: PublishedNarinfo| {
        let narinfo = published.narinfo.ok()?;
        Some(Signature::signer(&narinfo))
    };
    let work = |narinfos: Vec<PublishedNarinfo>| narinfos.into_iter().map(signer).collect();
    narinfos::for_each_of(tree, jobs, sample, work, |signed| {
        signers.read += 1;
        match signed {
            Some(Ok(key)) => *keys.entry(key).or_default() += 1,
            Some(Err(SignatureError::Unsigned)) => signers.unsigned += 1,
            None | Some(Err(_)) => signers.broken += 1,
        }
    })?;
    let signed = keys.into_iter().map(|(key, count)| Signer {
        key: key.to_string(),
        farm: farm_of(&key),
        count,
    });
    signers.signed = signed.collect();
    signers
        .signed
        .sort_by_key(|signer| (Reverse(signer.count), signer.key.clone()));
    Ok(signers)
}
