//! The one transaction: choose the root to continue from, stage new files on the
//! node, graft them into a new root, pin it, publish it.
//!
//! Invariants, whatever fails and whenever this program is killed:
//! - the name points to the old root or to a complete new one, never to less;
//! - the root that the name points to is pinned: the older journal, which holds
//!   it, is unpinned only after the name points to the newer root;
//! - the writers of one node commit one after another, each onto the root of the one
//!   before it: nothing of either is lost;
//! - "could not resolve" is never taken for "nothing was published".

mod base;
mod choice;
mod claim;
mod commit;
mod copy;
mod departure;
mod error;
mod graft;
mod journal;
mod ledger;
mod moved;
mod name_state;
mod other_writer;
mod page;
mod page_graft;
mod part;
mod past_damage;
mod publication_id;
mod publication_log;
mod publisher;
mod sending;
mod stage;
mod transaction;
mod tree;
mod tree_cache;
mod tree_files;
mod tree_walk;
mod view;
mod writer_lock;

pub use base::{
    Base, adopt_damaged, adopt_root, adopt_to_leave, begin_anew, choose_base, create_first_root,
};
pub use claim::CLAIM_PATIENCE;
pub use commit::{Committed, ensure_published};
pub use copy::Copier;
pub use departure::{ArrivedJournals, mark_moved, pin_arrived, publish_above, was_overtaken};
pub use error::{PublicationError, join};
pub use graft::{Damage, Engine, NewFile, choose_engine, graft, mend, remove, require_plain, thin};
pub use journal::{Content, has_journal, keys_with_journals, unreadable_journals};
pub use ledger::LedgerFiles;
pub use moved::Moved;
pub use name_state::{NameState, read_name_state};
pub use page::{PageMaker, PageUse};
pub use publication_id::PublicationId;
pub use publication_log::{Publication, PublicationLog};
pub use publisher::{KeyAge, Publisher, PublisherOptions};
pub use sending::{Copied, CopyError};
pub use stage::Stage;
pub use transaction::publish_with_rebase;
pub use tree::{CACHE_INFO_NAME, PAGE_NAME, Search, Tree};
pub use view::{PublicationView, root_in, root_of_path};
pub use writer_lock::WriterLockError;
