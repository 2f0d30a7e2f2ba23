//! The roots of a name at the pinning services of a node, for a person.

use super::choice::{pin_name, status_of};
use crate::ipfs::cid::{Cid, is_same_content};
use crate::mirror::json;
use crate::node::{Node, RemoteQuery, RemoteStatus};
use crate::publication::PublicationView;
use crate::util::parallel::map;
use serde::Serialize;

/// Services that are asked at the same time.
const AT_ONCE: u16 = 8;

/// The roots of a name at a service.
#[derive(Debug, Serialize)]
pub struct ServiceView {
    /// The service, by its name on the node.
    pub service: String,
    /// The state of the published root there; null where it is not there, or where the
    /// service cannot be asked.
    pub status: Option<RemoteStatus>,
    /// The other roots of the name that are there, the newest first.
    pub older: Vec<RemoteRoot>,
    /// The reason why the service cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A root at a service.
#[derive(Debug, Serialize)]
pub struct RemoteRoot {
    /// The root.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// Its state.
    pub status: RemoteStatus,
}

/// Asks each service of the node for the roots of a name that the node publishes. Those
/// that hold none are left out: they may be there for other things.
pub fn at_services(node: &dyn Node, name: &str, root: &Cid) -> Vec<ServiceView> {
    let is_own = || matches!(PublicationView::of_name(node, name), Ok(Some(_)));
    if !node.description().capabilities.services || !is_own() {
        return Vec::new();
    }
    // An error of the node shows up in more important calls, too.
    let services = node.services().unwrap_or_default();
    let label = pin_name(name);
    let views = map(AT_ONCE, services, |service| {
        view(node, service, &label, root)
    });
    let has_something = |view: &ServiceView| {
        view.status.is_some() || !view.older.is_empty() || view.error.is_some()
    };
    views.into_iter().filter(has_something).collect()
}

fn view(node: &dyn Node, service: String, label: &str, root: &Cid) -> ServiceView {
    let (pins, error) = match node.remote_pins(&service, RemoteQuery::Named(label)) {
        Ok(pins) => (pins, None),
        Err(error) => (Vec::new(), Some(error.problem.to_string())),
    };
    let others = pins.iter().filter(|pin| !is_same_content(&pin.cid, root));
    let older = others.map(|pin| RemoteRoot {
        root: pin.cid,
        status: pin.status,
    });
    ServiceView {
        status: status_of(&pins, root),
        older: older.collect(),
        service,
        error,
    }
}
