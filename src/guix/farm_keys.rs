//! Guix's own build farms, and the keys that Guix ships for them.

use super::key_file::KeyFile;
use super::signature::PublicKey;
use super::trusted_keys::TrustedKeys;
use crate::util::url;

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

impl TrustedKeys {
    /// The keys of all official farms.
    #[must_use]
    pub fn of_farms() -> Self {
        let mut keys = Self::default();
        for (_, key) in FARMS {
            keys.extend(&keys_in(key));
        }
        keys
    }

    /// The keys of an official farm, by the host of its URL; empty for any other.
    #[must_use]
    pub fn of_server(url: &str) -> Self {
        let host = url::host(url).unwrap_or_default();
        let mut keys = Self::default();
        for (_, key) in FARMS.iter().filter(|(names, _)| names.contains(&&*host)) {
            keys.extend(&keys_in(key));
        }
        keys
    }
}

/// The name of the official farm that has this key.
#[must_use]
pub fn farm_of(key: &PublicKey) -> Option<&'static str> {
    let mut farms = FARMS.iter();
    let farm = farms.find(|(_, text)| keys_in(text).keys().contains(key))?;
    farm.0.first().copied()
}

fn keys_in(text: &str) -> TrustedKeys {
    KeyFile::parse(text.as_bytes()).map_or_else(|_| TrustedKeys::default(), |file| file.keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::{Outcome, keys};

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
            assert_eq!(farm_of(&shipped.keys()[0]), Some(farm));
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
        let own = keys("signing-key.pub")?;
        assert_eq!(farm_of(&own.keys()[0]), None);
        Ok(())
    }
}
