//! `add`: mirrors the named items.

use super::mirror::{Told, Verb, run as mirror, upstreams};
use crate::cli::{Add, Global};
use crate::failure::{Exit, Failure};
use crate::report::Report;

/// Runs `add`.
pub fn run(global: &Global, args: &Add, report: &Report) -> Result<Exit, Failure> {
    let told = Told {
        verb: Verb::Add,
        global,
        mirror: &args.mirror,
        publish: &args.publish,
        report,
    };
    mirror(&told, &upstreams(global)?, |_| Ok(args.items.clone()))
}
