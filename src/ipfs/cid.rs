//! Content identifiers of blocks, as Kubo makes them.

pub use cid::Cid;
use multihash::Multihash;
use sha2::{Digest, Sha256};

/// The codec of a block that is plain bytes.
pub const RAW: u64 = 0x55;
/// The codec of a dag-pb node: every UnixFS directory, and files of several blocks.
pub const DAG_PB: u64 = 0x70;
/// The codec of an IPNS name, whose CID holds a public key.
pub const LIBP2P_KEY: u64 = 0x72;
/// The multihash code of sha2-256, the only hash this program writes.
pub const SHA2_256: u64 = 0x12;
/// The multihash code of content that stands in its own CID.
pub const IDENTITY: u64 = 0x00;

/// Which CIDs a tree is made of: `ipfs add` gives [`CidVersion::V0`] by default
/// and [`CidVersion::V1`], with raw leaves, under `--cid-version=1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CidVersion {
    /// `Qm…`: every block is dag-pb.
    V0,
    /// `bafy…` and `bafk…`: leaves of files are raw blocks.
    V1,
}

impl CidVersion {
    /// The version that a tree with this root was made with.
    pub fn of(root: &Cid) -> Self {
        match root.version() {
            cid::Version::V0 => Self::V0,
            cid::Version::V1 => Self::V1,
        }
    }

    /// As the RPC's `cid-version` option takes it.
    pub fn number(self) -> u8 {
        match self {
            Self::V0 => 0,
            Self::V1 => 1,
        }
    }
}

/// The CID of `block` under `codec`. A CIDv0 can only say dag-pb, so any other
/// codec gives a CIDv1 whatever the version.
pub fn cid_of(version: CidVersion, codec: u64, block: &[u8]) -> Cid {
    let hash = sha2_256(block);
    match (version, codec) {
        (CidVersion::V0, DAG_PB) => Cid::new_v0(hash).unwrap_or(Cid::new_v1(DAG_PB, hash)),
        _ => Cid::new_v1(codec, hash),
    }
}

/// Returns true when `cid` names `block`. False for another hash function than sha2-256
/// and identity: no other can be checked here.
pub fn matches(cid: &Cid, block: &[u8]) -> bool {
    match cid.hash().code() {
        SHA2_256 => cid.hash().digest() == Sha256::digest(block).as_slice(),
        IDENTITY => cid.hash().digest() == block,
        _ => false,
    }
}

/// Returns true for two spellings of one CID: in version 0 and 1.
pub fn is_same_content(one: &Cid, other: &Cid) -> bool {
    one.codec() == other.codec() && one.hash() == other.hash()
}

/// The content of an identity CID, which needs no block.
pub fn inlined(cid: &Cid) -> Option<&[u8]> {
    (cid.hash().code() == IDENTITY).then(|| cid.hash().digest())
}

/// An identity CID of 16 random bytes, unlike any other.
pub fn unique() -> Cid {
    let mut content = [0; 16];
    // Without randomness two may be alike, which no system of today lets happen.
    let _ = getrandom::fill(&mut content);
    // 16 bytes always fit the 64 that a multihash holds.
    let hash = Multihash::wrap(IDENTITY, &content).unwrap_or_default();
    Cid::new_v1(RAW, hash)
}

fn sha2_256(block: &[u8]) -> Multihash<64> {
    // 32 bytes always fit the 64 that a multihash holds.
    Multihash::wrap(SHA2_256, &Sha256::digest(block)).unwrap_or_default()
}
