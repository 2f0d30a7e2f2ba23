//! The findings of a check, one for each thing that was looked at.

use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// A thing that was looked at, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The gateway's URL, or `node`.
    pub at: String,
    /// The kind of thing.
    pub kind: Kind,
    /// The name of a narinfo, or the path of a nar.
    pub file: Option<String>,
    /// The outcome.
    pub verdict: Verdict,
    /// The outcome in words.
    pub text: String,
    /// The time until the answer began.
    pub milliseconds: Option<u64>,
}

/// The outcome of looking at one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Nothing to say for or against.
    Note,
    /// Of an older state, or about to end.
    Stale,
    /// Not to be had.
    Unreachable,
    /// Other than it was published.
    Wrong,
}

/// An outcome, also in words.
pub type Judgement<T = String> = (Verdict, T);

/// The kinds of things that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The root that the name leads to.
    Root,
    /// The record of the name.
    Record,
    /// The file that makes a directory a substitute server.
    CacheInfo,
    /// The blocks, as a gateway hands them out.
    Blocks,
    /// The size of the mirror.
    Contents,
    /// A narinfo.
    Narinfo,
    /// A nar.
    Nar,
    /// The peers of the node.
    Peers,
    /// The others that announce a block.
    Providers,
}

impl Verdict {
    /// Returns true where nothing needs to be done.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Good | Self::Note)
    }

    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Wrong => "wrong",
        }
    }
}

impl Kind {
    /// In a word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Record => "record",
            Self::CacheInfo => "cache-info",
            Self::Blocks => "blocks",
            Self::Contents => "contents",
            Self::Narinfo => "narinfo",
            Self::Nar => "nar",
            Self::Peers => "peers",
            Self::Providers => "providers",
        }
    }
}

impl Finding {
    /// A finding without a file and a time.
    pub fn new(at: &str, kind: Kind, (verdict, text): Judgement<impl Into<String>>) -> Self {
        Self {
            at: at.to_owned(),
            kind,
            file: None,
            verdict,
            text: text.into(),
            milliseconds: None,
        }
    }

    /// The same about this file.
    #[must_use]
    pub fn of_file(self, file: &str) -> Self {
        let file = Some(file.to_owned());
        Self { file, ..self }
    }

    /// The same of an answer that took so long to begin, where there was one.
    #[must_use]
    pub fn after(self, time: impl Into<Option<Duration>>) -> Self {
        let time: Option<Duration> = time.into();
        let milliseconds = time.and_then(|time| u64::try_from(time.as_millis()).ok());
        Self {
            milliseconds,
            ..self
        }
    }
}

/// A line: `good  http://HOST: root /ipfs/CID, as published, 12 ms`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thing = match (&self.file, self.kind) {
            (Some(file), _) => file,
            (None, Kind::CacheInfo) => "nix-cache-info",
            (None, kind) => kind.word(),
        };
        // The longest verdict has eleven letters.
        let verdict = self.verdict.word();
        write!(f, "{verdict:<11} {}: {thing}: {}", self.at, self.text)?;
        match self.milliseconds {
            Some(time) => write!(f, ", {time} ms"),
            None => Ok(()),
        }
    }
}
