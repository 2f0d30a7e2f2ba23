//! The signature of a narinfo, `1;HOST;BASE64`: ECDSA over the Ed25519 curve
//! with SHA-256, as libgcrypt does it (`cipher/ecc-ecdsa.c`). Not EdDSA.

use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::narinfo::Narinfo;
use super::sexp::{Sexp, SexpError};

/// The only version of signatures there is.
const VERSION: &str = "1";

/// What must be signed for the signature to say anything about an item.
const COVERED: [&str; 4] = ["StorePath", "NarHash", "NarSize", "References"];

/// A point of the Ed25519 curve, compressed: whose signatures can be checked.
///
/// Displays as key files write it, `#HEX#`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads `(public-key (ecc (curve Ed25519) (q #…#)))`.
    ///
    /// # Errors
    ///
    /// When it is anything else, such as an RSA key.
    pub fn from_sexp(sexp: &Sexp) -> Result<Self, SexpError> {
        let [ecc] = sexp.fields("public-key", ["ecc"])?;
        let [curve, q] = ecc.fields("ecc", ["curve", "q"])?;
        if curve.atoms("curve")? != [b"Ed25519"] {
            return Err(SexpError::Value("curve"));
        }
        let [q] = q.atoms("q")?;
        let q = q.try_into().map_err(|_| SexpError::Value("q"))?;
        Ok(Self(q))
    }

    /// Whether these numbers are this key's signature of a SHA-256.
    fn signed(&self, hash: &[u8; 32], r: &BigUint, s: &BigUint) -> bool {
        let order = &*ORDER;
        let zero = BigUint::ZERO;
        // As libgcrypt: other representatives of the same numbers are refused.
        if *r == zero || *s == zero || r >= order || s >= order {
            return false;
        }
        let Some(point) = CompressedEdwardsY(self.0).decompress() else {
            return false;
        };
        // The leftmost bits of the hash, as many as the order has.
        let z = scalar(&((BigUint::from_bytes_be(hash) >> 3u8) % order));
        let w = scalar(s).invert();
        let sum =
            EdwardsPoint::vartime_double_scalar_mul_basepoint(&(scalar(r) * w), &point, &(z * w));
        x(&sum) % order == *r
    }
}

/// The order of the base point: 2^252 + 27742317777372353535851937790883648493.
static ORDER: LazyLock<BigUint> = LazyLock::new(|| {
    (BigUint::from(1u8) << 252u8)
        + BigUint::from(27_742_317_777_372_353_535_851_937_790_883_648_493u128)
});

/// The prime of the field: 2^255 - 19.
static PRIME: LazyLock<BigUint> =
    LazyLock::new(|| (BigUint::from(1u8) << 255u8) - BigUint::from(19u8));

/// The curve's d: -121665/121666.
static D: LazyLock<BigUint> = LazyLock::new(|| {
    let minus = &*PRIME - BigUint::from(121_665u32);
    minus * inverse(&BigUint::from(121_666u32)) % &*PRIME
});

/// A number below the order.
fn scalar(number: &BigUint) -> Scalar {
    Scalar::from_bytes_mod_order(little_endian(number))
}

/// The 32 bytes of a number below 2^256.
fn little_endian(number: &BigUint) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, digit) in bytes.iter_mut().zip(number.to_bytes_le()) {
        *byte = digit;
    }
    bytes
}

/// 1/number in the field.
fn inverse(number: &BigUint) -> BigUint {
    number.modpow(&(&*PRIME - BigUint::from(2u8)), &PRIME)
}

/// The x coordinate, which the compressed form leaves to be computed: of the
/// two roots of (y² - 1)/(d·y² + 1) the one with the parity it tells (RFC 8032,
/// section 5.1.3).
fn x(point: &EdwardsPoint) -> BigUint {
    let prime = &*PRIME;
    let one = BigUint::from(1u8);
    let mut y = point.compress().0;
    let is_odd = y[31] & 0x80 != 0;
    y[31] &= 0x7f;
    let y = BigUint::from_bytes_le(&y);
    let square = &y * &y % prime;
    let x_square = (&square + prime - &one) * inverse(&(&*D * &square + &one)) % prime;
    let mut root = x_square.modpow(&((prime + BigUint::from(3u8)) >> 3u8), prime);
    if &root * &root % prime != x_square {
        // Times a root of -1.
        root = root * BigUint::from(2u8).modpow(&((prime - &one) >> 2u8), prime) % prime;
    }
    match root.bit(0) == is_odd {
        true => root,
        false => prime - root,
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("#")?;
        for byte in self.0 {
            write!(f, "{byte:02X}")?;
        }
        f.write_str("#")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A parsed signature; nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key that claims to have made it.
    pub key: PublicKey,
    /// SHA-256 of what it is over.
    hash: [u8; 32],
    r: BigUint,
    s: BigUint,
}

impl Signature {
    /// Reads the value of a `Signature:` line.
    ///
    /// # Errors
    ///
    /// When it has another version, is no base64 or no s-expression of the
    /// only kind that is understood.
    pub fn parse(value: &str) -> Result<Self, SignatureError> {
        let mut parts = value.splitn(3, ';');
        let version = parts.next().unwrap_or_default();
        if version != VERSION {
            return Err(SignatureError::Version(version.chars().take(20).collect()));
        }
        let base64 = parts.nth(1).ok_or(SignatureError::NotBase64)?;
        let bytes = BASE64.decode(base64.trim());
        let bytes = bytes.map_err(|_| SignatureError::NotBase64)?;
        Ok(Self::from_sexp(&Sexp::parse(&bytes)?)?)
    }

    fn from_sexp(sexp: &Sexp) -> Result<Self, SexpError> {
        let [data, values, key] = sexp.fields("signature", ["data", "sig-val", "public-key"])?;
        let [flags, hash] = data.fields("data", ["flags", "hash"])?;
        if flags.atoms("flags")? != [b"rfc6979"] {
            return Err(SexpError::Value("flags"));
        }
        let [function, hash] = hash.atoms("hash")?;
        if function != b"sha256" {
            return Err(SexpError::Value("hash"));
        }
        let [ecdsa] = values.fields("sig-val", ["ecdsa"])?;
        let [r, s] = ecdsa.fields("ecdsa", ["r", "s"])?;
        Ok(Self {
            key: PublicKey::from_sexp(key)?,
            hash: hash.try_into().map_err(|_| SexpError::Value("hash"))?,
            r: BigUint::from_bytes_be(r.atoms::<1>("r")?[0]),
            s: BigUint::from_bytes_be(s.atoms::<1>("s")?[0]),
        })
    }

    /// Checks the signature of a narinfo by one of `trusted`, over the fields
    /// that say what the item is.
    ///
    /// # Errors
    ///
    /// When there is no signature, it is malformed, by another key, over
    /// something else or wrong, or leaves one of those fields out.
    pub fn check(narinfo: &Narinfo, trusted: &[PublicKey]) -> Result<(), SignatureError> {
        let value = narinfo.signature.as_deref();
        let (value, signed) = match (value, narinfo.signed()) {
            (None, _) => return Err(SignatureError::Unsigned),
            (Some(value), Some(signed)) => (value, signed),
            (Some(_), None) => return Err(SignatureError::Misplaced),
        };
        let Self { key, hash, r, s } = Self::parse(value)?;
        if !trusted.contains(&key) {
            return Err(SignatureError::Untrusted(key));
        }
        if hash != *Sha256::digest(signed) {
            return Err(SignatureError::Changed(key));
        }
        if !key.signed(&hash, &r, &s) {
            return Err(SignatureError::Wrong(key));
        }
        let covers = |field: &str| {
            let mut lines = signed.split(|&byte| byte == b'\n');
            lines.any(|line| {
                let rest = line.strip_prefix(field.as_bytes());
                rest.is_some_and(|rest| rest.starts_with(b":"))
            })
        };
        match COVERED.into_iter().find(|field| !covers(field)) {
            Some(field) => Err(SignatureError::NotCovered { key, field }),
            None => Ok(()),
        }
    }
}

/// Why a narinfo is not taken for one that a trusted key has signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no `Signature:` line.
    #[error("its narinfo is not signed\ntake it from a server that signs what it serves")]
    Unsigned,
    /// `Signature:` stands inside another line first, where clients would take
    /// the signed part to end.
    #[error("its narinfo has a \"Signature:\" inside another line")]
    Misplaced,
    /// A version other than 1.
    #[error("its signature has version {0:?}: only 1 is known")]
    Version(String),
    /// Not `1;HOST;BASE64`.
    #[error("its signature is not 1;HOST;BASE64")]
    NotBase64,
    /// The signature itself is malformed, or of a kind that is not understood.
    #[error("its signature is malformed: {0} (only ECDSA with SHA-256 over Ed25519 is known)")]
    Malformed(#[from] SexpError),
    /// Signed by a key that is not among the trusted ones.
    #[error(
        "its narinfo is signed by the key {0}, which is not trusted\nif you trust it, name its file with --trusted-keys"
    )]
    Untrusted(PublicKey),
    /// The signed bytes are others.
    #[error("its narinfo was changed after the key {0} signed it")]
    Changed(PublicKey),
    /// The numbers do not fit the key.
    #[error("its signature is not one by the key {0}, as it claims")]
    Wrong(PublicKey),
    /// The signature is right and says too little.
    #[error("its {field} is not covered by the signature of the key {key}")]
    NotCovered {
        /// The key that signed the rest.
        key: PublicKey,
        /// The field.
        field: &'static str,
    },
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
