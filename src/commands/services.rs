//! The pinning services of `--pin-at`, before a run and after it.

use super::open::{limits, open_node};
use crate::cli::{Cli, Command, GlobalArgs, List, PublishArgs};
use crate::mirror::{Exit, Failure, ServicesRequest, Target, keep_at_services, require_services};
use crate::node::{Node, open_named};
use crate::publication::PublicationId;
use crate::report::Report;
use crate::util::diagnosis::Diagnosis;
use crate::util::home::{BaseDirectory, folder};
use crate::util::timestamp::Timestamp;
use std::collections::HashSet;
use std::time::SystemTime;

/// Checks before anything else that the services are set up on the node.
pub fn require(node: &dyn Node, args: &PublishArgs) -> Result<(), Failure> {
    require_services(node, &services(args))
}

/// Looks at the services after a run that may publish, whether it did or not. A failure is
/// a warning: the root is published.
pub fn look(cli: &Cli, args: &PublishArgs, exit: Exit, report: &Report) {
    let services = services(args);
    let is_over = !matches!(exit, Exit::Interrupted | Exit::Terminated);
    if services.is_empty() || !is_over {
        return;
    }
    // A mirror that is moved has one name on both nodes.
    let Some(writer) = report.publications().writers().pop() else {
        return;
    };
    if let Err(failure) = ask(cli, services, &writer.key_id, report) {
        let text = format!("the pinning services were not asked: {failure}");
        match exit.is_success() {
            true => report.warn(&text, failure.advice().as_deref()),
            // The reason is that of the run, which was reported.
            false => report.status(&text),
        }
    }
}

fn ask(cli: &Cli, services: Vec<String>, name: &str, report: &Report) -> Result<(), Failure> {
    let node = publishing_node(&cli.global, &cli.command)?;
    let root = match report.publications().root() {
        Some(root) => root,
        None => Target::Name(name.to_owned()).root(&*node)?,
    };
    let request = ServicesRequest {
        services,
        id: PublicationId {
            peer_id: node.description().peer_id.clone(),
            key_id: name.to_owned(),
        },
        root,
        state: folder(BaseDirectory::State)?,
        now: Timestamp::from(SystemTime::now()),
    };
    let kept = keep_at_services(&*node, &request, report);
    report.note(|figures| figures.services = kept);
    Ok(())
}

/// The node that publishes after the run.
fn publishing_node(global: &GlobalArgs, command: &Command) -> Result<Box<dyn Node>, Failure> {
    match command {
        Command::Move(args) => {
            let there = open_named(&args.to, args.to_auth_file.as_deref(), limits(global));
            Ok(there?)
        }
        _ => open_node(global),
    }
}

/// The services of the options, each once.
fn services(args: &PublishArgs) -> Vec<String> {
    let mut known = HashSet::new();
    let services = List::all(&args.pin_at).filter(|service| known.insert(*service));
    services.cloned().collect()
}
