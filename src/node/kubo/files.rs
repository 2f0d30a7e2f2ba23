//! Files, directories and blocks on a Kubo.

use super::super::error::{AddFileError, NodeError, Problem, Refusal};
use super::super::segment::SealedSegment;
use super::call::Rpc;
use super::refusal::refusal;
use crate::ipfs::blocks::Discard;
use crate::ipfs::cid::{Cid, CidVersion, RAW, inlined};
use crate::ipfs::file::{AddError, Added, CHUNK_BYTES, FileBuilder, MAX_LINKS};
use serde::Deserialize;
use std::io::{self, Read};
use std::time::Duration;

/// The time that a streamed upload may take on the node: its pace is the upstream's,
/// which has limits of its own.
const UPLOAD: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
struct CidLink {
    #[serde(rename = "/")]
    cid: String,
}

/// Adds the bytes of `content` as one file, without a pin. The CID of the answer is
/// compared with the one computed here: an answer with another CID is an error.
pub fn add(rpc: &Rpc, version: CidVersion, content: &mut dyn Read) -> Result<Added, AddFileError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line {
        hash: Option<String>,
    }
    let call = || rpc.call("add", "add a file to the node");
    let mut content = Hashed {
        content,
        file: FileBuilder::new(version),
    };
    let lines: Vec<Line> = call()
        // Everything that shapes a file, because a node may be configured to make
        // other ones by default (`Import.*`).
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
    let Ok(ours) = content.file.finish(&mut Discard);
    let problem = match lines.last().and_then(|line| line.hash.as_ref()) {
        Some(hash) if *hash == ours.cid.to_string() => return Ok(ours),
        Some(hash) => Problem::Unexpected(format!("it added {hash}, but the file is {}", ours.cid)),
        None => Problem::Cut("no line names the file".to_owned()),
    };
    Err(AddError::Sink(call().failed(problem)))
}

/// The directory with one more entry, or one replaced.
pub fn add_link(rpc: &Rpc, directory: &Cid, name: &str, target: &Cid) -> Result<Cid, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        hash: String,
    }
    let call = || {
        let action = format!("link {name:?} into {directory}");
        rpc.call("object/patch/add-link", action)
    };
    let answer: Answer = call()
        .arg(directory)
        .arg(name)
        .arg(target)
        // Without it every tree over 2 MiB is refused: the node's check measures
        // the tree, not the block.
        .option("allow-big-block", true)
        .option("offline", true)
        .json()?;
    let unexpected = |_| Problem::Unexpected(format!("{:?} is not a CID", answer.hash));
    let cid = answer.hash.parse().map_err(unexpected);
    cid.map_err(|problem| call().failed(problem))
}

/// Stores a block, which must get exactly this CID.
pub fn put_block(rpc: &Rpc, cid: &Cid, block: &[u8]) -> Result<(), NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        key: String,
    }
    let codec = match cid.codec() {
        RAW => "raw",
        _ => "dag-pb",
    };
    let call = || rpc.call("block/put", format!("store the block {cid}"));
    let answers: Vec<Answer> = call()
        .option("cid-codec", codec)
        .option("mhtype", "sha2-256")
        .option("mhlen", -1)
        .option("pin", false)
        .option("allow-big-block", true)
        .upload_bytes(block)?;
    let stored = answers.last();
    let stored = stored.and_then(|answer| answer.key.parse::<Cid>().ok());
    match stored.is_some_and(|stored| stored.hash() == cid.hash()) {
        true => Ok(()),
        false => Err(call().failed(Problem::Unexpected("it has another CID".to_owned()))),
    }
}

/// The size in bytes of a block that the node holds; `None` when it does not.
pub fn block_size(rpc: &Rpc, cid: &Cid) -> Result<Option<u64>, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        size: u64,
    }
    if let Some(content) = inlined(cid) {
        return Ok(Some(content.len() as u64));
    }
    let answer = rpc
        .call("block/stat", format!("look for the block {cid}"))
        .arg(cid)
        .option("offline", true)
        .json::<Answer>();
    match answer {
        Ok(answer) => Ok(Some(answer.size)),
        Err(error) if error.is(Refusal::Missing) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The content of a file, as a stream.
pub fn read(rpc: &Rpc, file: &Cid) -> Result<Box<dyn Read + Send>, NodeError> {
    let content = rpc
        .call("cat", format!("read the file {file}"))
        .arg(file)
        .option("offline", true)
        .limit(UPLOAD)
        .stream()?;
    Ok(Box::new(content))
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

/// Sends a segment as a CAR whose root, the staging directory, is pinned in the same
/// call, so that the collector cannot come between.
pub fn import(rpc: &Rpc, segment: &SealedSegment) -> Result<(), NodeError> {
    let sent = segment.blocks.len() as u64;
    let call = || rpc.call("dag/import", format!("store {sent} blocks"));
    let lines = call()
        .option("pin-roots", true)
        .option("stats", true)
        .option("allow-big-block", true)
        .option("fast-provide-root", false)
        .option("fast-provide-dag", false)
        .option("fast-provide-wait", false)
        .limit(UPLOAD)
        .upload(&mut segment.car());
    let lines: Vec<ImportLine> = lines.map_err(|error| match error {
        AddError::Sink(error) => error,
        // Reading from memory does not fail.
        AddError::Content(error) => call().failed(Problem::Cut(error.to_string())),
    })?;
    let staging = segment.staging.to_string();
    check_import(&lines, &staging, sent).map_err(|problem| call().failed(problem))
}

/// The statistics come last: without them the answer was cut.
fn check_import(lines: &[ImportLine], staging: &str, sent: u64) -> Result<(), Problem> {
    let roots = || lines.iter().filter_map(|line| line.root.as_ref());
    if let Some(root) = roots().find(|root| !root.pin_error_msg.is_empty()) {
        return Err(refusal(root.pin_error_msg.clone()));
    }
    let stats = lines.iter().find_map(|line| line.stats.as_ref());
    match stats.map(|stats| stats.block_count) {
        None => Err(Problem::Cut("no statistics at its end".to_owned())),
        Some(counted) if counted != sent => Err(Problem::Unexpected(format!(
            "it counts {counted} blocks, not {sent}"
        ))),
        Some(_) if !roots().any(|root| root.cid.cid == staging) => {
            Err(Problem::Unexpected(format!("it did not pin {staging}")))
        }
        Some(_) => Ok(()),
    }
}

/// Content whose CID is computed while it passes.
struct Hashed<'r> {
    content: &'r mut dyn Read,
    file: FileBuilder,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        let Ok(()) = self.file.push(&buffer[..length], &mut Discard);
        Ok(length)
    }
}
