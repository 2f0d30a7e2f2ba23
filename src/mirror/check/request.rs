//! The terms of a check.

use super::super::inspect::Target;
use crate::guix::{TrustedKeys, UpstreamClient};
use crate::node::Node;
use std::time::{Duration, SystemTime};

/// A check that is asked for.
pub struct CheckRequest<'r> {
    /// The mirror.
    pub target: Target,
    /// The node, if there is one.
    pub node: Option<&'r dyn Node>,
    /// The gateways.
    pub gateways: Vec<UpstreamClient>,
    /// The keys that are trusted besides those of the farms.
    pub keys: TrustedKeys,
    /// The number of narinfos that are looked at through each gateway.
    pub sample: usize,
    /// Requests to a gateway at once.
    pub jobs: u16,
    /// The time for which a gateway that is behind is asked again.
    pub wait: Duration,
    /// The time for which the network is searched for those who have a block.
    pub search: Duration,
    /// The time.
    pub now: SystemTime,
}
