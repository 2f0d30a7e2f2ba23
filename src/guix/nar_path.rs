//! Where a nar stands below the cache's base, decoded and safe to use as a path.

use std::fmt;

use percent_encoding::percent_decode_str;

/// Bytes of the longest file name that file systems and gateways agree on.
const MAX_COMPONENT_BYTES: usize = 255;

/// The directory that every nar lies in.
const NAR_DIR: &str = "nar";

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
    ///
    /// When the URL is not relative to the cache's base, has a query or a
    /// fragment, is no valid percent-encoded UTF-8, or leads anywhere else
    /// than to `nar/NAME` or `nar/COMPRESSION/NAME`.
    pub fn parse(url: &str) -> Result<Self, NarPathError> {
        let refuse = |reason| NarPathError {
            url: url.to_owned(),
            reason,
        };
        let first = url.split('/').next().unwrap_or_default();
        if url.starts_with('/') || first.contains(':') {
            return Err(refuse(Reason::Absolute));
        }
        if url.contains('?') {
            return Err(refuse(Reason::Query));
        }
        if url.contains('#') {
            return Err(refuse(Reason::Fragment));
        }
        let components = url
            .split('/')
            .map(component)
            .collect::<Result<Vec<_>, _>>()
            .map_err(refuse)?;
        if components.first().is_none_or(|first| first != NAR_DIR) {
            return Err(refuse(Reason::NotInNar));
        }
        if !(2..=3).contains(&components.len()) {
            return Err(refuse(Reason::Depth(components.len())));
        }
        Ok(Self(components))
    }

    /// The two or three names that lead to the nar; the first is `nar`.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.0
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
    /// The URL as the narinfo writes it.
    pub url: String,
    /// What is wrong with it.
    #[source]
    pub reason: Reason,
}

/// Why a nar's URL was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It has a scheme or begins with a slash.
    #[error("it is absolute, not relative to the server")]
    Absolute,
    /// It has a query; a `?` in a name must be written `%3F`.
    #[error("it has a query ('?')")]
    Query,
    /// It has a fragment; a `#` in a name must be written `%23`.
    #[error("it has a fragment ('#')")]
    Fragment,
    /// A `%` without two hexadecimal digits after it.
    #[error("a '%' is not followed by two hexadecimal digits")]
    Escape,
    /// The decoded bytes are no text.
    #[error("it is not UTF-8 once decoded")]
    NotUtf8,
    /// Two slashes in a row, or one at the end.
    #[error("it has an empty component")]
    Empty,
    /// A component `.` or `..`.
    #[error("it has a component '.' or '..'")]
    Dots,
    /// A name that could be decoded once more: gateways and proxies on the way
    /// to it might, and would not find it. No store item's name has a `%`.
    #[error("a component is percent-encoded twice")]
    Twice,
    /// A `%2F` inside a component.
    #[error("a component contains a slash once decoded")]
    Slash,
    /// A component with a NUL or another control character.
    #[error("a component contains a control character once decoded")]
    Control,
    /// A component of more bytes than a file name can have.
    #[error("a component has {0} bytes once decoded, more than {MAX_COMPONENT_BYTES}")]
    TooLong(usize),
    /// It does not begin with `nar/`.
    #[error("it does not begin with nar/")]
    NotInNar,
    /// It has this many components instead of two or three.
    #[error("it has {0} components: expected nar/NAME or nar/COMPRESSION/NAME")]
    Depth(usize),
}

fn component(encoded: &str) -> Result<String, Reason> {
    let well_escaped = encoded.split('%').skip(1).all(|after| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !well_escaped {
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
            ("nar/gzip/x-gtk%2B-3", "nar/gzip/x-gtk+-3"),
            ("nar/lzip/x-odd%3Fid%3D1", "nar/lzip/x-odd?id=1"),
            ("nar/x-a.tar.gz", "nar/x-a.tar.gz"),
            ("nar/x-a:b", "nar/x-a:b"),
        ] {
            assert_eq!(
                NarPath::parse(url).map(|p| p.to_string()),
                Ok(path.to_owned())
            );
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
        ] {
            let refused = NarPath::parse(url).map_err(|e| e.reason);
            assert_eq!(refused, Err(reason), "{url}");
        }
        assert_eq!(NarPath::parse("").map_err(|e| e.reason), Err(Reason::Empty));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_a_plain_relative_path(url in "(nar/)?[a-z%/.?#0-9]{0,20}|.*") {
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
