//! A node that fails at a call: the counterpart of the proxy for a node without a wire.

use guix_ipfs::node::{Node, NodeError, Problem};
use std::sync::Mutex;

/// The moment of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The node does not hear of the call.
    Before,
    /// The node does what it is asked, and the caller does not learn it.
    After,
}

/// A deed of another, done in the middle of a call.
type Deed<'n> = Box<dyn FnOnce() + Send + 'n>;

/// A node that counts its calls, and fails at one of them, or lets another act first.
pub struct FaultyNode<'n> {
    node: &'n dyn Node,
    calls: Mutex<Vec<&'static str>>,
    /// The method, the number of its calls that go well before, and the moment.
    fault: Mutex<Option<(&'static str, usize, Moment)>>,
    /// Done in place of failing.
    deed: Mutex<Option<Deed<'n>>>,
}

impl<'n> FaultyNode<'n> {
    pub fn new(node: &'n dyn Node) -> Self {
        Self {
            node,
            calls: Mutex::default(),
            fault: Mutex::default(),
            deed: Mutex::default(),
        }
    }

    /// Lets another act at the first call of `method`, which goes well.
    pub fn meanwhile(&self, method: &'static str, moment: Moment, deed: impl FnOnce() + Send + 'n) {
        *self.deed.lock().unwrap() = Some(Box::new(deed));
        self.fail(method, 0, moment);
    }

    /// The methods that were called since this was last asked.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Fails at one call of `method`, after `well` of them that go well.
    pub fn fail(&self, method: &'static str, well: usize, moment: Moment) {
        *self.fault.lock().unwrap() = Some((method, well, moment));
    }

    /// Returns true when the call to fail at did not come.
    pub fn is_waiting(&self) -> bool {
        self.fault.lock().unwrap().take().is_some()
    }

    fn moment(&self, method: &'static str) -> Option<Moment> {
        self.calls.lock().unwrap().push(method);
        let mut fault = self.fault.lock().unwrap();
        let (wanted, well, moment) = fault.as_mut()?;
        if *wanted != method {
            return None;
        }
        if *well > 0 {
            *well -= 1;
            return None;
        }
        let moment = *moment;
        *fault = None;
        Some(moment)
    }

    fn call<T>(
        &self,
        method: &'static str,
        work: impl FnOnce() -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let moment = self.moment(method);
        let deed = moment.and_then(|_| self.deed.lock().unwrap().take());
        if let (Some(moment), Some(deed)) = (moment, deed) {
            if moment == Moment::Before {
                deed();
                return work();
            }
            let done = work();
            deed();
            return done;
        }
        let broken = || {
            let problem = Problem::Cut("broken on purpose".to_owned());
            Err(NodeError::new(method, problem))
        };
        match moment {
            None => work(),
            Some(Moment::Before) => broken(),
            Some(Moment::After) => work().and_then(|_| broken()),
        }
    }
}

node_through_call!(FaultyNode);
