//! `move`: takes a mirror to another node.

use super::open::{limits, open_node, publishing};
use super::services;
use crate::cli::{GlobalArgs, MoveArgs};
use crate::mirror::{Exit, Failure, MoveFailure, MoveRequest, MoveSummary, relocate};
use crate::node::{PrivateKey, open_named};
use crate::report::{Report, bytes};
use std::path::{Path, PathBuf};

/// Runs `move`.
pub fn run(global: &GlobalArgs, args: &MoveArgs, report: &Report) -> Result<Exit, Failure> {
    let private_key = args.key_file.as_deref().map(private_key).transpose()?;
    let not_opened = |error| Failure::from(MoveFailure::NotOpened(error));
    let request = MoveRequest {
        key: global.key.clone(),
        address: args
            .to
            .spelled()
            .map_err(|error| not_opened(error.into()))?,
        private_key,
        publishing: publishing(&args.publish, report)?,
    };
    let here = open_node(global)?;
    let there = open_named(&args.to, args.to_auth_file.as_deref(), limits(global));
    let there = there.map_err(not_opened)?;
    services::require(&*there, &args.publish)?;
    let summary = relocate(&*here, &*there, &request, report)?;
    report_summary(&summary, report);
    if summary.moved && here.description().capabilities.network {
        let key = &summary.key;
        report.warn(
            "the old node still holds the key, and republishes its last record every few hours",
            Some(&format!(
                "once the mirror is served from the new node, stop the jobs of the old one and \
                 remove its key with `ipfs key rm {key}`"
            )),
        );
    }
    Ok(Exit::Done)
}

fn report_summary(summary: &MoveSummary, report: &Report) {
    let MoveSummary { name, root, to, .. } = summary;
    let key = &summary.key_there;
    report.status(&match summary.moved {
        true => format!(
            "sent {} blocks, {}; /ipns/{name} points to /ipfs/{root}, and is published from {to} \
             under the key {key}",
            summary.copied.blocks,
            bytes(summary.copied.bytes),
        ),
        false => format!(
            "nothing to do: /ipns/{name} is published from {to} under the key {key} since it was \
             moved there"
        ),
    });
    report.summary_json("move", summary);
}

/// Reads the file of `--key-file`.
fn private_key(path: &Path) -> Result<(PathBuf, PrivateKey), Failure> {
    let path = path.to_owned();
    let read = match std::fs::read(&path) {
        Ok(bytes) => PrivateKey::read(&bytes).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match read {
        Ok(private) => Ok((path, private)),
        Err(reason) => Err(MoveFailure::KeyFile { path, reason }.into()),
    }
}
