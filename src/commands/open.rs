//! The node and the terms of publishing, as the options give them.

use crate::cli::{GlobalArgs, PublishArgs};
use crate::mirror::{Failure, Page};
use crate::node::kubo::TimeLimits;
use crate::node::{Node, NodeOptions, open};
use crate::publication::{CLAIM_PATIENCE, PublisherOptions};
use crate::report::Report;
use crate::util::home::{BaseDirectory, folder};
use std::sync::Arc;

/// Opens the node of `--api`.
pub fn open_node(global: &GlobalArgs) -> Result<Box<dyn Node>, Failure> {
    Ok(open(&NodeOptions {
        address: global.api.clone(),
        authorization_file: global.api_auth_file.clone(),
        limits: limits(global),
    })?)
}

/// The limits of a connection to a node.
pub fn limits(global: &GlobalArgs) -> TimeLimits {
    TimeLimits {
        connect: global.connect_timeout,
        read: global.read_timeout,
    }
}

/// The terms of publishing. Runs of one user share the lock folder.
pub fn publishing(args: &PublishArgs, report: &Report) -> Result<PublisherOptions, Failure> {
    Ok(PublisherOptions {
        lock_folder: folder(BaseDirectory::State)?,
        record_lifetime: args.record_lifetime,
        allow_offline: args.allow_offline,
        patience: CLAIM_PATIENCE,
        log: report.publications().clone(),
        page: None,
    })
}

/// The same for a verb that changes the root, with the word about its page.
pub fn publishing_page(
    global: &GlobalArgs,
    args: &PublishArgs,
    choice: Option<bool>,
    report: &Report,
) -> Result<PublisherOptions, Failure> {
    let page = Page {
        choice,
        jobs: global.jobs,
    };
    Ok(PublisherOptions {
        page: Some(Arc::new(page)),
        ..publishing(args, report)?
    })
}
