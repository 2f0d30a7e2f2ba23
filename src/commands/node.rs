//! `node`: the embedded node in the foreground, with its gateway.

use super::session::embedded_folder;
use crate::cli::{Api, Global, NodeArgs};
use crate::embedded;
use crate::failure::{Exit, Failure};
use crate::report::Report;

/// Runs `node` until the process is ended.
pub fn run(global: &Global, args: &NodeArgs, report: &Report) -> Result<Exit, Failure> {
    let named = match &global.api {
        Some(Api::Embedded(folder)) => folder.clone(),
        _ => None,
    };
    let folder = embedded_folder(named)?;
    let mut running = embedded::start_foreground(&folder, args.rpc_port, args.gateway_port)?;
    report.result(&format!("RPC {}", running.rpc_url()));
    if let Some(gateway) = running.gateway_url() {
        report.result(&format!("gateway {gateway}"));
    }
    report.say("visible on this machine only; end it with Ctrl-C");
    running.wait();
    Ok(Exit::Done)
}
