//! The keys that signed the narinfos of a mirror, counted over a sample.

use super::failure::Failure;
use super::narinfos::PublishedNarinfo;
use crate::guix::{PublicKey, Signature, SignatureError, farm_of};
use crate::ipfs::cid::Cid;
use crate::publication::Tree;
use crate::util::parallel;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;

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
    let mut failure = Ok(());
    let read = |(name, cid): (String, Cid)| {
        let published = PublishedNarinfo::read(tree, name, &cid)?;
        let narinfo = published.narinfo.ok();
        Ok::<_, Failure>(narinfo.map(|narinfo| Signature::signer(&narinfo)))
    };
    parallel::for_each(jobs, sample, read, |signed| {
        signers.read += 1;
        match signed {
            Ok(Some(Ok(key))) => *keys.entry(key).or_default() += 1,
            Ok(Some(Err(SignatureError::Unsigned))) => signers.unsigned += 1,
            Ok(None | Some(Err(_))) => signers.broken += 1,
            Err(error) => {
                failure = Err(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    failure?;
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
