//! The encoding of a mirror's nars.

use crate::guix::delta;
use serde::{Serialize, Serializer};

/// The encoding of a mirror's nars, which never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Nars are published as the upstream has them.
    #[default]
    Upstream,
    /// A nar is published once, as many zstd frames that items share. Small nars are
    /// published as the upstream has them.
    Delta,
}

impl Encoding {
    /// The name, with the version where the encoding has versions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Delta => delta::NAR_FOLDER,
        }
    }

    /// The value of `--encoding`.
    pub fn option(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Delta => "delta",
        }
    }

    /// The encoding of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Upstream, Self::Delta].into_iter();
        all.find(|encoding| encoding.name() == name)
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
