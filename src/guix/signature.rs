//! The signature of a narinfo, `1;HOST;BASE64`: ECDSA over the Ed25519 curve with
//! SHA-256, as libgcrypt does it (`cipher/ecc-ecdsa.c`). Not EdDSA.

use super::narinfo::Narinfo;
use super::narinfo::parsed::is_line_of;
use super::sexp::{Sexp, SexpError};
use crate::util::diagnosis::Diagnosis;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use data_encoding::HEXUPPER;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::LazyLock;

/// The only version of signatures.
const VERSION: &str = "1";

/// The fields that must be signed for a signature to vouch for an item.
const COVERED: [&str; 4] = ["StorePath", "NarHash", "NarSize", "References"];

/// A key that signatures can be checked by: a compressed point of the Ed25519 curve.
///
/// Displays as in key files, `#HEX#`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads `(public-key (ecc (curve Ed25519) (q #…#)))`.
    ///
    /// # Errors
    /// It is anything else, such as an RSA key.
    pub(super) fn from_sexp(sexp: &Sexp) -> Result<Self, SexpError> {
        let [ecc] = sexp.fields("public-key", ["ecc"])?;
        let [curve, q] = ecc.fields("ecc", ["curve", "q"])?;
        if curve.atoms("curve")? != [b"Ed25519"] {
            return Err(SexpError::Value("curve"));
        }
        let [q] = q.atoms("q")?;
        let q = q.try_into().map_err(|_| SexpError::Value("q"))?;
        Ok(Self(q))
    }

    /// Returns true if these numbers are this key's signature of a SHA-256.
    fn signed(&self, hash: &[u8; 32], r: &BigUint, s: &BigUint) -> bool {
        let order = &*ORDER;
        let zero = BigUint::ZERO;
        // libgcrypt refuses other representatives of the same numbers, too.
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
        has_x(&sum, r)
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

/// A number below the order.
fn scalar(number: &BigUint) -> Scalar {
    let mut bytes = [0; 32];
    for (byte, digit) in bytes.iter_mut().zip(number.to_bytes_le()) {
        *byte = digit;
    }
    Scalar::from_bytes_mod_order(bytes)
}

/// Returns true if the x coordinate of a point is `r` modulo the order. The compressed
/// form has only the parity of x, so that each candidate is put into the equation of the
/// curve, -x² + y² = 1 - 121665/121666·x²·y² (RFC 8032, section 5.1).
fn has_x(point: &EdwardsPoint, r: &BigUint) -> bool {
    let prime = &*PRIME;
    let mut y = point.compress().0;
    let is_odd = y[31] & 0x80 != 0;
    y[31] &= 0x7f;
    let y_square = BigUint::from_bytes_le(&y).pow(2) % prime;
    let is_on_curve = |x: &BigUint| {
        let x_square = x.pow(2) % prime;
        // Both sides times 121666, without the minus signs.
        let left = 121_666u32 * &y_square + 121_665u32 * (&x_square * &y_square);
        let right = 121_666u32 * (1u8 + x_square);
        left % prime == right % prime
    };
    // The prime is a little less than eight times the order.
    let candidates = (0..8u8).map(|times| r + &*ORDER * times);
    let mut possible = candidates.filter(|x| x < prime && x.bit(0) == is_odd);
    possible.any(|x| is_on_curve(&x))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}#", HEXUPPER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A parsed signature, not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key that claims to have made it.
    pub key: PublicKey,
    /// SHA-256 of the signed bytes.
    hash: [u8; 32],
    r: BigUint,
    s: BigUint,
}

impl Signature {
    /// Reads the value of a `Signature:` line.
    ///
    /// # Errors
    /// It has another version, is not base64, or is not an s-expression of the only
    /// kind that is understood.
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

    /// The key that signed a narinfo, whether or not anybody trusts it.
    ///
    /// # Errors
    /// As `Signature::check`.
    pub fn signer(narinfo: &Narinfo) -> Result<PublicKey, SignatureError> {
        let value = narinfo.signature.as_deref();
        let key = Self::parse(value.ok_or(SignatureError::Unsigned)?)?.key;
        Self::check(narinfo, &[key])?;
        Ok(key)
    }

    /// Checks the signature of a narinfo by one of `trusted`, over the fields that
    /// define the item.
    ///
    /// # Errors
    /// There is no signature, it is malformed, by another key, over something else or
    /// wrong, or leaves one of those fields out.
    pub(super) fn check(narinfo: &Narinfo, trusted: &[PublicKey]) -> Result<(), SignatureError> {
        let value = narinfo.signature.as_deref();
        let value = value.ok_or(SignatureError::Unsigned)?;
        let signed = narinfo.signed().ok_or(SignatureError::Misplaced)?;
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
            lines.any(|line| is_line_of(line, field))
        };
        match COVERED.into_iter().find(|field| !covers(field)) {
            Some(field) => Err(SignatureError::NotCovered(key, field)),
            None => Ok(()),
        }
    }
}

/// The error of a narinfo that is not signed by a trusted key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A narinfo without a `Signature:` line.
    #[error("its narinfo is not signed")]
    Unsigned,
    /// The first `Signature:` stands inside another line, and clients would take the
    /// signed part to end there.
    #[error("its narinfo has a \"Signature:\" inside another line")]
    Misplaced,
    /// A version other than 1.
    #[error("its signature has version {0:?}: only 1 is known")]
    Version(String),
    /// Not `1;HOST;BASE64`.
    #[error("its signature is not 1;HOST;BASE64")]
    NotBase64,
    /// The s-expression is malformed, or of a kind that is not understood.
    #[error("its signature is malformed: {0} (only ECDSA with SHA-256 over Ed25519 is known)")]
    Malformed(#[from] SexpError),
    /// Signed by a key that is not among the trusted ones.
    #[error("its narinfo is signed by the key {0}, which is not trusted")]
    Untrusted(PublicKey),
    /// The signed bytes are others.
    #[error("its narinfo was changed after the key {0} signed it")]
    Changed(PublicKey),
    /// The numbers do not fit the key.
    #[error("its signature was not made by the key {0}, as it claims")]
    Wrong(PublicKey),
    /// The signature is right and does not cover one of the fields needed.
    #[error("its {1} is not covered by the signature of the key {0}")]
    NotCovered(PublicKey, &'static str),
}

impl Diagnosis for SignatureError {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::Unsigned => "use a server that signs its narinfos",
            Self::Untrusted(_) => "if you trust it, name its file with --trusted-keys",
            _ => return None,
        };
        Some(advice.to_owned())
    }
}

#[cfg(test)]
mod tests;
