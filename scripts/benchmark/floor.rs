//! The floor of a run: the blocks that it adds, computed beforehand, then imported, pinned
//! and published with one call each.

use crate::export::car_of;
use crate::measure::time;
use crate::support::{Item, Mirror, TestNode};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Changes, Entry, PlainDirectory, lookup, patch};
use guix_ipfs::ipfs::file::add_file;
use guix_ipfs::node::NodeError;

/// A mirror on a Kubo, held beside whatever its name points to.
pub struct Floor<'n> {
    node: &'n TestNode,
    root: Cid,
    /// A pinned directory with the root.
    held: Cid,
}

impl<'n> Floor<'n> {
    pub fn new(node: &'n TestNode, mirror: &Mirror) -> Self {
        let root = mirror.root().parse().unwrap();
        let (held, block) = holding(root);
        import(node, &car_of(held, &[(held, block)]));
        node.json(&format!("pin/add?arg={held}"));
        Self { node, root, held }
    }

    /// Seconds that the Kubo takes to publish these items beside what the mirror has. The
    /// mirror is left as it was.
    pub fn seconds(&self, items: &[Item]) -> f64 {
        let (root, mut blocks) = self.graft(items);
        let (new, block) = holding(root);
        blocks.push((new, block));
        let car = car_of(new, &blocks);
        let Self { node, held, .. } = self;
        let seconds = time(|| {
            import(node, &car);
            node.json(&format!("pin/update?arg={held}&arg={new}&unpin=false"));
            let publish = "name/publish?key=guix-ipfs&allow-offline=true&resolve=false";
            node.json(&format!("{publish}&arg=/ipfs/{root}"));
        });
        node.json(&format!("pin/rm?arg={new}"));
        node.publish("guix-ipfs", &self.root.to_string());
        seconds
    }

    /// The root with these items, and the new blocks below it.
    fn graft(&self, items: &[Item]) -> (Cid, Vec<(Cid, Vec<u8>)>) {
        let mut blocks = Vec::new();
        let mut put = |cid: Cid, block: Vec<u8>| {
            blocks.push((cid, block));
            Ok::<_, NodeError>(())
        };
        let mut narinfos = Changes::new();
        let mut nars = Changes::new();
        for (path, content) in items.iter().flat_map(|item| &item.files) {
            let added = add_file(CidVersion::V0, &mut content.as_slice(), &mut put).unwrap();
            let entry = Entry::from(added);
            match path.strip_prefix("nar/gzip/") {
                Some(name) => nars.insert(name.to_owned(), Some(entry)),
                None => narinfos.insert(path.clone(), Some(entry)),
            };
        }
        let source = self.node.node();
        let nar = lookup(&source, &self.root, "nar").unwrap().unwrap().cid;
        let gzip = lookup(&source, &nar, "gzip").unwrap().unwrap().cid;
        let mut patched = |directory: &Cid, changes: Changes| {
            patch(&source, Some(directory), changes, CidVersion::V0, &mut put).unwrap()
        };
        let gzip = patched(&gzip, nars);
        let nar = patched(&nar, [("gzip".to_owned(), Some(gzip))].into());
        narinfos.insert("nar".to_owned(), Some(nar));
        let root = patched(&self.root, narinfos);
        (root.cid, blocks)
    }
}

/// A directory that holds a root, as a journal does.
fn holding(root: Cid) -> (Cid, Vec<u8>) {
    let entry = Entry { cid: root, size: 0 };
    let entries = [("root".to_owned(), entry)].into();
    let (block, entry) = PlainDirectory { entries }.encode(CidVersion::V1);
    (entry.cid, block)
}

fn import(node: &TestNode, car: &[u8]) {
    let answer = node.upload("dag/import?pin-roots=false&stats=true", car);
    assert!(answer.text().contains("Stats"), "{}", answer.text());
}
