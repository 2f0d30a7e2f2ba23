//! The preparations for grafting the items of a batch: by which engine, and which files.

use super::admission::Decision;
use super::failure::Failure;
use super::fetch::FetchOutcome;
use super::narinfos::{nar_paths, narinfo_name};
use super::plan::Plan;
use super::request::GraftChoice;
use crate::publication::{Engine, NewFile, Tree, choose_engine, require_plain};

/// The files of the items that are linked.
pub fn linked(outcomes: &[FetchOutcome], decisions: &[Decision]) -> Vec<NewFile> {
    let mut files = Vec::new();
    for (outcome, decision) in outcomes.iter().zip(decisions) {
        if let (FetchOutcome::Whole(of_item), Decision::Link) = (outcome, decision) {
            files.extend_from_slice(of_item);
        }
    }
    files
}

/// The engine for the items of a plan. A demand for add-link that cannot be met
/// fails here, before anything is fetched.
pub fn engine_for(choice: GraftChoice, tree: &Tree, plan: &Plan) -> Result<Engine, Failure> {
    let mut paths = Vec::new();
    for item in &plan.items {
        paths.push(vec![narinfo_name(&item.hash())]);
        // Planned items have only valid paths.
        paths.extend(nar_paths(&item.narinfo));
    }
    match choice {
        GraftChoice::Auto => Ok(choose_engine(tree, &paths)?),
        GraftChoice::Only(Engine::Car) => Ok(Engine::Car),
        GraftChoice::Only(Engine::AddLink) => {
            require_plain(tree, &paths)?;
            Ok(Engine::AddLink)
        }
    }
}
