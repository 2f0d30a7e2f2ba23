//! `object/patch/add-link`: an entry more in a plain directory.

use super::options::Options;
use super::{Answer, Call, Fault, check_block_size, one, refused};
use crate::embedded::path;
use crate::embedded::repo::Repo;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB};
use crate::ipfs::dag_pb::Node;
use crate::ipfs::directory::{Directory, Entry};
use crate::ipfs::unixfs::{Kind, UnixFs};
use serde_json::json;

pub fn add_link(call: &Call) -> Answer {
    let base = path::resolve(call.repo, call.options.arg(0, "root")?)?;
    let name = call.options.arg(1, "name")?;
    let target = path::resolve(call.repo, call.options.arg(2, "ref")?)?;
    let create = call.options.flag("create", false)?;
    call.options.only("allow-non-unixfs", "false")?;
    let _held = call.repo.writing();
    let directory = read(call.repo, &base)?;
    let target = Entry {
        cid: target,
        size: cumulative_size(call.repo, &target)?,
    };
    if name.is_empty() {
        return Err(refused("cannot create link with no name"));
    }
    let root = Place {
        repo: call.repo,
        options: &call.options,
        create,
    }
    .insert(directory, CidVersion::of(&base), name, target)?;
    one(&json!({"Hash": root.cid.to_string()}))
}

/// What it takes to put a link in its place.
struct Place<'r> {
    repo: &'r Repo,
    options: &'r Options,
    create: bool,
}

impl Place<'_> {
    fn insert(
        &self,
        mut directory: Directory,
        version: CidVersion,
        path: &str,
        target: Entry,
    ) -> Result<Entry, Fault> {
        let (name, entry) = match path.split_once('/') {
            None => (path, target),
            Some((name, below)) => {
                let (child, version) = match directory.entries.get(name) {
                    // Kubo patches through files and shards too, and breaks them.
                    Some(child) => (read(self.repo, &child.cid)?, CidVersion::of(&child.cid)),
                    None if self.create => (Directory::default(), CidVersion::V0),
                    None => return Err(refused("no link by that name")),
                };
                (name, self.insert(child, version, below, target)?)
            }
        };
        directory.entries.insert(name.to_owned(), entry);
        let (block, entry) = directory.encode(version);
        // As in Kubo, what is measured is the tree, not the block.
        check_block_size(self.options, entry.size)?;
        self.repo.blocks.put(&entry.cid, &block)?;
        Ok(entry)
    }
}

/// A plain directory, refusing everything else in Kubo's words.
fn read(repo: &Repo, cid: &Cid) -> Result<Directory, Fault> {
    let block = repo.blocks.get(cid)?;
    if cid.codec() != DAG_PB {
        return Err(refused("expected protobuf dag node"));
    }
    let node = Node::decode(&block).map_err(|error| refused(error.to_string()))?;
    let data = node.data.as_deref().unwrap_or_default();
    let kind = match UnixFs::decode(data).map(|message| message.kind) {
        Ok(Kind::Directory) => {
            return Directory::from_node(node).map_err(|error| refused(error.to_string()));
        }
        Ok(Kind::HamtShard) => {
            return Err(refused(
                "cannot add links to a HAMTShard at the dag-pb level (would corrupt the HAMT \
                 bitfield); use 'ipfs files' commands instead, or pass --allow-non-unixfs to \
                 override",
            ));
        }
        Ok(kind) => kind,
        Err(_) => {
            return Err(refused(
                "cannot add named links to a non-UnixFS dag-pb node; \
                 pass --allow-non-unixfs to skip validation",
            ));
        }
    };
    Err(refused(format!(
        "cannot add named links to a UnixFS {kind:?} node, only Directory nodes support link \
         addition at the dag-pb level (see https://specs.ipfs.tech/unixfs/)"
    )))
}

fn cumulative_size(repo: &Repo, cid: &Cid) -> Result<u64, Fault> {
    let block = repo.blocks.get(cid)?;
    if cid.codec() != DAG_PB {
        return Ok(block.len() as u64);
    }
    let node = Node::decode(&block).map_err(|error| refused(error.to_string()))?;
    Ok(node.cumulative_size(block.len()))
}
