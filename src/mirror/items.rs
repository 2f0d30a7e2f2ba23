//! Items as a person names them.

use crate::guix::{HashPart, StorePath};
use crate::util::url;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The beginning of a store path.
const STORE: &str = "/gnu/store/";

/// An item by its store hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRef {
    /// Its store hash.
    pub hash: HashPart,
    /// The item as it was named.
    pub label: String,
}

impl From<&StorePath> for ItemRef {
    fn from(path: &StorePath) -> Self {
        Self {
            hash: path.hash(),
            label: path.to_string(),
        }
    }
}

impl FromStr for ItemRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `ls /gnu/store` prints names alone.
        let path = || text.parse().or_else(|_| StorePath::from_basename(text));
        let hash = text.parse().or_else(|_| path().map(|path| path.hash()));
        match hash {
            Ok(hash) => Ok(Self {
                hash,
                label: text.to_owned(),
            }),
            Err(_) => Err(nearly_an_item(text).unwrap_or_else(|| {
                "not a store hash (32 characters) or a /gnu/store path".to_owned()
            })),
        }
    }
}

impl ItemRef {
    /// The item that a word of a list names, with or without quotes around it, by its
    /// narinfo or by a file within it. A fault where the word was meant for an item and
    /// names none; `None` for any other word.
    pub fn of_listed(word: &str) -> Option<Result<Self, String>> {
        let word = word.trim_matches(|mark| "\"'`,;()[]<>{}".contains(mark));
        // `ls -p` and `ls -R` mark folders.
        let word = word.trim_end_matches(['/', ':']);
        let in_store = word.strip_prefix(STORE);
        let item = in_store.and_then(|path| path.split_once('/'));
        let item = item.map(|(item, _)| format!("{STORE}{item}"));
        let narinfo = word.strip_suffix(".narinfo");
        let hash = narinfo.and_then(|name| name.rsplit('/').next());
        let named = [Some(word), item.as_deref(), hash].into_iter().flatten();
        if let Some(item) = named.filter_map(|name| name.parse().ok()).next() {
            return Some(Ok(item));
        }
        let Some(name) = in_store else {
            return nearly_an_item(word).map(Err);
        };
        // The daemon's own folders, such as /gnu/store/.links.
        if !name.starts_with(char::is_alphanumeric) || name == "trash" {
            return None;
        }
        let fault = || {
            StorePath::from_basename(name)
                .err()
                .map(|fault| fault.to_string())
        };
        nearly_an_item(word).or_else(fault).map(Err)
    }
}

/// An argument of `add`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemSpec {
    /// A store hash or a store path.
    Item(ItemRef),
    /// A narinfo's URL.
    Narinfo {
        /// The URL of its server.
        server: String,
        /// The item that it is about.
        item: ItemRef,
    },
    /// A package, looked up at a build farm.
    Package(Package),
    /// `-`: a list on standard input.
    StandardInput,
}

impl FromStr for ItemSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::StandardInput);
        }
        if text.ends_with(".drv") {
            return Err(
                "a derivation is a recipe, which no server substitutes; name what it \
                        builds, as `guix build` prints it"
                    .to_owned(),
            );
        }
        if let Ok(item) = text.parse() {
            return Ok(Self::Item(item));
        }
        if text.contains("://") {
            return narinfo(text);
        }
        if let Some(fault) = nearly_an_item(text) {
            return Err(fault);
        }
        text.parse().map(Self::Package).map_err(|()| {
            "not a store hash (32 characters), a /gnu/store path, the URL of a narinfo \
             or a package such as hello or hello@2"
                .to_owned()
        })
    }
}

fn narinfo(url: &str) -> Result<ItemSpec, String> {
    let file = url.rsplit_once('/');
    let file = file.and_then(|(server, file)| Some((server, file.strip_suffix(".narinfo")?)));
    let Some((server, word)) = file else {
        return Err("not the URL of a HASH.narinfo".to_owned());
    };
    let Ok(hash) = word.parse() else {
        let fault = hash_fault(word).unwrap_or_else(|| "that is not a store hash".to_owned());
        return Err(format!("not the URL of a HASH.narinfo: {fault}"));
    };
    Ok(ItemSpec::Narinfo {
        server: server.to_owned(),
        item: ItemRef {
            hash,
            label: url::shown(url),
        },
    })
}

/// The fault in a word that was meant for an item's hash, name or path.
fn nearly_an_item(word: &str) -> Option<String> {
    let in_store = word.strip_prefix(STORE);
    let name = in_store.unwrap_or(word).trim_end_matches('/');
    if let Some((path, _)) = name.split_once('/') {
        in_store?;
        return Some(format!(
            "a file within an item; name the item, {STORE}{path}"
        ));
    }
    let hash = name.split('-').next().unwrap_or_default();
    hash_fault(hash)
}

/// Letters and digits that were meant for a store hash, which has 32: no package has so
/// long a name without a dash.
const NEARLY_A_HASH: RangeInclusive<usize> = 28..=36;

/// The fault in a word that was meant for a store hash.
fn hash_fault(word: &str) -> Option<String> {
    let is_meant = NEARLY_A_HASH.contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && word.bytes().any(|byte| byte.is_ascii_digit());
    if !is_meant || word.parse::<HashPart>().is_ok() {
        return None;
    }
    let small = word.to_ascii_lowercase();
    if small.parse::<HashPart>().is_ok() {
        return Some(format!(
            "a store hash has lowercase letters only; try {small}"
        ));
    }
    if word.len() != HashPart::LEN {
        return Some(format!(
            "{} characters, but a store hash has {}",
            word.len(),
            HashPart::LEN
        ));
    }
    let wrong = word
        .chars()
        .find(|letter| "eotu".contains(letter.to_ascii_lowercase()));
    wrong.map(|letter| format!("it has the letter {letter}; a store hash has no e, o, t or u"))
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
    /// Returns true for the full name, `NAME-VERSION`, of a build of this package:
    /// `13` stands for `13` and `13.2.0`, not for `130`.
    pub fn matches(&self, full_name: &str) -> bool {
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

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
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
        let spec = |text: &str| text.parse::<ItemSpec>();
        assert!(matches!(spec(HASH), Ok(ItemSpec::Item(_))));
        for name in [format!("/gnu/store/{HASH}-a"), format!("{HASH}-gtk+-3.24")] {
            assert!(matches!(spec(&name), Ok(ItemSpec::Item(_))), "{name}");
        }
        assert_eq!(spec("-"), Ok(ItemSpec::StandardInput));
        let url = format!("https://a.example/guix/{HASH}.narinfo");
        let Ok(ItemSpec::Narinfo { server, item }) = spec(&url) else {
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
            let Ok(ItemSpec::Package(package)) = spec(text) else {
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
            assert!(spec(bad).is_err(), "{bad}");
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
            let matches = package.parse::<Package>()?.matches(full_name);
            assert_eq!(matches, is, "{package} {full_name}");
        }
        Ok(())
    }
}
