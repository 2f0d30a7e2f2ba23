//! The calls of a node that wraps another, `self.node`: each goes through its method
//! `call`, which decides what becomes of it.

/// Makes a wrapper a node.
macro_rules! node_through_call {
    ($node:ident) => {
        use guix_ipfs::ipfs::cid::{Cid, CidVersion};
        use guix_ipfs::ipfs::file::{AddError, Added};
        use guix_ipfs::node::{
            AddFileError, Key, KnownBlocks, NodeDescription, PrivateKey, PublishOptions, Reach,
            Record, SealedSegment, Usage,
        };
        use std::io::Read;

        impl Node for $node<'_> {
            fn description(&self) -> &NodeDescription {
                self.node.description()
            }

            fn blocks(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
                self.call("blocks", || self.node.blocks(cids))
            }

            fn fetch_block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
                self.call("fetch_block", || self.node.fetch_block(cid))
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

            fn add_file(
                &self,
                version: CidVersion,
                content: &mut dyn Read,
            ) -> Result<Added, AddFileError> {
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

            fn add_link(
                &self,
                directory: &Cid,
                name: &str,
                target: &Cid,
            ) -> Result<Cid, NodeError> {
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

            fn pins_beginning(&self, name: &str) -> Result<Vec<(String, Cid)>, NodeError> {
                self.call("pins_beginning", || self.node.pins_beginning(name))
            }

            fn keys(&self) -> Result<Vec<Key>, NodeError> {
                self.call("keys", || self.node.keys())
            }

            fn create_key(&self, name: &str) -> Result<Key, NodeError> {
                self.call("create_key", || self.node.create_key(name))
            }

            fn import_key(&self, name: &str, private: &PrivateKey) -> Result<Key, NodeError> {
                self.call("import_key", || self.node.import_key(name, private))
            }

            fn export_key(&self, key: &Key) -> Result<Option<PrivateKey>, NodeError> {
                self.call("export_key", || self.node.export_key(key))
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

            fn publish(
                &self,
                key: &Key,
                root: &Cid,
                options: &PublishOptions,
            ) -> Result<(), NodeError> {
                self.call("publish", || self.node.publish(key, root, options))
            }

            fn reach(&self) -> Result<Reach, NodeError> {
                self.call("reach", || self.node.reach())
            }

            fn announce(&self, root: &Cid) -> Result<(), NodeError> {
                self.call("announce", || self.node.announce(root))
            }

            fn providers(
                &self,
                cid: &Cid,
                limit: std::time::Duration,
            ) -> Result<Option<usize>, NodeError> {
                self.call("providers", || self.node.providers(cid, limit))
            }

            fn gateway(&self) -> Result<Option<String>, NodeError> {
                self.call("gateway", || self.node.gateway())
            }

            fn usage(&self) -> Result<Usage, NodeError> {
                self.call("usage", || self.node.usage())
            }

            fn free_bytes(&self) -> Result<Option<u64>, NodeError> {
                self.call("free_bytes", || self.node.free_bytes())
            }

            fn collect_garbage(&self) -> Result<u64, NodeError> {
                self.call("collect_garbage", || self.node.collect_garbage())
            }
        }
    };
}
