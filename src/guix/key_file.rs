//! Files of keys: `(public-key …)`, several of these, or an `(acl …)` like
//! `/etc/guix/acl`. Keys of kinds that sign no narinfo stand in many of them, and are
//! skipped.

use super::sexp::{Sexp, SexpError};
use super::signature::PublicKey;
use super::trusted_keys::TrustedKeys;
use crate::util::diagnosis::Diagnosis;
use std::collections::BTreeMap;
use std::fmt;

/// Bytes of the largest key file accepted; a key takes some hundred.
const MAX_KEY_FILE_BYTES: usize = 1 << 20;

/// Other kinds of keys, by the name in their s-expression.
const OTHER_KINDS: [(&str, &str); 5] = [
    ("rsa", "RSA"),
    ("openpgp-rsa", "RSA"),
    ("dsa", "DSA"),
    ("elg", "ElGamal"),
    ("ecdsa", "ECDSA in an old form"),
];

/// A file of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFile {
    /// The keys that can be used, at least one.
    pub keys: TrustedKeys,
    /// The rest.
    pub others: OtherKeys,
}

/// The keys and entries that cannot be used: their number by kind. Displays as
/// `2 × RSA, 1 × NIST P-256`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherKeys(BTreeMap<String, usize>);

impl KeyFile {
    /// Reads a file of keys. Of an ACL the entries with the tag `guix import` count.
    ///
    /// # Errors
    /// It is not made of s-expressions, or has no key that can be used.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(KeyFileError::TooLarge(bytes.len()));
        }
        let mut file = Self::default();
        for sexp in Sexp::parse_file(bytes)? {
            match sexp.named("acl") {
                Some(entries) => entries.iter().for_each(|entry| file.add_entry(entry)),
                None => file.add_key(&sexp),
            }
        }
        match (file.keys.is_empty(), file.others.is_empty()) {
            (false, _) => Ok(file),
            (true, true) => Err(KeyFileError::Empty),
            (true, false) => Err(KeyFileError::Unusable(file.others)),
        }
    }

    fn add_entry(&mut self, entry: &Sexp) {
        let read = entry.fields("entry", ["public-key", "tag"]);
        let read = read.and_then(|[key, tag]| Ok((key, tag.fields("tag", ["guix"])?[0])));
        match read {
            Ok((key, purpose)) if purpose.atoms("guix") == Ok([b"import"]) => self.add_key(key),
            Ok(_) => self.others.count("entry of another purpose"),
            Err(_) => self.others.count("entry of another form"),
        }
    }

    fn add_key(&mut self, sexp: &Sexp) {
        match PublicKey::from_sexp(sexp) {
            Ok(key) => self.keys.add(key),
            Err(error) => self.others.count(&kind(sexp, &error)),
        }
    }
}

/// The kind of a key that this program cannot use, for this reason.
fn kind(sexp: &Sexp, error: &SexpError) -> String {
    let Some(parts) = sexp.named("public-key") else {
        return sexp.label();
    };
    let [key] = parts else {
        return format!("broken key ({error})");
    };
    let other = OTHER_KINDS
        .iter()
        .find(|(name, _)| key.named(name).is_some());
    if let Some((_, kind)) = other {
        return (*kind).to_owned();
    }
    let Some(fields) = key.named("ecc") else {
        return key.label();
    };
    let field = |name: &str| fields.iter().find_map(|field| field.named(name));
    match field("curve") {
        Some([Sexp::Atom(curve)]) if curve != b"Ed25519" => {
            String::from_utf8_lossy(&curve[..curve.len().min(40)]).into_owned()
        }
        // Guix looks for a narinfo's key among the whole s-expressions of its ACL, and
        // the keys of narinfos have no flags; so it does not find such a one either.
        _ if field("flags").is_some() => "Ed25519 with flags".to_owned(),
        _ => format!("broken key ({error})"),
    }
}

impl OtherKeys {
    /// Returns true if all keys can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&mut self, kind: &str) {
        *self.0.entry(kind.to_owned()).or_default() += 1;
    }
}

impl fmt::Display for OtherKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.0.iter();
        let kinds: Vec<_> = kinds
            .map(|(kind, count)| format!("{count} × {kind}"))
            .collect();
        f.write_str(&kinds.join(", "))
    }
}

/// The error of a file that cannot be used as keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// More than a MiB.
    #[error("it has {0} bytes, more than {MAX_KEY_FILE_BYTES}")]
    TooLarge(usize),
    /// A file without a key.
    #[error("there is no public key in it")]
    Empty,
    /// No key is of the kind that signs narinfos.
    #[error(
        "none of its keys can be used: {0}; expected (public-key (ecc (curve Ed25519) (q #…#))), \
         several of these, or an acl"
    )]
    Unusable(OtherKeys),
    /// Something else than s-expressions.
    #[error(
        "{0}; expected (public-key (ecc (curve Ed25519) (q #…#))), several of these, or an acl"
    )]
    Sexp(#[from] SexpError),
}

impl Diagnosis for KeyFileError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::{Outcome, keys, read};

    /// The keys and the rest of a file, or the reason why it cannot be used.
    fn parsed(bytes: &[u8]) -> (usize, String) {
        match KeyFile::parse(bytes) {
            Ok(file) => (file.keys.keys().len(), file.others.to_string()),
            Err(error) => (0, error.to_string()),
        }
    }

    #[test]
    fn one_key_several_and_an_acl_are_read() -> Outcome {
        let key = |farm: &str| read(&format!("farm/{farm}.guix.gnu.org.pub"));
        let (a, b) = (key("ci")?, key("bordeaux")?);
        let (a, b) = (String::from_utf8(a)?, String::from_utf8(b)?);
        let both = KeyFile::parse(format!("{a}\n{b}{a}").as_bytes())?;
        assert_eq!(both.keys.keys().len(), 2);
        let entry = |key: &str, tag: &str| format!("(entry {key} (tag (guix {tag})))");
        let acl = format!("(acl {} {})", entry(&a, "import"), entry(&b, "import"));
        assert_eq!(KeyFile::parse(acl.as_bytes())?, both);
        let acl = format!("(acl {} {})", entry(&a, "import"), entry(&b, "export"));
        let one = KeyFile::parse(acl.as_bytes())?;
        assert_eq!(one.keys.keys(), &both.keys.keys()[..1]);
        assert_eq!(one.others.to_string(), "1 × entry of another purpose");
        Ok(())
    }

    #[test]
    fn real_files_give_the_keys_that_sign_narinfos() -> Outcome {
        let farm = keys("farm/ci.guix.gnu.org.pub")?;
        for (file, others) in [
            ("acl-ci", ""),
            ("acl-bom", ""),
            ("acl-comment", ""),
            ("acl-crlf", ""),
            ("acl-rsa-and-ci", "1 × RSA"),
            ("acl-ci-and-rsa", "1 × RSA"),
            ("acl-nist", "1 × NIST P-256"),
            ("acl-eddsa", "1 × Ed25519 with flags"),
            ("two.pub", "1 × RSA"),
        ] {
            let read = KeyFile::parse(&read(&format!("acl/{file}"))?)?;
            assert_eq!(read.keys, farm, "{file}");
            assert_eq!(read.others.to_string(), others, "{file}");
        }
        for file in ["acl-rsa-only", "rsa.pub"] {
            let (keys, error) = parsed(&read(&format!("acl/{file}"))?);
            assert!(keys == 0 && error.contains("1 × RSA; expected"), "{error}");
        }
        Ok(())
    }

    #[test]
    fn a_key_that_cannot_be_used_leaves_the_others() -> Outcome {
        let good = String::from_utf8(read("farm/ci.guix.gnu.org.pub")?)?;
        let key = |key: &str| format!("(public-key {key})");
        let entry = |key: &str| format!("(entry {key} (tag (guix import)))");
        let named = [
            (key("(dsa (p #00#))"), "DSA"),
            (key("(elg (p #00#))"), "ElGamal"),
            (key("(ecc (curve Ed448) (q #00#))"), "Ed448"),
            (
                key("(ecc (curve brainpoolP256r1) (flags param) (q #00#))"),
                "brainpoolP256r1",
            ),
            (key("(kem (q #00#))"), "(kem …)"),
            ("(private-key (ecc))".to_owned(), "(private-key …)"),
        ];
        let broken = [
            ("(ecc (curve Ed25519) (q #00#))", SexpError::Value("q")),
            ("(ecc (q #00#))", SexpError::Missing("curve")),
            ("", SexpError::Missing("ecc")),
        ];
        let named = named.map(|(text, kind)| (text, kind.to_owned()));
        let broken = broken.map(|(text, error)| (key(text), format!("broken key ({error})")));
        for (other, kind) in named.into_iter().chain(broken) {
            let once = format!("1 × {kind}");
            for text in [format!("{other}{good}"), format!("{good}{other}")] {
                assert_eq!(parsed(text.as_bytes()), (1, once.clone()), "{text}");
            }
            let error = parsed(other.as_bytes()).1;
            assert!(error.contains(&format!("used: {once}; ")), "{error}");
        }
        for (other, kind) in [
            (entry("(hash sha256 #00#)"), "1 × entry of another form"),
            ("(entry)".to_owned(), "1 × entry of another form"),
            ("x (y)".to_owned(), "2 × entry of another form"),
        ] {
            let text = format!("(acl {other} {})", entry(&good));
            assert_eq!(parsed(text.as_bytes()), (1, kind.to_owned()), "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        let large = vec![b' '; MAX_KEY_FILE_BYTES + 1];
        for (text, error) in [
            (&b""[..], KeyFileError::Empty),
            (b"; nothing", KeyFileError::Empty),
            (b"(acl)", KeyFileError::Empty),
            (b"(acl", SexpError::NotClosed.into()),
            (b"a key", SexpError::Character(0).into()),
            (&large, KeyFileError::TooLarge(large.len())),
        ] {
            assert_eq!(KeyFile::parse(text), Err(error));
        }
    }
}
