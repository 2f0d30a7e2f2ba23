//! `resolve`: shows the root that a name points to, and its contents.

use super::open::open_node;
use super::upstreams::{trust, upstreams};
use crate::cli::{GlobalArgs, ResolveArgs};
use crate::ipfs::cid::Cid;
use crate::mirror::{
    Exit, Failure, LastRun, MirrorReader, Target, at_services, describe, held_root, ledger_summary,
};
use crate::node::Node;
use crate::publication::PublicationId;
use crate::report::{
    FailureResult, Report, ResolveResult, print_contents, print_description, print_held,
    print_last_run, print_ledger, print_services, print_trust,
};
use crate::util::diagnosis::Diagnosis;
use crate::util::home::{BaseDirectory, folder};
use std::time::SystemTime;

/// The line that a terminal shows while a mirror is read.
const READING: &str = "reading the mirror";

/// Runs `resolve`.
pub fn run(global: &GlobalArgs, args: &ResolveArgs, report: &Report) -> Result<Exit, Failure> {
    let node = open_node(global)?;
    let target = Target::of_word(&*node, args.target.as_deref(), &global.key)?;
    let root = {
        let _shown = report.counting("resolving the name");
        target.root(&*node)?
    };
    let resolved = Resolved {
        node: &*node,
        target: &target,
        root,
        global,
        report,
    };
    if args.list {
        return resolved.print_list();
    }
    report.print(&format!("/ipfs/{root}"));
    if args.long {
        return resolved.print_long();
    }
    report.summary_json("resolve", &resolved.result());
    Ok(Exit::Done)
}

/// A root that a name points to.
struct Resolved<'r> {
    node: &'r dyn Node,
    target: &'r Target,
    root: Cid,
    global: &'r GlobalArgs,
    report: &'r Report,
}

impl Resolved<'_> {
    /// Prints all that is known of a mirror. The way to use it comes first, and is
    /// printed even if its blocks cannot be read now.
    fn print_long(&self) -> Result<Exit, Failure> {
        let Self { node, report, .. } = *self;
        let name = self.target.name();
        let trust: Vec<String> = trust(&upstreams(self.global, report)?).collect();
        let counting = report.counting(READING);
        let came = || counting.block();
        let reader = MirrorReader::new(node, self.target, self.root, self.global.jobs, &came)?;
        let is_mirror = match reader.require_mirror() {
            Err(failure @ Failure::NoMirror(_)) => return Err(failure),
            other => other,
        };
        let description = describe(node, self.target, self.root)?;
        let without_gateway = match node.description().capabilities.network {
            true => "the node has no gateway",
            false => "`guix-ipfs node` serves it",
        };
        print_description(report, &description, without_gateway);
        let last_run = name.and_then(|name| last_run(node, name));
        if last_run.is_some() || reader.is_own() {
            print_last_run(report, last_run.as_ref());
        }
        let followed = name.map(|name| held_root(node, name)).transpose()?;
        let followed = followed.flatten();
        if let Some(held) = &followed {
            print_held(report, held, &self.root, SystemTime::now().into());
        }
        let services = name.map(|name| at_services(node, name, &self.root));
        let services = services.unwrap_or_default();
        print_services(report, &services);
        let contents = is_mirror.and_then(|()| reader.contents());
        if let Ok(contents) = &contents {
            print_contents(report, contents);
        }
        print_trust(report, &trust);
        let ledger = name.map(|name| ledger_summary(node, name)).transpose();
        let ledger = ledger.map(Option::flatten);
        if let Ok(Some(ledger)) = &ledger {
            print_ledger(report, ledger);
        }
        drop(counting);
        let failure = contents.as_ref().err().or(ledger.as_ref().err());
        if let Some(failure) = failure {
            report.error(&failure.to_string(), failure.advice().as_deref());
        }
        let result = ResolveResult {
            trust: Some(&trust),
            description: Some(&description),
            last_run: last_run.as_ref(),
            services: Some(&services),
            contents: contents.as_ref().ok(),
            ledger: ledger.as_ref().ok().and_then(Option::as_ref),
            followed: Some(followed.as_ref()),
            failure: failure.map(FailureResult::new),
            ..self.result()
        };
        report.summary_json("resolve", &result);
        Ok(failure.map_or(Exit::Done, Failure::exit))
    }

    /// Prints the store path of each narinfo.
    fn print_list(&self) -> Result<Exit, Failure> {
        let report = self.report;
        let counting = report.counting(READING);
        let came = || counting.block();
        let reader = MirrorReader::new(self.node, self.target, self.root, self.global.jobs, &came)?;
        let advice = reader
            .is_own()
            .then_some("`guix-ipfs verify --repair` fetches broken items again");
        let mut store_paths = Vec::new();
        let mut exit = Exit::Done;
        reader.list(|narinfo| match narinfo {
            Ok(path) => {
                report.print(&path);
                // A mirror may hold millions, which only the summary needs at once.
                store_paths.extend(self.global.json.then_some(path));
            }
            Err((name, reason)) => {
                report.error(&format!("{name}: {reason}"), advice);
                exit = Exit::Partly;
            }
        })?;
        let result = ResolveResult {
            store_paths: Some(&store_paths),
            ..self.result()
        };
        report.summary_json("resolve", &result);
        Ok(exit)
    }

    /// The result with nothing but the root.
    fn result(&self) -> ResolveResult<'_> {
        ResolveResult {
            name: self.target.name(),
            root: self.root.to_string(),
            ..ResolveResult::default()
        }
    }
}

/// The last run that this user has noted on this machine.
fn last_run(node: &dyn Node, name: &str) -> Option<LastRun> {
    let id = PublicationId {
        peer_id: node.description().peer_id.clone(),
        key_id: name.to_owned(),
    };
    LastRun::read(&folder(BaseDirectory::State).ok()?, &id)
}
