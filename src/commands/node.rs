//! `node`: serves the local store through a gateway, in the foreground.

use crate::cli::{GlobalArgs, NodeArgs};
use crate::gateway;
use crate::mirror::{Exit, Failure};
use crate::node::local::{LocalNode, announce_gateway};
use crate::node::{NodeAddress, local_folder};
use crate::report::Report;
use std::sync::Arc;

/// Runs `node` until the process is ended.
pub fn run(global: &GlobalArgs, args: &NodeArgs, report: &Report) -> Result<Exit, Failure> {
    let named = match &global.api {
        Some(NodeAddress::Local(folder)) => folder.clone(),
        _ => None,
    };
    let folder = local_folder(named)?;
    let node = LocalNode::open(&folder)?;
    let port = args.gateway_port;
    let mut server =
        gateway::serve(Arc::new(node), port).map_err(|source| Failure::Listen { port, source })?;
    let _published = announce_gateway(&folder, &server.url())?;
    report.print(&format!("gateway {}", server.url()));
    report.status("visible on this machine only; it runs until it is stopped");
    server.wait();
    Ok(Exit::Done)
}
