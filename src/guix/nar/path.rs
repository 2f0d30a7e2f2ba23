//! The path of a nar below the cache's base, decoded and safe to use.

use super::super::delta;
use super::super::store_path::HashPart;
use crate::util::redirect;
use percent_encoding::percent_decode_str;
use std::fmt;

/// Bytes of the longest file name that file systems and gateways agree on.
const MAX_COMPONENT_BYTES: usize = 255;

/// The directory that every nar lies in.
const NAR_DIR: &str = "nar";

/// The directories in it, one a compression or an encoding.
const COMPRESSION_DIRS: [&str; 8] = [
    "gzip",
    "lzip",
    "zstd",
    "xz",
    "bzip2",
    "none",
    "br",
    delta::NAR_FOLDER,
];

/// The path of a nar: `nar/NAME` or `nar/COMPRESSION/NAME`, percent-decoded.
///
/// No component is empty, `.` or `..`, contains a slash or a control
/// character, or is longer than 255 bytes. Displays with slashes between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NarPath(Vec<String>);

impl NarPath {
    /// Decodes the `URL` of a narinfo, once, as gateways do.
    ///
    /// # Errors
    /// The URL is not relative to the cache's base, has a query or a fragment, is not
    /// percent-encoded UTF-8, or leads anywhere else than to `nar/NAME` or
    /// `nar/COMPRESSION/NAME`, or NAME directly in `nar/` is that of a compression's
    /// directory.
    pub fn parse(url: &str) -> Result<Self, NarPathError> {
        let components = components(url).map_err(|reason| NarPathError {
            url: url.to_owned(),
            reason,
        })?;
        Ok(Self(components))
    }

    /// The two or three names that lead to the nar; the first is `nar`.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.0
    }

    /// The store hash that the file name begins with, followed by `-`, `.` or the
    /// end: the item that the nar belongs to.
    #[must_use]
    pub fn owner(&self) -> Option<HashPart> {
        Self::owner_of(self.0.last()?)
    }

    /// The same for the file name of a nar.
    #[must_use]
    pub fn owner_of(file_name: &str) -> Option<HashPart> {
        let (hash, rest) = file_name.split_at_checked(HashPart::LEN)?;
        let is_whole = rest.is_empty() || rest.starts_with(['-', '.']);
        hash.parse().ok().filter(|_| is_whole)
    }

    /// Returns true for a name in `nar/` that is a compression's directory.
    #[must_use]
    pub fn is_directory(name: &str) -> bool {
        COMPRESSION_DIRS.contains(&name)
    }
}

impl fmt::Display for NarPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// A nar's URL that cannot be mirrored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the nar URL {url:?} cannot be mirrored: {reason}")]
pub struct NarPathError {
    url: String,
    #[source]
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("it is absolute, not relative to the server")]
    Absolute,
    /// A `?` in a name is written `%3F`.
    #[error("it has a query ('?')")]
    Query,
    /// A `#` in a name is written `%23`.
    #[error("it has a fragment ('#')")]
    Fragment,
    #[error("a '%' is not followed by two hexadecimal digits")]
    Escape,
    #[error("it is not UTF-8 once decoded")]
    NotUtf8,
    #[error("it has an empty component")]
    Empty,
    #[error("it has a component '.' or '..'")]
    Dots,
    /// Gateways and proxies on the way might decode such a name once more, and would
    /// not find the file. The name of a store item never has a `%`.
    #[error("a component is percent-encoded twice")]
    Twice,
    #[error("a component contains a slash once decoded")]
    Slash,
    #[error("a component contains a control character once decoded")]
    Control,
    #[error("a component has {0} bytes once decoded, more than {MAX_COMPONENT_BYTES}")]
    TooLong(usize),
    #[error("it does not begin with nar/")]
    NotInNar,
    #[error("it has {0} components: expected nar/NAME or nar/COMPRESSION/NAME")]
    Depth(usize),
    /// A file there would take the place of all nars of that compression.
    #[error("nar/{0} is the directory of a compression, not a nar")]
    Directory(String),
    #[error("{0:?} is not the directory of a compression: expected nar/COMPRESSION/NAME")]
    NotACompression(String),
}

fn components(url: &str) -> Result<Vec<String>, Reason> {
    let first = url.split('/').next().unwrap_or_default();
    if url.starts_with('/') || first.contains(':') {
        return Err(Reason::Absolute);
    }
    if url.contains('?') {
        return Err(Reason::Query);
    }
    if url.contains('#') {
        return Err(Reason::Fragment);
    }
    let components: Vec<String> = url.split('/').map(component).collect::<Result<_, _>>()?;
    let is_compression = |name: &String| NarPath::is_directory(name);
    match components.as_slice() {
        [first, ..] if first != NAR_DIR => Err(Reason::NotInNar),
        [_, name] if is_compression(name) => Err(Reason::Directory(name.clone())),
        [_, directory, _] if !is_compression(directory) => {
            Err(Reason::NotACompression(directory.clone()))
        }
        [_, _] | [_, _, _] => Ok(components),
        other => Err(Reason::Depth(other.len())),
    }
}

fn component(encoded: &str) -> Result<String, Reason> {
    if !redirect::is_well_escaped(encoded) {
        return Err(Reason::Escape);
    }
    let decoded = percent_decode_str(encoded)
        .decode_utf8()
        .map_err(|_| Reason::NotUtf8)?;
    match decoded.as_ref() {
        "" => Err(Reason::Empty),
        "." | ".." => Err(Reason::Dots),
        name if name.contains('/') => Err(Reason::Slash),
        name if name.contains('%') => Err(Reason::Twice),
        name if name.contains(char::is_control) => Err(Reason::Control),
        name if name.len() > MAX_COMPONENT_BYTES => Err(Reason::TooLong(name.len())),
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_nar_path_is_decoded_once() {
        for (url, path) in [
            ("nar/none/gzip", "nar/none/gzip"),
            ("nar/gzip/x-gtk%2B-3", "nar/gzip/x-gtk+-3"),
            ("nar/lzip/x-odd%3Fid%3D1", "nar/lzip/x-odd?id=1"),
            ("nar/x-a.tar.gz", "nar/x-a.tar.gz"),
            ("nar/x-a:b", "nar/x-a:b"),
            ("nar/delta1/x-a", "nar/delta1/x-a"),
        ] {
            let parsed = NarPath::parse(url).map(|parsed| parsed.to_string());
            assert_eq!(parsed, Ok(path.to_owned()));
        }
    }

    #[test]
    fn a_url_that_leads_elsewhere_is_refused_for_its_reason() {
        let long = format!("nar/{}", "x".repeat(256));
        for (url, reason) in [
            ("https://elsewhere.example/nar/x", Reason::Absolute),
            ("file:nar/x", Reason::Absolute),
            ("/nar/x", Reason::Absolute),
            ("//elsewhere.example/x", Reason::Absolute),
            ("nar/x?y", Reason::Query),
            ("nar/x#y", Reason::Fragment),
            ("nar/x%2", Reason::Escape),
            ("nar/%zz", Reason::Escape),
            ("nar/%é", Reason::Escape),
            ("nar/%ff", Reason::NotUtf8),
            ("nar//x", Reason::Empty),
            ("nar/gzip/", Reason::Empty),
            ("nar/../x", Reason::Dots),
            ("nar/%2e%2E", Reason::Dots),
            ("./nar/x", Reason::Dots),
            ("nar/a%2Fb", Reason::Slash),
            ("nar/a%252B", Reason::Twice),
            ("nar/a%25", Reason::Twice),
            ("nar/a%00", Reason::Control),
            ("nar/a%0A", Reason::Control),
            (long.as_str(), Reason::TooLong(256)),
            ("x.narinfo", Reason::NotInNar),
            ("%6Ear2/x", Reason::NotInNar),
            ("nar", Reason::Depth(1)),
            ("nar/a/b/c", Reason::Depth(4)),
            ("nar/gzip", Reason::Directory("gzip".to_owned())),
            ("nar/b%72", Reason::Directory("br".to_owned())),
            ("nar/delta1", Reason::Directory("delta1".to_owned())),
            ("nar/rar/x", Reason::NotACompression("rar".to_owned())),
            ("nar/GZIP/x", Reason::NotACompression("GZIP".to_owned())),
        ] {
            let refused = NarPath::parse(url).map_err(|e| e.reason);
            assert_eq!(refused, Err(reason), "{url}");
        }
        assert_eq!(NarPath::parse("").map_err(|e| e.reason), Err(Reason::Empty));
    }

    #[test]
    fn a_file_name_that_begins_with_a_store_hash_names_its_owner() -> Result<(), NarPathError> {
        const HASH: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
        for (url, owner) in [
            (format!("nar/gzip/{HASH}-x"), true),
            (format!("nar/{HASH}.nar.xz"), true),
            (format!("nar/{HASH}"), true),
            (format!("nar/{HASH}0-x"), false),
            (format!("nar/{}-x", &HASH[1..]), false),
            (format!("nar/{}-x", HASH.to_uppercase()), false),
            (format!("nar/{}é-x", &HASH[1..]), false),
            ("nar/x".to_owned(), false),
        ] {
            let path = NarPath::parse(&url)?;
            let expected = owner.then(|| HASH.parse().ok()).flatten();
            assert_eq!(path.owner(), expected, "{url}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_accepted_url_is_a_plain_relative_path(url in "(nar/(gzip/)?)?[a-z%/.?#0-9]{0,20}|.*") {
            if let Ok(path) = NarPath::parse(&url) {
                prop_assert!((2..=3).contains(&path.components().len()));
                for name in path.components() {
                    prop_assert!(!name.is_empty() && name != "." && name != "..");
                    prop_assert!(!name.contains(['/', '\0']));
                }
            }
        }
    }
}
