//! The keys whose signatures are trusted: those of a file, and those of Guix's own
//! build farms.

use super::narinfo::Narinfo;
use super::sexp::{Sexp, SexpError};
use super::signature::{PublicKey, Signature, SignatureError};
use crate::util::diagnosis::Diagnosis;
use crate::util::url;

/// Bytes of the largest key file accepted; a key takes some hundred.
const MAX_KEY_FILE_BYTES: usize = 1 << 20;

/// The official farms: the names that each has had, and its key as Guix ships it
/// (`etc/substitutes`).
const FARMS: [(&[&str], &str); 2] = [
    (
        &[
            "ci.guix.gnu.org",
            "ci.guix.info",
            "berlin.guix.gnu.org",
            "berlin.guix.info",
            "berlin.guixsd.org",
        ],
        "(public-key (ecc (curve Ed25519) \
         (q #8D156F295D24B0D9A86FA5741A840FF2D24F60F7B6C4134814AD55625971B394#)))",
    ),
    (
        &["bordeaux.guix.gnu.org"],
        "(public-key (ecc (curve Ed25519) \
         (q #7D602902D3A2DBB83F8A0FB98602A754C5493B0B778C8D1DD4E0F41DE14DE34F#)))",
    ),
];

/// Keys that may sign narinfos. Without any, signatures are not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// Reads a file of keys: one `(public-key …)`, several, or an `(acl …)` like
    /// `/etc/guix/acl`. Of an ACL the entries with the tag `guix import` count.
    ///
    /// # Errors
    /// It is anything else, has a key of another kind, or has no key at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustedKeysError> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(TrustedKeysError::TooLarge(bytes.len()));
        }
        let mut keys = Self::default();
        for sexp in Sexp::parse_all(bytes)? {
            match sexp.named("acl") {
                Some(entries) => {
                    for entry in entries {
                        let [key, tag] = entry.fields("entry", ["public-key", "tag"])?;
                        let [import] = tag.fields("tag", ["guix"])?;
                        if import.atoms("guix")? == [b"import"] {
                            keys.add(PublicKey::from_sexp(key)?);
                        }
                    }
                }
                None => keys.add(PublicKey::from_sexp(&sexp)?),
            }
        }
        match keys.is_empty() {
            true => Err(TrustedKeysError::Empty),
            false => Ok(keys),
        }
    }

    /// The keys of an official farm, by the host of its URL; empty for any other.
    #[must_use]
    pub fn of_server(url: &str) -> Self {
        let host = url::host(url).unwrap_or_default();
        let mut keys = Self::default();
        for (_, key) in FARMS.iter().filter(|(names, _)| names.contains(&&*host)) {
            if let Ok(farms) = Self::parse(key.as_bytes()) {
                keys.extend(&farms);
            }
        }
        keys
    }

    /// Returns true if there are no keys to check a signature by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, each once.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Adds the keys of `others`.
    pub fn extend(&mut self, others: &Self) {
        for key in &others.0 {
            self.add(*key);
        }
    }

    /// Checks the signature of a narinfo. Without keys, any narinfo passes.
    ///
    /// # Errors
    /// It is not signed by one of these keys, or was changed since.
    pub fn check(&self, narinfo: &Narinfo) -> Result<(), SignatureError> {
        match self.is_empty() {
            true => Ok(()),
            false => Signature::check(narinfo, &self.0),
        }
    }

    fn add(&mut self, key: PublicKey) {
        if !self.0.contains(&key) {
            self.0.push(key);
        }
    }
}

/// The error of a file that cannot be used as keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustedKeysError {
    /// More than a MiB.
    #[error("it has {0} bytes, more than {MAX_KEY_FILE_BYTES}")]
    TooLarge(usize),
    /// A file without a key.
    #[error("there is no public key in it")]
    Empty,
    /// Something else than keys and ACLs, or a key of another kind.
    #[error(
        "{0}; expected (public-key (ecc (curve Ed25519) (q #…#))), several of these, or an acl"
    )]
    Sexp(#[from] SexpError),
}

impl Diagnosis for TrustedKeysError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::{Outcome, keys, read};

    #[test]
    fn the_built_in_keys_are_those_that_guix_ships() -> Outcome {
        for (farm, others) in [
            (
                "ci.guix.gnu.org",
                &["berlin.guixsd.org", "CI.guix.gnu.org:443"][..],
            ),
            ("bordeaux.guix.gnu.org", &[]),
        ] {
            let shipped = keys(&format!("farm/{farm}.pub"))?;
            assert_eq!(shipped.keys().len(), 1);
            for host in others.iter().chain(&[farm]) {
                assert_eq!(TrustedKeys::of_server(&format!("https://{host}")), shipped);
            }
        }
        for url in [
            "http://127.0.0.1:1",
            "https://ci.guix.gnu.org.example/x",
            "x",
        ] {
            assert!(TrustedKeys::of_server(url).is_empty(), "{url}");
        }
        Ok(())
    }

    #[test]
    fn one_key_several_and_an_acl_are_read() -> Outcome {
        let key = |farm: &str| read(&format!("farm/{farm}.guix.gnu.org.pub"));
        let (a, b) = (key("ci")?, key("bordeaux")?);
        let (a, b) = (String::from_utf8(a)?, String::from_utf8(b)?);
        let both = TrustedKeys::parse(format!("{a}\n{b}{a}").as_bytes())?;
        assert_eq!(both.keys().len(), 2);
        let entry = |key: &str, tag: &str| format!("(entry {key} (tag (guix {tag})))");
        let acl = format!("(acl {} {})", entry(&a, "import"), entry(&b, "import"));
        assert_eq!(TrustedKeys::parse(acl.as_bytes())?, both);
        let acl = format!("(acl {} {})", entry(&a, "import"), entry(&b, "export"));
        assert_eq!(
            TrustedKeys::parse(acl.as_bytes())?.keys(),
            &both.keys()[..1]
        );
        Ok(())
    }

    #[test]
    fn a_file_without_a_usable_key_is_refused() {
        let large = vec![b' '; MAX_KEY_FILE_BYTES + 1];
        for (text, error) in [
            (&b""[..], TrustedKeysError::Empty),
            (b"(acl)", TrustedKeysError::Empty),
            (b"(acl (key))", SexpError::Missing("entry").into()),
            (b"(private-key)", SexpError::Missing("public-key").into()),
            (
                b"(public-key (rsa (n #00#) (e #010001#)))",
                SexpError::Stray("public-key", "(rsa …)".to_owned()).into(),
            ),
            (
                b"(public-key (ecc (curve Ed448) (q #00#)))",
                SexpError::Value("curve").into(),
            ),
            (
                b"(public-key (ecc (curve Ed25519) (q #00#)))",
                SexpError::Value("q").into(),
            ),
            (&large, TrustedKeysError::TooLarge(large.len())),
        ] {
            assert_eq!(TrustedKeys::parse(text), Err(error));
        }
    }
}
