//! The failures of the transfer of a file.

use crate::guix::{HttpError, NarError};
use crate::ipfs::file::{AddError, Added};
use crate::node::{AddFileError, NodeError};
use crate::util::diagnosis::{Diagnosis, Retry};
use thiserror::Error;

/// The failure of a file's transfer.
#[derive(Debug, Error)]
pub enum FetchError {
    /// This item cannot be mirrored; others can.
    #[error("{0}")]
    Refused(String),
    /// The network or a busy server spoiled it.
    #[error("{0}")]
    Broken(String, Retry),
    /// The server has the narinfo and not the nar.
    #[error("{0}")]
    NoNar(String),
    /// The node fails, so nothing can be mirrored.
    #[error(transparent)]
    Node(NodeError),
}

impl FetchError {
    /// The same, with the file that it is about.
    pub fn about(mut self, url: &str) -> Self {
        if let Self::Refused(reason) | Self::Broken(reason, _) | Self::NoNar(reason) = &mut self
            && !reason.contains(url)
        {
            *reason = format!("{url}: {reason}");
        }
        self
    }

    /// The same for an answer with a `Content-Encoding` that was not asked for, which is
    /// another transfer's fault and not the file's.
    pub fn of_coded(self, coding: &str) -> Self {
        match self {
            Self::Refused(reason) | Self::Broken(reason, _) => Self::Broken(
                format!("{reason}; the server labels it {coding:?}, which was not requested"),
                Retry::Soon,
            ),
            other => other,
        }
    }
}

impl Diagnosis for FetchError {
    fn retry(&self) -> Retry {
        match self {
            Self::Broken(_, retry) => *retry,
            _ => Retry::Never,
        }
    }
}

impl From<HttpError> for FetchError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Missing { .. } => Self::NoNar(error.to_string()),
            _ => Self::Broken(error.to_string(), error.retry()),
        }
    }
}

/// The same result, with the failure sorted.
pub fn staged(added: Result<Added, AddFileError>) -> Result<Added, FetchError> {
    match added {
        Ok(added) => Ok(added),
        Err(AddError::Sink(error)) => Err(FetchError::Node(error)),
        Err(AddError::Content(error)) => Err(match NarError::from_io(&error) {
            Some(error) if error.is_of_transfer() => {
                FetchError::Broken(error.to_string(), error.retry())
            }
            Some(error) => FetchError::Refused(error.to_string()),
            None => {
                let retry = match HttpError::of_read(&error) {
                    Some(HttpError::GivenUp { .. }) => Retry::Never,
                    _ => Retry::Soon,
                };
                FetchError::Broken(format!("the download broke off: {error}"), retry)
            }
        }),
    }
}
