//! Parts of a publication that cannot be read, as a check finds them.

use crate::ipfs::cid::Cid;
use crate::ipfs::directory::LostShard;
use crate::publication::{
    Damage, PublicationError, PublicationView, join, read_name_state, unreadable_journals,
};
use serde::Serialize;

/// A part that cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct DamagedPart {
    /// Its path in the root, or the journal.
    pub path: String,
    /// The reason.
    pub reason: String,
    /// The damage.
    #[serde(skip)]
    pub damage: Damage,
    /// The node keeps the damaged block, and would not replace it: a person must
    /// remove it first.
    #[serde(skip)]
    pub is_kept: bool,
}

impl DamagedPart {
    /// This damage, for this reason.
    pub fn new(path: impl Into<String>, damage: Damage, error: &PublicationError) -> Self {
        Self {
            path: path.into(),
            reason: error.to_string(),
            damage,
            is_kept: is_kept(error),
        }
    }

    /// A directory of which only some shards cannot be read; `None` where it is whole.
    pub fn of_shards(directory: &[&str], lost: Vec<(LostShard, PublicationError)>) -> Option<Self> {
        let (_, first) = lost.first()?;
        let (reason, others) = (first.to_string(), lost.len() - 1);
        let is_kept = lost.iter().any(|(_, error)| is_kept(error));
        let path = directory.iter().map(|&name| name.to_owned()).collect();
        let shards = lost.into_iter().map(|(shard, _)| shard).collect();
        Some(Self {
            path: format!("/{}", join(directory)),
            reason: match others {
                0 => reason,
                others => format!("{reason}; and {others} more of its parts"),
            },
            damage: Damage::Shards(path, shards),
            is_kept,
        })
    }
}

/// The journals, and the parts of the ledger beside a root, that cannot be read.
pub fn damaged_records(
    view: &PublicationView,
    root: &Cid,
) -> Result<Vec<DamagedPart>, PublicationError> {
    let mut damaged = Vec::new();
    for (journal, error) in unreadable_journals(view)? {
        let path = format!("the journal {journal}");
        damaged.push(DamagedPart::new(path, Damage::Journal(journal), &error));
    }
    match read_name_state(view)?.ledger(view.node, root) {
        Ok(ledger) => {
            for (file, error) in ledger.unreadable(view.node)? {
                let path = format!("the ledger's {file}");
                damaged.push(DamagedPart::new(path, Damage::Ledger(Some(file)), &error));
            }
        }
        Err(error) if error.is_of_block() => {
            damaged.push(DamagedPart::new("the ledger", Damage::Ledger(None), &error));
        }
        Err(error) => return Err(error),
    }
    Ok(damaged)
}

fn is_kept(error: &PublicationError) -> bool {
    matches!(error, PublicationError::Node(error) if error.is_of_kept_block())
}
