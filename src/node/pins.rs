//! Pins: what a node keeps when it collects garbage. A CID has one pin, and a
//! pin one name.

use super::error::NodeError;
use super::{LONG, Node, PIN_FACTOR};
use crate::ipfs::cid::Cid;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A recursive pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The root of what it keeps.
    pub cid: Cid,
    /// Empty where it has none.
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PinList {
    #[serde(default)]
    keys: BTreeMap<String, PinEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PinEntry {
    #[serde(default)]
    name: String,
}

impl Node {
    /// Pins `root` and all below it under `name`. Fails when anything is missing.
    ///
    /// Not for a CID that may be pinned already: ended by its time limit, such a
    /// call would lose the pin. Ask [`Node::is_pinned`] first.
    ///
    /// Nothing but its time limit ends the search for a block that an online
    /// node lacks. So that is long only where all is known to be there, because
    /// something that is pinned already `holds` it.
    pub fn pin_add(&self, root: &Cid, name: &str, holds: bool) -> Result<(), NodeError> {
        self.call("pin/add", format!("pin {root}"))
            .arg(root)
            .option("name", name)
            .limit(if holds { LONG } else { self.pin_limit() })
            .json::<serde::de::IgnoredAny>()
            .map(|_| ())
    }

    /// Pins `new` in place of `old`, which stays pinned too, walking only what
    /// differs. The new pin takes the old one's name. Fails when anything below
    /// `new` is missing, when `old` is not pinned, and when `new` already is.
    pub fn pin_update(&self, old: &Cid, new: &Cid) -> Result<(), NodeError> {
        self.call("pin/update", format!("pin {new}"))
            .arg(old)
            .arg(new)
            .option("unpin", false)
            .limit(self.pin_limit())
            .json::<serde::de::IgnoredAny>()
            .map(|_| ())
    }

    fn pin_limit(&self) -> Duration {
        self.short * PIN_FACTOR
    }

    /// Removes a recursive pin. That there is none is no failure.
    pub fn pin_rm(&self, root: &Cid) -> Result<(), NodeError> {
        let removed = self
            .call("pin/rm", format!("unpin {root}"))
            .arg(root)
            .json::<serde::de::IgnoredAny>();
        match removed {
            Err(error) if !error.says("not pinned") => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether `root` is pinned recursively.
    pub fn is_pinned(&self, root: &Cid) -> Result<bool, NodeError> {
        let found = self
            .call("pin/ls", format!("ask whether {root} is pinned"))
            .arg(root)
            .option("type", "recursive")
            .json::<PinList>();
        match found {
            Ok(list) => Ok(!list.keys.is_empty()),
            Err(error) if error.says("is not pinned") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The recursive pins with exactly this name. (The node matches parts of names.)
    pub fn pins_named(&self, name: &str) -> Result<Vec<Pin>, NodeError> {
        let list: PinList = self
            .call("pin/ls", format!("list the pins named {name}"))
            .option("type", "recursive")
            .option("name", name)
            .option("names", true)
            .limit(self.pin_limit())
            .json()?;
        Ok(list
            .keys
            .into_iter()
            .filter(|(_, entry)| entry.name == name)
            .filter_map(|(cid, entry)| {
                let cid = cid.parse().ok()?;
                let name = entry.name;
                Some(Pin { cid, name })
            })
            .collect())
    }
}
