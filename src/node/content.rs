//! Files, directories and blocks on the node.

use super::error::{NodeError, Problem};
use super::{LONG, Node};
use crate::ipfs::cid::{Cid, CidVersion, inlined, matches};
use crate::ipfs::file::{Added, CHUNK_BYTES, MAX_LINKS};
use serde::Deserialize;
use std::io::{self, Read};
use std::time::Duration;

/// The longest block that is read, in bytes. A plain directory at the sharding
/// limit takes 0.3 MiB; add-link has made larger ones.
const MAX_BLOCK_BYTES: u64 = 32 << 20;

/// How long a streamed upload may take on the node: its pace is the upstream's,
/// which has limits of its own.
const UPLOAD: Duration = Duration::from_secs(24 * 3600);

/// An entry of a directory, as the node lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its CID.
    pub hash: String,
    /// A file's size, in bytes.
    pub size: u64,
}

/// What the node made of a CAR.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The blocks it read.
    pub blocks: u64,
    /// The roots it pinned.
    pub pinned: Vec<Cid>,
}

#[derive(Deserialize)]
struct CidLink {
    #[serde(rename = "/")]
    cid: String,
}

impl Node {
    /// Adds the bytes of `content` as one file, without a pin.
    ///
    /// # Errors
    /// [`Problem::Source`] with `content`'s own error when it cannot be read to
    /// its end; the file is then not added.
    pub fn add(&self, version: CidVersion, content: &mut dyn Read) -> Result<Added, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Line {
            hash: Option<String>,
            /// Cumulative, in bytes, as text.
            size: Option<String>,
        }
        let mut content = Counted { content, bytes: 0 };
        let call = || self.call("add", "add a file to the node");
        let lines: Vec<Line> = call()
            // Everything that shapes a file, because a node may be configured
            // to make other ones by default (`Import.*`).
            .option("cid-version", version.number())
            .option("raw-leaves", version == CidVersion::V1)
            .option("hash", "sha2-256")
            .option("chunker", format_args!("size-{CHUNK_BYTES}"))
            .option("max-file-links", MAX_LINKS)
            .option("trickle", false)
            .option("inline", false)
            .option("pin", false)
            // Nobody looks for a single file; the root is what is announced.
            .option("fast-provide-root", false)
            .option("fast-provide-dag", false)
            .option("fast-provide-wait", false)
            .option("progress", false)
            .limit(UPLOAD)
            .upload(&mut content)?;
        let last = lines.last().and_then(|line| {
            Some(Added {
                cid: line.hash.as_ref()?.parse().ok()?,
                size: content.bytes,
                cumulative: line.size.as_ref()?.parse().ok()?,
            })
        });
        last.ok_or_else(|| call().failed(Problem::Cut("no line names the file".to_owned())))
    }

    /// The directory `base` with one more entry, or one replaced.
    ///
    /// Only for plain directories: an older node corrupts a sharded one.
    pub fn add_link(&self, base: &Cid, name: &str, target: &Cid) -> Result<Cid, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            hash: String,
        }
        let call = || {
            self.call(
                "object/patch/add-link",
                format!("link {name:?} into {base}"),
            )
        };
        let answer: Answer = call()
            .arg(base)
            .arg(name)
            .arg(target)
            // Without it every tree over 2 MiB is refused: the node's check
            // measures the tree, not the block.
            .option("allow-big-block", true)
            .option("offline", true)
            .json()?;
        parse_cid(&answer.hash).map_err(|problem| call().failed(problem))
    }

    /// A block that the node holds, checked against its CID.
    pub fn block_get(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        if let Some(content) = inlined(cid) {
            return Ok(content.to_vec());
        }
        let call = || self.call("block/get", format!("read the block {cid}"));
        let block = call()
            .arg(cid)
            .option("offline", true)
            .bytes(MAX_BLOCK_BYTES)?;
        match matches(cid, &block) {
            true => Ok(block),
            false => Err(call().failed(Problem::Cut(format!(
                "{} bytes that are not this block",
                block.len()
            )))),
        }
    }

    /// Stores a block, which must get exactly this CID.
    pub fn block_put(&self, cid: &Cid, block: &[u8]) -> Result<(), NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            key: String,
        }
        let codec = match cid.codec() {
            crate::ipfs::cid::RAW => "raw",
            _ => "dag-pb",
        };
        let call = || self.call("block/put", format!("store the block {cid}"));
        let answers: Vec<Answer> = call()
            .option("cid-codec", codec)
            .option("mhtype", "sha2-256")
            .option("mhlen", -1)
            .option("pin", false)
            .option("allow-big-block", true)
            .upload(&mut &block[..])?;
        let stored = answers
            .last()
            .and_then(|answer| answer.key.parse::<Cid>().ok());
        match stored.is_some_and(|stored| stored.hash() == cid.hash()) {
            true => Ok(()),
            false => Err(call().failed(Problem::Unexpected("it has another CID".to_owned()))),
        }
    }

    /// The size in bytes of a block that the node holds; `None` when it does not.
    pub fn block_stat(&self, cid: &Cid) -> Result<Option<u64>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            size: u64,
        }
        let found = self
            .call("block/stat", format!("look for the block {cid}"))
            .arg(cid)
            .option("offline", true)
            .json::<Answer>();
        match found {
            Ok(answer) => Ok(Some(answer.size)),
            Err(error) if error.says("could not find") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a path such as `/ipfs/CID/name` points to; `None` when an entry on
    /// the way is not there.
    pub fn resolve(&self, path: &str) -> Result<Option<Cid>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            path: String,
        }
        let call = || self.call("resolve", format!("resolve {path}"));
        match call().arg(path).option("offline", true).json::<Answer>() {
            Ok(answer) => {
                let cid = answer.path.strip_prefix("/ipfs/").unwrap_or(&answer.path);
                let cid = parse_cid(cid).map_err(|problem| call().failed(problem))?;
                Ok(Some(cid))
            }
            Err(error) if error.says("no link named") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The entries of a directory, plain or sharded.
    pub fn ls(&self, directory: &Cid) -> Result<Vec<Listed>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            objects: Vec<Object>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Object {
            links: Vec<Listed>,
        }
        let answer: Answer = self
            .call("ls", format!("list {directory}"))
            .arg(directory)
            .option("offline", true)
            .limit(LONG)
            .json()?;
        Ok(answer
            .objects
            .into_iter()
            .flat_map(|object| object.links)
            .collect())
    }

    /// The content of a file, as a stream. A node that fails on the way cuts it,
    /// so compare what comes with a size or a hash.
    pub fn cat(&self, file: &Cid) -> Result<impl Read + use<>, NodeError> {
        self.call("cat", format!("read the file {file}"))
            .arg(file)
            .option("offline", true)
            .limit(UPLOAD)
            .stream()
    }

    /// Sends a CAR of `blocks` blocks. With `pin_roots`, its roots are pinned in
    /// the same call, so that the garbage collector cannot take them.
    ///
    /// # Errors
    /// Also when the node counts other blocks than were sent, or fails to pin.
    pub fn dag_import(
        &self,
        car: &mut dyn Read,
        blocks: u64,
        pin_roots: bool,
    ) -> Result<Imported, NodeError> {
        let call = || self.call("dag/import", format!("store {blocks} blocks"));
        let lines: Vec<ImportLine> = call()
            .option("pin-roots", pin_roots)
            .option("stats", true)
            .option("allow-big-block", true)
            .option("fast-provide-root", false)
            .option("fast-provide-dag", false)
            .option("fast-provide-wait", false)
            .limit(UPLOAD)
            .upload(car)?;
        let imported = read_import(lines).map_err(|problem| call().failed(problem))?;
        if imported.blocks != blocks {
            let text = format!("it counts {} blocks, not {blocks}", imported.blocks);
            return Err(call().failed(Problem::Unexpected(text)));
        }
        Ok(imported)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportLine {
    root: Option<ImportRoot>,
    stats: Option<ImportStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportRoot {
    cid: CidLink,
    #[serde(default)]
    pin_error_msg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportStats {
    block_count: u64,
}

/// The statistics come last: without them the answer was cut.
fn read_import(lines: Vec<ImportLine>) -> Result<Imported, Problem> {
    let mut imported = Imported::default();
    let mut finished = false;
    for line in lines {
        if let Some(root) = line.root {
            if !root.pin_error_msg.is_empty() {
                return Err(Problem::Refused(root.pin_error_msg));
            }
            imported.pinned.push(parse_cid(&root.cid.cid)?);
        }
        if let Some(stats) = line.stats {
            imported.blocks = stats.block_count;
            finished = true;
        }
    }
    match finished {
        true => Ok(imported),
        false => Err(Problem::Cut("no statistics at its end".to_owned())),
    }
}

fn parse_cid(text: &str) -> Result<Cid, Problem> {
    text.parse()
        .map_err(|_| Problem::Unexpected(format!("{text:?} is no CID")))
}

/// Counts the bytes that pass.
struct Counted<'r> {
    content: &'r mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        self.bytes += length as u64;
        Ok(length)
    }
}
