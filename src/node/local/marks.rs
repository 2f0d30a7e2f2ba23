//! The blocks that a walk has seen, in little memory: below a mirror of a million items
//! lie some two million.

use crate::ipfs::cid::SHA2_256;
use multihash::Multihash;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The number of parts of a set, one for each last byte of a hash. Each grows for itself,
/// so that growing takes little room beside the whole.
const PARTS: usize = 256;

/// The bit of an entry for a block whose links were followed.
const FOLLOWED: u128 = 1;

/// A set of blocks, by 127 bits of their hashes: enough to distinguish any two. As
/// Kubo keys its blocks, CIDv0 and CIDv1 of one content are one block.
#[derive(Debug)]
pub struct Marks {
    parts: Vec<HashSet<u128>>,
}

/// The way in which a walk comes to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The block must be there; its links, if it has any, are not followed.
    LookedFor,
    /// Its links are followed, too.
    Followed,
}

/// The set's answer to a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The block was not seen before.
    Never,
    /// It was looked for before, and is followed now.
    NotFollowed,
    /// Nothing is left to do.
    Already,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            parts: vec![HashSet::new(); PARTS],
        }
    }
}

impl Marks {
    /// Records a visit.
    pub fn visit(&mut self, hash: &Multihash<64>, visit: Visit) -> Seen {
        let (part, looked_for) = place(hash);
        let part = &mut self.parts[part];
        let followed = looked_for | FOLLOWED;
        if part.contains(&followed) {
            return Seen::Already;
        }
        match visit {
            Visit::LookedFor if part.insert(looked_for) => Seen::Never,
            Visit::LookedFor => Seen::Already,
            Visit::Followed => {
                let was_seen = part.remove(&looked_for);
                part.insert(followed);
                match was_seen {
                    true => Seen::NotFollowed,
                    false => Seen::Never,
                }
            }
        }
    }

    /// Returns true for a block that was visited in either way.
    pub fn contain(&self, hash: &Multihash<64>) -> bool {
        let (part, looked_for) = place(hash);
        let part = &self.parts[part];
        part.contains(&looked_for) || part.contains(&(looked_for | FOLLOWED))
    }
}

/// The part of the set that holds a block, and its entry there.
fn place(hash: &Multihash<64>) -> (usize, u128) {
    let digest: [u8; 32] = match (hash.code(), hash.digest().try_into()) {
        (SHA2_256, Ok(digest)) => digest,
        // Only the whole hash is known to distinguish two of them.
        _ => Sha256::digest(hash.to_bytes()).into(),
    };
    let mut entry = [0; 16];
    entry.copy_from_slice(&digest[..16]);
    (
        usize::from(digest[31]),
        u128::from_be_bytes(entry) & !FOLLOWED,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::IDENTITY;
    use Seen::{Already, Never, NotFollowed};
    use Visit::{Followed, LookedFor};

    fn hash(code: u64, digest: &[u8]) -> Multihash<64> {
        Multihash::wrap(code, digest).unwrap()
    }

    #[test]
    fn a_block_is_new_once_and_followed_once() {
        for order in [
            &[
                (LookedFor, Never),
                (LookedFor, Already),
                (Followed, NotFollowed),
            ][..],
            &[(Followed, Never), (LookedFor, Already), (Followed, Already)],
        ] {
            let mut marks = Marks::default();
            let block = hash(SHA2_256, &Sha256::digest(b"block"));
            assert!(!marks.contain(&block));
            for (visit, seen) in order {
                assert_eq!(marks.visit(&block, *visit), *seen);
                assert!(marks.contain(&block));
            }
            assert_eq!(marks.visit(&block, LookedFor), Already);
        }
    }

    #[test]
    fn blocks_are_told_apart() {
        let mut last_bit = [7; 32];
        last_bit[31] = 8;
        let mut first_bit = [7; 32];
        first_bit[0] = 8;
        let hashes = [
            hash(SHA2_256, &[7; 32]),
            hash(SHA2_256, &first_bit),
            hash(SHA2_256, &last_bit),
            // The same beginning, as a hash of another length or kind.
            hash(SHA2_256, &[7; 16]),
            hash(SHA2_256, &[7; 20]),
            hash(SHA2_256, &[]),
            hash(0x13, &[7; 32]),
            hash(0x13, &[7; 64]),
            hash(IDENTITY, &[7; 32]),
            hash(IDENTITY, &[7; 40]),
        ];
        let mut marks = Marks::default();
        for hash in &hashes {
            assert_eq!(marks.visit(hash, LookedFor), Never, "{hash:?}");
        }
        assert!(hashes.iter().all(|hash| marks.contain(hash)));
    }
}
