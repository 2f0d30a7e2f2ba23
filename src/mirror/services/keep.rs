//! The look at each service after a run: the published root is asked for where it is not
//! there, and older ones are unpinned once it is.

use super::choice::{pin_name, status_of, superseded};
use super::notes::{Note, Notes};
use super::problem::ServiceProblem;
use crate::ipfs::cid::Cid;
use crate::mirror::failure::Failure;
use crate::mirror::observer::{Event, Observer};
use crate::node::{Node, NodeError, RemotePin, RemoteQuery, RemoteStatus};
use crate::publication::PublicationId;
use crate::util::parallel::map;
use crate::util::timestamp::Timestamp;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Services that are asked at the same time.
const AT_ONCE: u16 = 8;

/// The time in which a run begins to unpin a root at a service. The next run continues
/// with the others.
const UNPINNING: Duration = Duration::from_secs(30);

/// A published root, and the services that are to hold it.
#[derive(Clone, Debug)]
pub struct ServicesRequest {
    /// The services, by their names on the node.
    pub services: Vec<String>,
    /// The node and the name that is published.
    pub id: PublicationId,
    /// The root that the name points to.
    pub root: Cid,
    /// The folder of the notes.
    pub state: PathBuf,
    /// The time of the run.
    pub now: Timestamp,
}

/// A service after the look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRoot {
    /// The service.
    pub service: String,
    /// It says that it holds the published root.
    pub is_pinned: bool,
}

/// Checks before a run that these services are set up on the node.
///
/// # Errors
/// [`Failure::NoServices`], [`Failure::UnknownService`].
pub fn require_services(node: &dyn Node, services: &[String]) -> Result<(), Failure> {
    if services.is_empty() {
        return Ok(());
    }
    if !node.description().capabilities.services {
        return Err(Failure::NoServices);
    }
    let known = node.services()?;
    match services.iter().find(|service| !known.contains(service)) {
        None => Ok(()),
        Some(service) => Err(Failure::UnknownService {
            service: service.clone(),
            known,
        }),
    }
}

/// Looks at each service. A failure is reported, and made good by a later run.
pub fn keep_at_services(
    node: &dyn Node,
    request: &ServicesRequest,
    observer: &dyn Observer,
) -> Vec<KeptRoot> {
    let _shown = observer.waiting("querying the pinning services");
    let mut notes = Notes::read(&request.state, &request.id);
    let looks = map(AT_ONCE, request.services.iter().collect(), |service| {
        let mut look = Look {
            node,
            service,
            name: pin_name(&request.id.key_id),
            root: &request.root,
            now: request.now,
            note: notes.of(service),
            problem: None,
        };
        let status = look.run();
        (look, status)
    });
    let mut kept = Vec::new();
    for (mut look, status) in looks {
        let (service, root) = (look.service, &request.root);
        if let Some(status) = status {
            observer.notify(Event::AtService {
                service,
                root,
                status,
            });
        }
        if let Some(problem) = &look.problem {
            let is_due = look.note.is_report_due(request.now);
            observer.notify(Event::ServiceProblem { problem, is_due });
        }
        notes.set(service, look.note);
        kept.push(KeptRoot {
            service: service.to_owned(),
            is_pinned: status == Some(RemoteStatus::Pinned),
        });
    }
    // Without them no more is lost than that something is reported again.
    let _ = notes.write(&request.state, &request.id);
    kept
}

/// The look at one service.
struct Look<'l> {
    node: &'l dyn Node,
    service: &'l str,
    /// The name of the pins.
    name: String,
    root: &'l Cid,
    now: Timestamp,
    note: Note,
    problem: Option<ServiceProblem>,
}

impl Look<'_> {
    /// Returns the state of the root at the service, where that is known.
    fn run(&mut self) -> Option<RemoteStatus> {
        let looked = self.pins(RemoteQuery::Named(&self.name)).and_then(|pins| {
            let status = self.ask_where_needed(&pins)?;
            Ok((pins, status))
        });
        let (pins, status) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                self.problem = Some(error.into());
                return None;
            }
        };
        if status == RemoteStatus::Pinned {
            self.note.settle();
        }
        let start = Instant::now();
        for old in superseded(&pins, self.root, status) {
            if start.elapsed() > UNPINNING {
                break;
            }
            if let Err(error) = self.unpin(&old, &RemoteStatus::ALL) {
                self.problem.get_or_insert(error.into());
                break;
            }
        }
        Some(status)
    }

    /// Returns the state of the root, which is asked for where it is not there or
    /// failed.
    fn ask_where_needed(&mut self, pins: &[RemotePin]) -> Result<RemoteStatus, NodeError> {
        match status_of(pins, self.root) {
            Some(RemoteStatus::Failed) => self.ask_again(),
            Some(status) => Ok(status),
            // The list may lack it, and so may a service that keeps no names.
            None => match self.status_by_cid()? {
                Some(status) => Ok(status),
                None => self.ask(),
            },
        }
    }

    fn ask_again(&mut self) -> Result<RemoteStatus, NodeError> {
        let next = self.note.next_try(self.root);
        let next = next.filter(|next| *next > self.now);
        self.problem = Some(ServiceProblem::GaveUp {
            service: self.service.to_owned(),
            root: *self.root,
            next,
        });
        if next.is_some() {
            return Ok(RemoteStatus::Failed);
        }
        self.note.try_again(self.root, self.now);
        self.unpin(self.root, &[RemoteStatus::Failed])?;
        self.ask()
    }

    /// Asks for the root. A missing answer proves nothing: the node may have waited
    /// for a node of the service's own.
    fn ask(&self) -> Result<RemoteStatus, NodeError> {
        let asked = self.node.pin_remotely(self.service, self.root, &self.name);
        asked.or_else(|error| match self.status_by_cid() {
            Ok(Some(status)) => Ok(status),
            _ => Err(error),
        })
    }

    /// The state of the root under this name or under none.
    fn status_by_cid(&self) -> Result<Option<RemoteStatus>, NodeError> {
        let mut pins = self.pins(RemoteQuery::Of(self.root))?;
        pins.retain(|pin| pin.name == self.name || pin.name.is_empty());
        Ok(status_of(&pins, self.root))
    }

    fn pins(&self, query: RemoteQuery) -> Result<Vec<RemotePin>, NodeError> {
        self.node.remote_pins(self.service, query)
    }

    fn unpin(&self, root: &Cid, states: &[RemoteStatus]) -> Result<(), NodeError> {
        let (service, name) = (self.service, &self.name);
        self.node.unpin_remotely(service, root, name, states)
    }
}
