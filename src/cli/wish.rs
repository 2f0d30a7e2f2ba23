//! What a person can name to be mirrored.

use crate::guix::{HashPart, StorePath};
use std::str::FromStr;

/// An item that a person named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its store hash.
    pub hash: HashPart,
    /// As it was named.
    pub label: String,
}

impl From<&StorePath> for Wanted {
    fn from(path: &StorePath) -> Self {
        Self {
            hash: path.hash(),
            label: path.to_string(),
        }
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = || text.parse::<StorePath>().map(|path| path.hash());
        match text.parse::<HashPart>().or_else(|_| path()) {
            Ok(hash) => Ok(Self {
                hash,
                label: text.to_owned(),
            }),
            Err(_) => Err("no store hash (32 characters) and no /gnu/store path".to_owned()),
        }
    }
}

/// A word of `add`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A store hash or a store path.
    Item(Wanted),
    /// A narinfo's URL.
    Narinfo {
        /// The URL of the server that has it.
        server: String,
        /// The item that it is about.
        item: Wanted,
    },
    /// A package, which a build farm knows.
    Package(Package),
    /// `-`: a list on standard input.
    StandardInput,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::StandardInput);
        }
        if let Ok(item) = text.parse() {
            return Ok(Self::Item(item));
        }
        if text.contains("://") {
            return narinfo(text).ok_or_else(|| "no URL of a HASH.narinfo".to_owned());
        }
        text.parse().map(Self::Package).map_err(|()| {
            "no store hash (32 characters), no /gnu/store path, no URL of a narinfo \
             and no package such as hello or hello@2"
                .to_owned()
        })
    }
}

fn narinfo(url: &str) -> Option<Wish> {
    let (server, file) = url.rsplit_once('/')?;
    let hash = file.strip_suffix(".narinfo")?.parse().ok()?;
    Some(Wish::Narinfo {
        server: server.to_owned(),
        item: Wanted {
            hash,
            label: url.to_owned(),
        },
    })
}

/// A package as Guix's command line names it: `hello`, `gcc-toolchain@13`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Such as `gcc-toolchain`.
    pub name: String,
    /// The version or the beginning of one, such as `13`.
    pub version: Option<String>,
}

impl Package {
    /// Whether a build of this full name, `NAME-VERSION`, is one of it: `13`
    /// stands for `13` and `13.2.0`, not for `130`.
    #[must_use]
    pub fn is(&self, full_name: &str) -> bool {
        let version = full_name
            .strip_prefix(self.name.as_str())
            .and_then(|rest| rest.strip_prefix('-'));
        match (version, &self.version) {
            (None, _) => false,
            (Some(version), None) => version.starts_with(|first: char| first.is_ascii_digit()),
            (Some(version), Some(wanted)) => version
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-'])),
        }
    }
}

impl FromStr for Package {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let is_plain = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphanumeric())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
        };
        match is_plain(name) && version.is_none_or(is_plain) {
            true => Ok(Self {
                name: name.to_owned(),
                version: version.map(str::to_owned),
            }),
            false => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

    #[test]
    fn each_kind_of_word_is_known_for_what_it_is() {
        let wish = |text: &str| text.parse::<Wish>();
        assert!(matches!(wish(HASH), Ok(Wish::Item(_))));
        assert!(matches!(
            wish(&format!("/gnu/store/{HASH}-a")),
            Ok(Wish::Item(_))
        ));
        assert_eq!(wish("-"), Ok(Wish::StandardInput));
        let url = format!("https://a.example/guix/{HASH}.narinfo");
        let Ok(Wish::Narinfo { server, item }) = wish(&url) else {
            panic!("{url}");
        };
        assert_eq!(
            (server.as_str(), item.hash.as_str()),
            ("https://a.example/guix", HASH)
        );
        for (text, name, version) in [
            ("hello", "hello", None),
            ("gcc-toolchain@13", "gcc-toolchain", Some("13")),
            ("gtk+@3.24", "gtk+", Some("3.24")),
        ] {
            let Ok(Wish::Package(package)) = wish(text) else {
                panic!("{text}");
            };
            assert_eq!(
                (package.name.as_str(), package.version.as_deref()),
                (name, version)
            );
        }
        for bad in [
            "",
            "/gnu/store/nothing",
            "https://a.example/x",
            "https://a.example/x.narinfo",
            "a b",
            "@1",
            "a@",
            "a@1@2",
            "--x",
            "a/b",
        ] {
            assert!(wish(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_is_that_or_the_beginning_of_one() -> Result<(), ()> {
        for (package, full_name, is) in [
            ("hello", "hello-2.12.1", true),
            ("hello", "hello-world-2.12.1", false),
            ("hello", "hello", false),
            ("gcc-toolchain@13", "gcc-toolchain-13.2.0", true),
            ("gcc-toolchain@13", "gcc-toolchain-13", true),
            ("gcc-toolchain@13", "gcc-toolchain-130", false),
            ("gcc-toolchain@13", "gcc-toolchain-12.13", false),
        ] {
            let matches = package.parse::<Package>()?.is(full_name);
            assert_eq!(matches, is, "{package} {full_name}");
        }
        Ok(())
    }
}
