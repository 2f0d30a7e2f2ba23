//! The JSON summaries: the engine's own, with the verb and the command's fields.
//! Fields may be added, never renamed.

use crate::mirror::{
    DamagedPart, Failure, HeldRoot, LastRun, LedgerSummary, MirrorContents, MirrorDescription,
    Plan, PruneSummary, ServiceView, VerifyReport,
};
use crate::util::diagnosis::Diagnosis;
use serde::Serialize;

/// The result of `sync --dry-run` and `add --dry-run`.
#[derive(Serialize)]
pub struct DryRunResult<'s> {
    dry_run: bool,
    items: Vec<String>,
    files: usize,
    #[serde(flatten)]
    plan: &'s Plan,
}

/// The result of `prune`.
#[derive(Serialize)]
pub struct PruneResult<'s> {
    /// Nothing was changed.
    pub dry_run: bool,
    /// The result.
    #[serde(flatten)]
    pub summary: &'s PruneSummary,
}

/// The result of `verify`.
#[derive(Serialize)]
pub struct VerifyResult<'s> {
    /// The check of the root that is published now.
    #[serde(flatten)]
    pub report: &'s VerifyReport,
    /// Every nar was read.
    pub deep: bool,
    /// The store paths that were repaired.
    pub repaired: &'s [String],
    /// The parts that were left out or made again.
    pub mended: &'s [DamagedPart],
    /// The nars that no narinfo listed, and that were removed.
    pub removed: &'s [String],
}

/// The result of `resolve`.
#[derive(Default, Serialize)]
pub struct ResolveResult<'s> {
    /// The IPNS name, unless a root was given.
    pub name: Option<&'s str>,
    /// The root.
    pub root: String,
    /// The description that `--long` asks for.
    #[serde(flatten)]
    pub description: Option<&'s MirrorDescription>,
    /// The last run that this user has noted on this machine, with `--long`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<&'s LastRun>,
    /// The pinning services that hold roots of the name, with `--long`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<&'s [ServiceView]>,
    /// The contents that `--long` asks for, where they could be read.
    #[serde(flatten)]
    pub contents: Option<&'s MirrorContents>,
    /// The keys that each upstream is checked by, with `--long`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<&'s [String]>,
    /// The items that are owed and those that a person removed, with `--long`, for a
    /// key of the node.
    #[serde(flatten)]
    pub ledger: Option<&'s LedgerSummary>,
    /// The root that the node holds because it follows the name, with `--long`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<Option<&'s HeldRoot>>,
    /// Every store path, with `--list`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_paths: Option<&'s [String]>,
    /// The reason why something could not be read.
    #[serde(flatten)]
    pub failure: Option<FailureResult>,
}

/// The result of a run that stopped.
#[derive(Serialize)]
pub struct FailureResult {
    /// The error, in one line.
    pub error: String,
    /// The next step for the person.
    pub r#try: String,
    /// The exit code.
    pub exit: u8,
}

impl FailureResult {
    /// The result of a run that stopped for this reason.
    pub fn new(failure: &Failure) -> Self {
        Self {
            error: failure.to_string(),
            r#try: failure.advice().unwrap_or_default(),
            exit: failure.exit() as u8,
        }
    }
}

impl<'s> DryRunResult<'s> {
    /// The items of a plan, and those that are left out.
    pub fn new(plan: &'s Plan) -> Self {
        let paths = plan
            .items
            .iter()
            .map(|item| item.narinfo.store_path.to_string());
        Self {
            dry_run: true,
            items: paths.collect(),
            files: plan.items.iter().map(|item| item.files()).sum(),
            plan,
        }
    }
}
