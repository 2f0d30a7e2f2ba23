//! Private keys on their way between nodes, in the two forms that `ipfs key export`
//! writes. Only Ed25519: it is what this program makes, and what IPNS asks for.

use crate::ipfs::cid::IDENTITY;
use crate::ipfs::ipns;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use multihash::Multihash;
use std::fmt;
use thiserror::Error;

/// The head of a private key's protobuf message: type Ed25519, 64 bytes to come.
/// Source: <https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md>.
const PRIVATE_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x40];
/// The head of a public key's: type Ed25519, 32 bytes to come.
const PUBLIC_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x20];
/// The head of an Ed25519 key in PKCS #8: version 0, the algorithm 1.3.101.112, and 32
/// bytes to come. Source: <https://www.rfc-editor.org/rfc/rfc8410#section-7>.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// The lines around a key in PEM.
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/// The bytes of a seed, and of a public key.
pub const KEY_BYTES: usize = 32;

/// An Ed25519 private key.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    seed: [u8; KEY_BYTES],
}

/// Bytes that are not an Ed25519 private key in a form that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it does not hold an Ed25519 private key without a password, as `ipfs key export` writes it"
)]
pub struct NotAPrivateKey;

impl PrivateKey {
    /// The key with this seed.
    pub fn from_seed(seed: [u8; KEY_BYTES]) -> Self {
        Self { seed }
    }

    /// Reads a key in either form: `libp2p-protobuf-cleartext` or
    /// `pem-pkcs8-cleartext`.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAPrivateKey> {
        let text = str::from_utf8(bytes).ok();
        let key = match text.and_then(|text| text.trim().strip_prefix(PEM[0])) {
            Some(pem) => from_pem(pem),
            None => Self::from_protobuf(bytes),
        };
        key.ok_or(NotAPrivateKey)
    }

    /// Reads the form `libp2p-protobuf-cleartext`.
    pub fn from_protobuf(bytes: &[u8]) -> Option<Self> {
        let halves = bytes.strip_prefix(&PRIVATE_HEAD)?;
        let (seed, public) = halves.split_first_chunk()?;
        let key = Self::from_seed(*seed);
        (key.public_half() == *public).then_some(key)
    }

    /// The form `libp2p-protobuf-cleartext`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        [&PRIVATE_HEAD[..], &self.seed, &self.public_half()].concat()
    }

    /// The IPNS name, `k51…`.
    pub fn id(&self) -> String {
        id_of_public(&self.public_half())
    }

    fn public_half(&self) -> [u8; KEY_BYTES] {
        SigningKey::from_bytes(&self.seed)
            .verifying_key()
            .to_bytes()
    }
}

/// The secret is not shown.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey({})", self.id())
    }
}

/// Reads what follows the first line of a PEM file.
fn from_pem(rest: &str) -> Option<PrivateKey> {
    let (text, _) = rest.split_once(PEM[1])?;
    let text: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(text).ok()?;
    let seed = bytes.strip_prefix(&PKCS8_HEAD)?.try_into().ok()?;
    Some(PrivateKey::from_seed(seed))
}

/// The IPNS name of a public key.
fn id_of_public(public: &[u8; KEY_BYTES]) -> String {
    let message = [&PUBLIC_HEAD[..], public].concat();
    // 36 bytes always fit the 64 that a multihash holds.
    let hash = Multihash::wrap(IDENTITY, &message).unwrap_or_default();
    ipns::as_cid(&hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// One key in both forms and its name, from Kubo 0.42: `ipfs key export`, with
    /// `--format=pem-pkcs8-cleartext`, and `ipfs key list -l`.
    const PROTOBUF: &str = "08011240b1c4e890e74cd36911ac5167827d43c52faf8b93ff25626ab08635db\
                            0e2153e87d1c6ebf4f1f9836c47995359c19c67348626cf7cc91dbf32e48a2b66e28a1cd";
    const PEM_FILE: &str = "-----BEGIN PRIVATE KEY-----\n\
                            MC4CAQAwBQYDK2VwBCIEILHE6JDnTNNpEaxRZ4J9Q8Uvr4uT/yViarCGNdsOIVPo\n\
                            -----END PRIVATE KEY-----\n";
    const NAME: &str = "k51qzi5uqu5djauh987ss8f7yx36e1d335wx3qc5h3j1zxmafdw9v8749r18st";

    #[test]
    fn a_key_has_the_name_that_kubo_gives_it() {
        // From Kubo 0.44: `ipfs id` and `ipfs key list -l` of one node.
        let public = "5ed2809bc7d9fc50d65d81819169a9029cf0c1f38a831dd7c1947b672bed77b5";
        let public = HEXLOWER.decode(public.as_bytes()).unwrap();
        let public = public.try_into().unwrap();
        let name = "k51qzi5uqu5dijo3x62kegaftmotoj44utlg5fyd4gh4x4tk6z9mtc6cx0s791";
        assert_eq!(id_of_public(&public), name);
    }

    #[test]
    fn both_forms_of_kubo_are_read() {
        let protobuf = HEXLOWER.decode(PROTOBUF.as_bytes()).unwrap();
        let key = PrivateKey::read(&protobuf).unwrap();
        assert_eq!(key.id(), NAME);
        assert_eq!(key.to_protobuf(), protobuf);
        assert_eq!(PrivateKey::read(PEM_FILE.as_bytes()).unwrap(), key);
        let crlf = PEM_FILE.replace('\n', "\r\n");
        assert_eq!(PrivateKey::read(crlf.as_bytes()).unwrap(), key);
        assert_eq!(format!("{key:?}"), format!("PrivateKey({NAME})"));
    }

    #[test]
    fn nothing_else_is_taken_for_a_key() {
        let mut other_public = HEXLOWER.decode(PROTOBUF.as_bytes()).unwrap();
        *other_public.last_mut().unwrap() ^= 1;
        let encrypted = PEM_FILE.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let cut = &PEM_FILE[..60];
        let rsa = [&[0x08, 0x00, 0x12, 0xa4, 0x09][..], &[7; 1188]].concat();
        let others: [&[u8]; 6] = [
            b"",
            b"key",
            &other_public,
            encrypted.as_bytes(),
            cut.as_bytes(),
            &rsa,
        ];
        for other in others {
            assert_eq!(PrivateKey::read(other), Err(NotAPrivateKey), "{other:?}");
        }
    }
}
