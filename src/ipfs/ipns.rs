//! The spellings of an IPNS name: a CID (`k51…`), as Kubo prints it, or the peer
//! ID of its key in base58 (`12D3Koo…`), as libp2p does.
//! Source: <https://specs.ipfs.tech/ipns/ipns-record/#string-representation>

use super::cid::{Cid, LIBP2P_KEY};
use cid::multibase::{self, Base};
use multihash::Multihash;

/// The hash of the key that a name in either spelling stands for; `None` for
/// other names, such as a domain.
pub fn key_hash(name: &str) -> Option<Multihash<64>> {
    match name.parse::<Cid>() {
        // A peer ID that begins with `Qm` looks like a CIDv0.
        Ok(cid) if cid.codec() == LIBP2P_KEY || cid.version() == cid::Version::V0 => {
            Some(*cid.hash())
        }
        Ok(_) => None,
        Err(_) => {
            let bytes = Base::Base58Btc.decode(name).ok()?;
            Multihash::from_bytes(&bytes).ok()
        }
    }
}

/// The name as a CID in base36: `k51…`.
pub fn as_cid(key: &Multihash<64>) -> String {
    let cid = Cid::new_v1(LIBP2P_KEY, *key);
    multibase::encode(Base::Base36Lower, cid.to_bytes())
}

/// The name as a peer ID: `12D3Koo…`.
pub fn as_peer_id(key: &Multihash<64>) -> String {
    Base::Base58Btc.encode(key.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_two_spellings_and_a_domain_none() {
        let cid = "k51qzi5uqu5dgyg3xos212pqpfmzl7b4q72dpr4mp54n5vdoqllf8mkfc43cea";
        let peer_id = "12D3KooWBuZfgeC5U27PovNA8x1kFAZ94vhoHqCAtgFGe5eJQMny";
        for name in [cid, peer_id] {
            let key = key_hash(name).unwrap();
            assert_eq!(as_cid(&key), cid);
            assert_eq!(as_peer_id(&key), peer_id);
        }
        for other in ["guix.example", "guix-ipfs", "", "self"] {
            assert_eq!(key_hash(other), None, "{other}");
        }
    }
}
