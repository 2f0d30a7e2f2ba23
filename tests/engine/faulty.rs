//! A node that fails at a call: the counterpart of the proxy for a node without a wire.

use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::file::{AddError, Added};
use guix_ipfs::node::{
    AddFileError, Key, KnownBlocks, Node, NodeDescription, NodeError, Problem, PublishOptions,
    Reach, Record, SealedSegment, Usage,
};
use std::io::Read;
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

impl Node for FaultyNode<'_> {
    fn description(&self) -> &NodeDescription {
        self.node.description()
    }

    fn blocks(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        self.call("blocks", || self.node.blocks(cids))
    }

    fn block_size(&self, cid: &Cid) -> Result<Option<u64>, NodeError> {
        self.call("block_size", || self.node.block_size(cid))
    }

    fn put_block(&self, cid: &Cid, block: &[u8]) -> Result<(), NodeError> {
        self.call("put_block", || self.node.put_block(cid, block))
    }

    fn import(&self, segment: &SealedSegment) -> Result<(), NodeError> {
        self.call("import", || self.node.import(segment))
    }

    fn add_file(&self, version: CidVersion, content: &mut dyn Read) -> Result<Added, AddFileError> {
        let mut outcome = None;
        let called = self.call("add_file", || {
            outcome = Some(self.node.add_file(version, content));
            Ok(())
        });
        called.map_err(AddError::Sink)?;
        outcome.unwrap()
    }

    fn read_file(&self, file: &Cid) -> Result<Box<dyn Read + Send>, NodeError> {
        self.call("read_file", || self.node.read_file(file))
    }

    fn add_link(&self, directory: &Cid, name: &str, target: &Cid) -> Result<Cid, NodeError> {
        self.call("add_link", || self.node.add_link(directory, name, target))
    }

    fn pin(&self, root: &Cid, name: &str, known: KnownBlocks) -> Result<(), NodeError> {
        self.call("pin", || self.node.pin(root, name, known))
    }

    fn pin_update(&self, old: &Cid, new: &Cid) -> Result<(), NodeError> {
        self.call("pin_update", || self.node.pin_update(old, new))
    }

    fn unpin(&self, root: &Cid) -> Result<(), NodeError> {
        self.call("unpin", || self.node.unpin(root))
    }

    fn is_pinned(&self, root: &Cid) -> Result<bool, NodeError> {
        self.call("is_pinned", || self.node.is_pinned(root))
    }

    fn pins_named(&self, name: &str) -> Result<Vec<Cid>, NodeError> {
        self.call("pins_named", || self.node.pins_named(name))
    }

    fn keys(&self) -> Result<Vec<Key>, NodeError> {
        self.call("keys", || self.node.keys())
    }

    fn create_key(&self, name: &str) -> Result<Key, NodeError> {
        self.call("create_key", || self.node.create_key(name))
    }

    fn rename_key(&self, key: &Key, name: &str) -> Result<(), NodeError> {
        self.call("rename_key", || self.node.rename_key(key, name))
    }

    fn resolve(&self, name: &str) -> Result<Option<String>, NodeError> {
        self.call("resolve", || self.node.resolve(name))
    }

    fn record(&self, name: &str) -> Result<Option<Record>, NodeError> {
        self.call("record", || self.node.record(name))
    }

    fn publish(&self, key: &Key, root: &Cid, options: &PublishOptions) -> Result<(), NodeError> {
        self.call("publish", || self.node.publish(key, root, options))
    }

    fn reach(&self) -> Result<Reach, NodeError> {
        self.call("reach", || self.node.reach())
    }

    fn announce(&self, root: &Cid) -> Result<(), NodeError> {
        self.call("announce", || self.node.announce(root))
    }

    fn gateway(&self) -> Result<Option<String>, NodeError> {
        self.call("gateway", || self.node.gateway())
    }

    fn usage(&self) -> Result<Usage, NodeError> {
        self.call("usage", || self.node.usage())
    }

    fn collect_garbage(&self) -> Result<u64, NodeError> {
        self.call("collect_garbage", || self.node.collect_garbage())
    }
}
