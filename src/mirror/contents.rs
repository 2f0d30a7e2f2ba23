//! The contents of a mirror, one's own or another's. That of others is read over the
//! network, and no more of it than the question takes.

use super::counts::{Count, survey, survey_narinfos};
use super::delta_sharing::{DeltaSharing, delta_sharing};
use super::failure::Failure;
use super::inspect::Target;
use super::json;
use super::narinfos::{self, PublishedNarinfo};
use super::signers::{Signers, signers};
use crate::guix::delta::NAR_FOLDER;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{DirectoryNode, TreeError};
use crate::node::Node;
use crate::publication::{PublicationError, PublicationView, Search, Tree, has_journal};
use serde::Serialize;

/// The folders of `nar`, one for each compression; nars that are not compressed lie
/// beside them.
const FOLDERS: [&str; 7] = ["gzip", "lzip", "zstd", "xz", "bzip2", "none", NAR_FOLDER];

/// Blocks that are asked for at once over a network, for each job: they are small, and
/// wait for others. 5,000 narinfos came four times as fast so, beside a node on the
/// same machine.
const BLOCKS_PER_JOB: u16 = 8;

/// The most blocks that are asked for at once.
const MOST_BLOCKS: u16 = 64;

/// The contents of a mirror.
#[derive(Debug, Serialize)]
pub struct MirrorContents {
    /// The number of narinfos.
    pub narinfos: Count,
    /// The number of nars for each compression that there is.
    #[serde(serialize_with = "json::object")]
    pub nars: Vec<(&'static str, Count)>,
    /// Cumulative size in bytes: shared blocks count once for each link.
    pub bytes: u64,
    /// The blocks that delta nars share, where the mirror has any and is read from the node.
    pub delta: Option<DeltaSharing>,
    /// The signers of some of its narinfos.
    pub signers: Signers,
}

/// A mirror whose contents can be asked for.
pub struct MirrorReader<'n> {
    tree: Tree<'n>,
    is_own: bool,
    jobs: u16,
}

impl<'n> MirrorReader<'n> {
    /// The mirror with this root. One that the node publishes is read from the node
    /// alone; any other is looked for on the network, and `came` called for each block
    /// of it.
    pub fn new(
        node: &'n dyn Node,
        target: &Target,
        root: Cid,
        jobs: u16,
        came: &'n (dyn Fn() + Sync),
    ) -> Result<Self, Failure> {
        let is_own = is_own(node, target, &root)?;
        let (search, jobs) = match is_own {
            true => (Search::Node, jobs),
            false => {
                let jobs = jobs.saturating_mul(BLOCKS_PER_JOB).min(MOST_BLOCKS);
                (Search::Network(came), jobs)
            }
        };
        Ok(Self {
            tree: Tree::searching(node, root, search),
            is_own,
            jobs,
        })
    }

    /// Returns true for a mirror that this node publishes.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Reads the first block of the root.
    ///
    /// # Errors
    /// [`Failure::NoMirror`] where it is not that of a mirror.
    pub fn require_mirror(&self) -> Result<(), Failure> {
        let root = self.tree.root;
        let is_mirror = match self.tree.top(&root) {
            // That of a website is seldom so large; its count is then 0.
            Ok(top) if matches!(*top, DirectoryNode::Sharded(_)) => Ok(true),
            Ok(_) => self.tree.is_mirror(),
            Err(PublicationError::Tree(TreeError::Malformed { .. })) => Ok(false),
            // No repair goes without it.
            Err(PublicationError::Node(source)) if self.is_own && source.is_of_block() => {
                let root = Box::new(root);
                Err(PublicationError::NotWhole { root, source })
            }
            Err(error) => Err(error),
        };
        match self.reading("the root", is_mirror)? {
            true => Ok(()),
            false => Err(Failure::NoMirror(Box::new(root))),
        }
    }

    /// Counts what is there, and reads some narinfos.
    pub fn contents(&self) -> Result<MirrorContents, Failure> {
        let Self { tree, jobs, .. } = self;
        let whole = self.reading("the root", tree.whole())?;
        let counted = survey_narinfos(tree, *jobs);
        let narinfos = self.reading("the narinfos", counted)?;
        let nars = self.nars()?;
        let delta = match self.is_own {
            true => self.reading("the delta nars", delta_sharing(tree, *jobs))?,
            false => None,
        };
        let signers = signers(tree, *jobs, narinfos.sample);
        Ok(MirrorContents {
            narinfos: narinfos.count,
            nars,
            delta,
            bytes: whole.size,
            signers: self.reading("a sample of the narinfos", signers)?,
        })
    }

    /// The numbers of files in `nar` and in the folders in it.
    fn nars(&self) -> Result<Vec<(&'static str, Count)>, Failure> {
        let Self { tree, jobs, .. } = self;
        let Some(nar) = self.reading("nar", tree.find(&["nar"]))? else {
            return Ok(Vec::new());
        };
        let mut nars = Vec::new();
        for folder in FOLDERS {
            let part = format!("nar/{folder}");
            if let Some(entry) = self.reading(&part, tree.entry(&nar.cid, folder))? {
                let counted = survey(tree, &entry.cid, *jobs, |_| true);
                nars.push((folder, self.reading(&part, counted)?.count));
            }
        }
        let beside = survey(tree, &nar.cid, *jobs, |name| !FOLDERS.contains(&name));
        let beside = self.reading("nar", beside)?.count;
        if beside.entries > 0 {
            nars.push(("uncompressed", beside));
        }
        Ok(nars)
    }

    /// Calls `take` with the store path of each narinfo, or with the name and the fault
    /// of one that cannot be read.
    pub fn list(
        &self,
        mut take: impl FnMut(Result<String, (String, String)>),
    ) -> Result<(), Failure> {
        self.require_mirror()?;
        let path = |published: PublishedNarinfo| match published.narinfo {
            Ok(narinfo) => Ok(narinfo.store_path.to_string()),
            Err(reason) => Err((published.name, reason)),
        };
        let work = |narinfos: Vec<PublishedNarinfo>| narinfos.into_iter().map(path).collect();
        let listed = narinfos::for_each(&self.tree, self.jobs, work, &mut take);
        self.reading("the narinfos", listed)
    }

    /// Explains what an unreadable part means for this mirror.
    fn reading<T>(&self, part: &str, read: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
        read.map_err(|error| match self.is_own {
            true => error.into().of_own_tree(),
            false => Failure::Foreign {
                part: part.to_owned(),
                root: Box::new(self.tree.root),
                source: Box::new(error.into()),
            },
        })
    }
}

/// Returns true for a name of a key of the node, where the node keeps its journal or
/// the root itself. A key alone may have come from elsewhere.
pub fn is_own(node: &dyn Node, target: &Target, root: &Cid) -> Result<bool, Failure> {
    let Some(name) = target.name() else {
        return Ok(false);
    };
    match PublicationView::of_name(node, name)? {
        None => Ok(false),
        Some(view) => Ok(has_journal(&view)? || node.is_pinned(root)?),
    }
}
