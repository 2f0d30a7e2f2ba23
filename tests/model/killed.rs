//! A node that a run is killed at: after some calls every further one fails, as it
//! looks to the node when the process is gone.

use guix_ipfs::node::{Node, NodeError, Problem};
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct KilledNode<'n> {
    node: &'n dyn Node,
    calls: AtomicUsize,
    /// The number of the last call that the run makes, and the treatment of it.
    last: usize,
    is_done: bool,
}

impl<'n> KilledNode<'n> {
    /// A node of a run that is killed at its call number `last`; that call itself
    /// `is_done`, or is not.
    pub fn new(node: &'n dyn Node, last: usize, is_done: bool) -> Self {
        Self {
            node,
            calls: AtomicUsize::new(0),
            last,
            is_done,
        }
    }

    /// A node that only counts.
    pub fn counting(node: &'n dyn Node) -> Self {
        Self::new(node, usize::MAX, true)
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Returns true once the run is dead.
    pub fn is_dead(&self) -> bool {
        self.calls() > self.last
    }

    fn call<T>(
        &self,
        method: &'static str,
        work: impl FnOnce() -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let killed = || Err(NodeError::new(method, Problem::Cut("killed".to_owned())));
        match number {
            _ if number < self.last => work(),
            _ if number == self.last && self.is_done => work().and_then(|_| killed()),
            _ => killed(),
        }
    }
}

node_through_call!(KilledNode);
