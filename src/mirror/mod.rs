//! The engine: which items a mirror lacks, how they come, and what may enter.
//!
//! A request goes in, a summary comes out, and an [`Observer`] receives the rest.
//! Nothing here prints or depends on a command line.

mod admission;
mod advice;
mod announcing;
mod check;
mod collection;
mod contents;
mod counts;
mod damage;
mod delta_sharing;
mod encoding;
mod exit;
mod failed_nars;
mod failure;
mod farm;
mod fetch;
mod fetch_error;
mod follow;
mod grafting;
mod in_flight;
mod init;
mod inspect;
mod item_set;
mod items;
mod json;
mod keys;
mod last_run;
mod ledger;
mod listing;
mod lookup;
mod move_failure;
mod move_request;
mod name_change;
mod nar_check;
mod nar_index;
mod narinfos;
mod nars;
mod observer;
mod page;
mod plan;
mod planning;
mod record;
mod relocation;
mod removal;
mod repair;
mod request;
mod retention;
mod run;
mod run_context;
mod schedule;
mod selection;
mod services;
mod signers;
mod skipped;
mod sync;
mod top_files;
mod verification;
mod wanted;

pub use check::{
    CheckRequest, CheckSummary, Finding, Kind as FindingKind, NameRecord, SwarmFound, Verdict,
    check,
};
pub use collection::{CollectionSummary, collect};
pub use contents::{MirrorContents, MirrorReader};
pub use counts::{Count, TreeSize, tree_size};
pub use damage::DamagedPart;
pub use delta_sharing::DeltaSharing;
pub use encoding::Encoding;
pub use exit::Exit;
pub use failure::Failure;
pub use follow::{
    FollowChanges, FollowFailure, FollowRequest, FollowSummary, HeldFigures, HeldRoot, Objection,
    follow, followed_name, followed_names, held_root, held_roots, stop_following,
};
pub use init::{Beginning, InitRequest, InitSummary, initialize};
pub use inspect::{MirrorDescription, Target, describe};
pub use items::{ItemRef, ItemSpec, Package};
pub use last_run::LastRun;
pub use ledger::{
    LedgerSummary, OwedItem, OwedKind, RemovedItem, Retention, RetentionRule, ledger_summary,
};
pub use lookup::PlannedItem;
pub use move_failure::MoveFailure;
pub use move_request::{MoveRequest, MoveSummary};
pub use name_change::NameChange;
pub use nar_check::Depth;
pub use observer::{DownloadProgress, Event, Observer, RunProgress};
pub use page::Page;
pub use plan::Plan;
pub use relocation::relocate;
pub use removal::{ReferencedItems, RemovalRequest, RemovalSummary, remove};
pub use repair::{RepairRequest, RepairSummary, repair};
pub use request::{
    Closure, GraftChoice, ItemFilter, ItemSelection, MirrorRequest, Pauses, RunLimits,
};
pub use retention::{
    ClockGap, PruneOutcome, PruneRequest, PruneSummary, PruneTerms, PrunedItem, preview_prune,
    prune,
};
pub use run::RunResult;
pub use services::{
    KeptRoot, RemoteRoot, ServiceProblem, ServiceView, ServicesRequest, at_services,
    keep_at_services, require_services,
};
pub use signers::{Signer, Signers};
pub use skipped::{SkipKind, SkipReason, Skipped};
pub use sync::{MirrorSummary, mirror, preview};
pub use verification::{BrokenItem, Check, ItemFault, VerifyReport, verify};
