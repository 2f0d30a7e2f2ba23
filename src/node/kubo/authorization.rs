//! The token or password for a node whose RPC asks for one (Kubo's
//! `API.Authorizations`). The secret is shown nowhere.

use crate::util::diagnosis::Diagnosis;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// The variable that holds a secret, as [`Authorization`] reads it.
pub const AUTHORIZATION_VARIABLE: &str = "GUIX_IPFS_API_AUTH";

/// The value of an `Authorization` header.
///
/// It is read as Kubo's `AuthSecret` is: `bearer:TOKEN`, `basic:USER:PASSWORD`
/// or `basic:BASE64`.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(String);

/// The reason why there is no authorization in the named place.
#[derive(Debug, Error)]
pub enum AuthorizationError {
    /// The file cannot be read.
    #[error("cannot read the node's authorization from {0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// It is there but does not hold one.
    #[error("{0} holds no authorization")]
    Malformed(String),
}

impl Authorization {
    /// The authorization in the file, or else in the variable, or else none.
    ///
    /// # Errors
    /// The one that is taken cannot be read as an authorization.
    pub fn find(
        file: Option<&Path>,
        variable: Option<&str>,
    ) -> Result<Option<Self>, AuthorizationError> {
        let (text, from) = match (file, variable) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path);
                let text =
                    text.map_err(|error| AuthorizationError::File(path.to_owned(), error))?;
                (text, path.display().to_string())
            }
            (None, Some(text)) if !text.is_empty() => {
                (text.to_owned(), format!("${AUTHORIZATION_VARIABLE}"))
            }
            _ => return Ok(None),
        };
        let read = text.trim().parse();
        read.map(Some)
            .map_err(|()| AuthorizationError::Malformed(from))
    }

    /// The authorization of a user and password, `USER:PASSWORD`.
    pub(super) fn basic(user: &[u8]) -> Self {
        Self(format!("Basic {}", BASE64_STANDARD.encode(user)))
    }

    /// For the header, and nothing else.
    pub(super) fn header(&self) -> &str {
        &self.0
    }
}

impl Diagnosis for AuthorizationError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::File(..) => Some("name a file that can be read".to_owned()),
            Self::Malformed(_) => {
                Some("write bearer:TOKEN or basic:USER:PASSWORD there".to_owned())
            }
        }
    }
}

impl FromStr for Authorization {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // The characters of a word in a header.
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        match text.split_once(':') {
            Some(("bearer", token)) if is_word(token) => Ok(Self(format!("Bearer {token}"))),
            Some(("basic", user)) if user.contains(':') => Ok(Self::basic(user.as_bytes())),
            Some(("basic", encoded)) if is_word(encoded) => Ok(Self(format!("Basic {encoded}"))),
            _ => Err(()),
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_kubo_reads_it() {
        for (text, header) in [
            ("bearer:my-token", "Bearer my-token"),
            ("basic:me:pass:word", "Basic bWU6cGFzczp3b3Jk"),
            ("basic:bWU6cGFzczp3b3Jk", "Basic bWU6cGFzczp3b3Jk"),
        ] {
            let read: Authorization = text.parse().unwrap();
            assert_eq!(read.header(), header);
        }
        for text in ["", "bearer:", "bearer:a b", "token", "digest:x", "basic:"] {
            assert!(text.parse::<Authorization>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let read: Authorization = "bearer:secret".parse().unwrap();
        assert!(!format!("{read:?}").contains("secret"));
        let error = Authorization::find(None, Some("secret")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
