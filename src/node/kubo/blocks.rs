//! Blocks of a Kubo, one in a call or many.
//!
//! `cat` takes any number of arguments and answers with their content end to end, and
//! a block asked for under the raw codec is its own content. 256 directory shards come
//! so in a tenth of the time that 256 calls of `block/get` take. A dag-pb block in the
//! canonical form shows where it ends. After any other stands a mark that the client
//! chose, as a CID that holds its own content; a mark costs Kubo two fifths of a block.
//! Every block is hashed, so a wrong split cannot pass.

use super::super::error::{NodeError, Problem, Refusal};
use super::call::{Call, Rpc};
use crate::ipfs::cid::{Cid, DAG_PB, IDENTITY, RAW, inlined, matches};
use crate::ipfs::dag_pb::PbNode;
use multihash::Multihash;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The longest block that is read, in bytes. A plain directory at the sharding
/// limit takes 0.3 MiB; add-link has made larger ones.
const MAX_BLOCK_BYTES: u64 = 32 << 20;

/// The longest answer of many blocks, in bytes. Where they are longer, fewer are asked
/// for at once.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// Blocks in a call: their URL has some 24 KiB. Kubo takes a URL of a MiB.
const MOST: usize = 256;

/// Bytes of a mark. It stands in a block by chance once in 2^64 bytes, and then the
/// block's hash is wrong.
const MARK_BYTES: usize = 8;

/// The blocks that a mark comes after.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marked {
    /// Those whose codec does not show where they end.
    WhereNeeded,
    /// All of them.
    All,
}

/// The number of blocks that are asked for in a call.
#[derive(Debug)]
pub struct BatchSize(AtomicUsize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST))
    }
}

/// A block that the node holds, checked against its CID.
pub fn one(rpc: &Rpc, cid: &Cid) -> Result<Vec<u8>, NodeError> {
    if let Some(content) = inlined(cid) {
        return Ok(content.to_vec());
    }
    let call = || rpc.call("block/get", format!("read the block {cid}"));
    checked(cid, || call().option("offline", true))
}

/// The same block from wherever it is.
pub fn fetch(rpc: &Rpc, cid: &Cid) -> Result<Vec<u8>, NodeError> {
    if let Some(content) = inlined(cid) {
        return Ok(content.to_vec());
    }
    let call = || rpc.call("block/get", format!("fetch the block {cid}"));
    checked(cid, call).map_err(|error| {
        let is_over = matches!(error.problem, Problem::TimedOut(_));
        if is_over || error.is(Refusal::SearchedInVain) {
            return call().failed(Problem::Unfetched(rpc.short));
        }
        match error.problem {
            Problem::Refused {
                refusal: Refusal::Missing,
                message,
            } => {
                let message = format!("{message}, and it has no network");
                NodeError::refused(error.action, Refusal::Offline, message)
            }
            problem => call().failed(problem),
        }
    })
}

fn checked<'r>(cid: &Cid, call: impl Fn() -> Call<'r>) -> Result<Vec<u8>, NodeError> {
    let block = call().arg(cid).bytes(MAX_BLOCK_BYTES)?;
    match matches(cid, &block) {
        true => Ok(block),
        false => Err(call().failed(Problem::WrongBlock { bytes: block.len() })),
    }
}

/// Blocks that the node holds, in this order, each checked against its CID.
///
/// A call whose answer cannot be split is made once more with a mark after each block. One
/// that fails is followed by one for each block, so that a block that is missing or
/// damaged is named. A proxy that refuses so long a URL makes later calls shorter.
pub fn many(rpc: &Rpc, size: &BatchSize, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
    let mut blocks = Vec::with_capacity(cids.len());
    while blocks.len() < cids.len() {
        let rest = &cids[blocks.len()..];
        let count = size.0.load(Ordering::Relaxed).min(rest.len());
        if count < 2 {
            blocks.push(one(rpc, &rest[0])?);
            continue;
        }
        let answer = match together(rpc, &rest[..count], Marked::WhereNeeded) {
            Err(error) if matches!(error.problem, Problem::WrongBlock { .. }) => {
                together(rpc, &rest[..count], Marked::All)
            }
            answer => answer,
        };
        match answer {
            Ok(several) => blocks.extend(several),
            Err(error) if error.is_unavailable() || is_late(&error) => return Err(error),
            Err(error) if is_refused_on_the_way(&error) => {
                size.0.fetch_min(count / 2, Ordering::Relaxed);
            }
            Err(_) => {
                for cid in &rest[..count] {
                    blocks.push(one(rpc, cid)?);
                }
            }
        }
    }
    Ok(blocks)
}

/// Returns true where the node is so busy that more calls would make it worse.
fn is_late(error: &NodeError) -> bool {
    matches!(error.problem, Problem::TimedOut(_))
}

/// Returns true where the answer is not the node's own: that of a proxy that takes no
/// long URL, mostly with status 414 or 431, or none at all.
fn is_refused_on_the_way(error: &NodeError) -> bool {
    matches!(
        error.problem,
        Problem::Unexpected(_) | Problem::Cut(_) | Problem::NotAnRpc(_) | Problem::Forbidden(_)
    )
}

/// Blocks in one call.
fn together(rpc: &Rpc, cids: &[Cid], marked: Marked) -> Result<Vec<Vec<u8>>, NodeError> {
    let mut mark = [0; MARK_BYTES];
    // Without randomness a block may contain it; its hash is checked all the same.
    let _ = getrandom::fill(&mut mark);
    let call = || rpc.call("cat", format!("read {} blocks", cids.len()));
    let mut asked = call().option("offline", true);
    let marker = Multihash::wrap(IDENTITY, &mark).map(|hash| Cid::new_v1(RAW, hash));
    let marker = marker.unwrap_or_default();
    let is_marked = |cid: &Cid| marked == Marked::All || cid.codec() != DAG_PB;
    for cid in cids {
        asked = asked.arg(Cid::new_v1(RAW, *cid.hash()));
        if is_marked(cid) {
            asked = asked.arg(marker);
        }
    }
    let answer = asked.bytes(MAX_ANSWER_BYTES)?;
    let mut blocks = Vec::with_capacity(cids.len());
    let mut rest = answer.as_slice();
    for cid in cids {
        let (end, mark_bytes) = match is_marked(cid) {
            true => {
                let mut windows = rest.windows(MARK_BYTES);
                (windows.position(|window| window == mark), MARK_BYTES)
            }
            false => (PbNode::canonical_length(rest), 0),
        };
        let block = end.map(|end| &rest[..end]);
        let Some(block) = block.filter(|block| matches(cid, block)) else {
            let bytes = block.unwrap_or(rest).len();
            return Err(call().failed(Problem::WrongBlock { bytes }));
        };
        blocks.push(block.to_vec());
        rest = &rest[block.len() + mark_bytes..];
    }
    Ok(blocks)
}
