//! The ways in which a nar is not the one that its narinfo promises.

use super::super::compression::Compression;
use super::decompress::MAX_WINDOW_BYTES;
use crate::util::diagnosis::{Diagnosis, Retry};
use std::io;

/// The error of a [`NarVerifier`](super::NarVerifier).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarError {
    /// A compression without a decompressor here, so that the nar's hash cannot be
    /// checked.
    #[error("a nar compressed with {0:?} cannot be checked: only gzip, lzip, zstd and none can")]
    Compression(String),
    /// The system refused another thread.
    #[error("cannot start a thread to check the nar: {0}")]
    Thread(String),
    /// The file continues beyond its FileSize.
    #[error("the file is longer than its FileSize of {0} bytes")]
    FileTooLong(u64),
    /// The file continues beyond the size that a nar of its NarSize can take: padded,
    /// or without an end.
    #[error("the file is longer than {0} bytes, more than a nar of its NarSize can take")]
    FileEndless(u64),
    /// The file ended before its FileSize, and the nar in it is not whole.
    #[error("the file ended after {got} bytes, but its FileSize is {expected}")]
    FileTooShort {
        /// FileSize, in bytes.
        expected: u64,
        /// Bytes that were received.
        got: u64,
    },
    /// The file holds a whole nar, and has fewer bytes than its FileSize.
    #[error("the file has {got} bytes, but its FileSize is {expected}")]
    FileSize {
        /// FileSize, in bytes.
        expected: u64,
        /// Bytes of the file.
        got: u64,
    },
    /// The file does not even begin as it should: a page, or something else, stands
    /// in its place.
    #[error("the file is not {}", kind_of_file(.0))]
    Foreign(Compression),
    /// The file is valid up to its end.
    #[error("the file is not whole: it ended in the middle of {}", kind_of_file(.0))]
    Cut(Compression),
    /// The file is damaged in its middle.
    #[error("the file is not a valid {compression} stream: {reason}")]
    Corrupt {
        /// The compression that the narinfo names.
        compression: Compression,
        /// The decompressor's message.
        reason: String,
        /// It has the bytes of its FileSize, as far as is known.
        is_whole: bool,
    },
    /// The file continues beyond the end of the nar.
    #[error("the file continues after the end of {}", kind_of_file(.0))]
    Followed(Compression),
    /// The file asks for more memory than is given to one nar.
    #[error("the {0} stream needs a window of more than {max} MiB to be decompressed", max = MAX_WINDOW_BYTES >> 20)]
    Window(Compression),
    /// The file decompresses to more than NarSize: damage, or a bomb.
    #[error("the nar is longer than its NarSize of {0} bytes")]
    TooLong(u64),
    /// The file decompresses to less than NarSize.
    #[error("the nar has {got} bytes, but its NarSize is {expected}")]
    TooShort {
        /// NarSize, in bytes.
        expected: u64,
        /// Bytes of the decompressed nar.
        got: u64,
    },
    /// The nar has the right size and other contents.
    #[error("the nar's hash is sha256:{got}, but its NarHash is sha256:{expected}")]
    Hash {
        /// NarHash, in nix-base32.
        expected: String,
        /// The decompressed nar's, in nix-base32.
        got: String,
    },
}

impl NarError {
    /// The error of a [`NarVerifier`](super::NarVerifier), if `error` is one,
    /// however many `io::Error`s it has been wrapped in since.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Option<&Self> {
        let inner = error.get_ref()?;
        inner
            .downcast_ref()
            .or_else(|| Self::from_io(inner.downcast_ref()?))
    }

    /// The error of a file that continues beyond its end, with the verdict about the
    /// bytes before it: a page in the place of a file is not reported as too long.
    pub(super) fn of_long_file(self, before: Result<(), Self>) -> Self {
        match before {
            Err(error @ (Self::Foreign(_) | Self::Thread(_))) => error,
            Err(Self::Corrupt {
                compression,
                reason,
                ..
            }) => Self::Corrupt {
                compression,
                reason,
                is_whole: false,
            },
            _ => self,
        }
    }

    /// The error of a file that ended before its FileSize, with the verdict about its
    /// bytes.
    pub(super) fn of_short_file(expected: u64, got: u64, came: Result<(), Self>) -> Self {
        match came {
            Err(error @ (Self::Foreign(_) | Self::Thread(_))) => error,
            Err(Self::Cut(_) | Self::Corrupt { .. }) => Self::FileTooShort { expected, got },
            _ => Self::FileSize { expected, got },
        }
    }

    /// Fails with the error of a verdict, if there is one.
    pub(super) fn repeat(verdict: Option<&Result<(), Self>>) -> io::Result<()> {
        match verdict {
            Some(Err(error)) => Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())),
            _ => Ok(()),
        }
    }

    /// Returns true where the transfer is at fault: the file was cut, or something
    /// else was sent in its place. Otherwise it is complete, and not what was promised.
    #[must_use]
    pub fn is_of_transfer(&self) -> bool {
        matches!(
            self,
            Self::Thread(_)
                | Self::FileTooShort { .. }
                | Self::Foreign(_)
                | Self::Cut(_)
                | Self::Corrupt {
                    is_whole: false,
                    ..
                }
        )
    }
}

/// Another download of a complete file would fail in the same way.
impl Diagnosis for NarError {
    fn retry(&self) -> Retry {
        match self.is_of_transfer() {
            true => Retry::Soon,
            false => Retry::Never,
        }
    }
}

/// The words for a file of this compression.
fn kind_of_file(compression: &Compression) -> String {
    match compression {
        Compression::None => "a nar".to_owned(),
        compressed => format!("a {compressed} stream"),
    }
}
