//! The files of a mirror as a gateway hands them to a client: compared with the blocks of
//! the root, which nobody can make up.

use super::super::inspect::Target;
use super::super::narinfos::{item_of, nar_paths};
use super::file_ends::{FileEnds, file_ends};
use super::finding::{Finding, Kind, Verdict};
use super::gateway_blocks::{BlockFault, GatewayBlocks, status_text};
use super::name::root_header;
use super::sample::{MirrorSample, sample};
use crate::guix::{
    HttpAnswer, HttpError, MAX_NARINFO_BYTES, Narinfo, Signature, SignatureError, TrustedKeys,
    UpstreamClient, farm_of,
};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, is_same_content};
use crate::ipfs::directory::{Entry, TreeError, lookup};
use crate::node::Node;
use crate::util::parallel;
use crate::util::url;

/// Bytes that are asked for at each end of a nar.
const END_BYTES: u64 = 1024;

/// The terms of looking at files.
pub struct FileTerms<'t> {
    /// The keys that are trusted besides those of the farms.
    pub keys: &'t TrustedKeys,
    /// The number of narinfos that are looked at.
    pub sample: usize,
    /// Requests at once.
    pub jobs: u16,
}

/// The files of a gateway.
struct GatewayFiles<'f> {
    at: &'f str,
    client: &'f UpstreamClient,
    terms: &'f FileTerms<'f>,
    /// The mirror below the gateway, `ipns/NAME`.
    path: &'f str,
    root: Cid,
    blocks: GatewayBlocks<'f>,
}

/// The outcome for the files of a gateway.
#[derive(Debug, Default)]
pub struct FilesFound {
    /// The findings.
    pub findings: Vec<Finding>,
    /// The size of the mirror, where its blocks can be had.
    pub sample: Option<MirrorSample>,
}

/// Looks at the files of a gateway. `cache_info` is its answer for that file. Where the
/// gateway gives no blocks, those of the node are taken.
pub fn look_at(
    client: &UpstreamClient,
    node: Option<&dyn Node>,
    terms: &FileTerms<'_>,
    (target, path): (&Target, &str),
    root: Cid,
    cache_info: &HttpAnswer,
) -> FilesFound {
    let at = client.base();
    let mut findings: Vec<Finding> = redirect(at, target, cache_info).into_iter().collect();
    let mut blocks = GatewayBlocks::of_gateway(client);
    if let Err(fault) = blocks.get(&root) {
        let text = fault.to_string();
        findings.push(Finding::new(at, Kind::Blocks, fault.verdict(), text));
        match node {
            Some(node) => blocks = blocks.of_node(node),
            None => {
                return FilesFound {
                    findings,
                    sample: None,
                };
            }
        }
    }
    let files = GatewayFiles {
        at,
        client,
        terms,
        path,
        root,
        blocks,
    };
    findings.push(files.cache_info(cache_info));
    let sample = match sample(&files.blocks, &root, terms.sample, terms.jobs) {
        Err(error) => {
            findings.push(files.tree_fault(Kind::Contents, &error));
            None
        }
        Ok(sample) => {
            let look = |(name, cid): &(String, Cid)| files.item(name, cid);
            let jobs = terms.jobs;
            let items = parallel::map(jobs, sample.some.iter().collect(), look);
            findings.extend(items.into_iter().flatten());
            Some(sample)
        }
    };
    FilesFound { findings, sample }
}

/// A redirect, which `guix` does not follow.
fn redirect(at: &str, target: &Target, answer: &HttpAnswer) -> Option<Finding> {
    let base = answer.url.strip_suffix("/nix-cache-info")?;
    if url::is_same_origin(base, at) {
        return None;
    }
    let what = match target {
        Target::Name(_) => "this mirror",
        Target::Root(_) => "this root",
    };
    let text =
        format!("redirects to {base}, and guix follows no redirects: give it that URL for {what}");
    Some(Finding::new(at, Kind::Root, Verdict::Note, text))
}

impl GatewayFiles<'_> {
    fn cache_info(&self, answer: &HttpAnswer) -> Finding {
        let finding = |verdict, text: &str| Finding::new(self.at, Kind::CacheInfo, verdict, text);
        match self.entry(&["nix-cache-info".to_owned()]) {
            Err(error) => self.tree_fault(Kind::CacheInfo, &error),
            Ok(None) => finding(Verdict::Wrong, "it is not in the root"),
            Ok(Some(entry)) => match self.ends(&entry.cid) {
                Err(fault) => finding(fault.verdict(), &fault.to_string()),
                Ok(None) => finding(Verdict::Wrong, "it is not a file"),
                Ok(Some(ends)) => match self.fault_of_whole(answer, &ends) {
                    Some((verdict, text)) => finding(verdict, &text),
                    None => finding(Verdict::Good, "as in the root"),
                },
            },
        }
        .after(answer.first_byte)
    }

    /// Looks at a narinfo, and at the nar that it lists first.
    fn item(&self, name: &str, cid: &Cid) -> Vec<Finding> {
        let finding = |verdict, text: String| {
            Finding::new(self.at, Kind::Narinfo, verdict, text).of_file(name)
        };
        let ends = match self.ends(cid) {
            Err(fault) => return vec![finding(fault.verdict(), fault.to_string())],
            Ok(None) => return vec![finding(Verdict::Wrong, "it is not a file".to_owned())],
            Ok(Some(ends)) => ends,
        };
        let url = format!("{}/{name}", self.path);
        let answer = match self.client.ask(&url, &[], MAX_NARINFO_BYTES as u64) {
            Err(error) => return vec![finding(Verdict::Unreachable, error.to_string())],
            Ok(answer) => answer,
        };
        let time = answer.first_byte;
        if let Some((verdict, text)) = self.fault_of_whole(&answer, &ends) {
            return vec![finding(verdict, text).after(time)];
        }
        let narinfo = Narinfo::parse(&answer.body).map_err(|error| error.to_string());
        let narinfo = narinfo.and_then(|narinfo| match item_of(name) {
            Some(hash) if narinfo.matches(&hash) => Ok(narinfo),
            _ => Err(format!("it describes {} instead", narinfo.store_path)),
        });
        match narinfo {
            Err(text) => vec![finding(Verdict::Wrong, text).after(time)],
            Ok(narinfo) => {
                let (verdict, signed) = self.signer(&narinfo);
                let text = format!("as in the root, {signed}");
                let mut findings = vec![finding(verdict, text).after(time)];
                findings.extend(self.nar(&narinfo));
                findings
            }
        }
    }

    fn signer(&self, narinfo: &Narinfo) -> (Verdict, String) {
        match Signature::signer(narinfo) {
            Ok(key) => match farm_of(&key) {
                Some(farm) => (Verdict::Good, format!("signed by {farm}")),
                None if self.terms.keys.keys().contains(&key) => (
                    Verdict::Good,
                    "signed by a key of --trusted-keys".to_owned(),
                ),
                None => (Verdict::Good, format!("signed by the key {key}")),
            },
            Err(SignatureError::Unsigned) => (Verdict::Good, "not signed".to_owned()),
            Err(error) => (Verdict::Wrong, error.to_string()),
        }
    }

    /// Looks at both ends of the nar that a narinfo lists first.
    fn nar(&self, narinfo: &Narinfo) -> Option<Finding> {
        let path = nar_paths(narinfo).next()?;
        let variant = narinfo.variants.first()?;
        let url = &variant.url;
        let file = path.join("/");
        let finding =
            |verdict, text: &str| Finding::new(self.at, Kind::Nar, verdict, text).of_file(&file);
        let entry = match self.entry(&path) {
            Err(error) => return Some(self.tree_fault(Kind::Nar, &error).of_file(&file)),
            Ok(None) => {
                let text = "a narinfo lists it, but it is not in the root";
                return Some(finding(Verdict::Wrong, text));
            }
            Ok(Some(entry)) => entry,
        };
        let ends = match self.ends(&entry.cid) {
            Err(fault) => return Some(finding(fault.verdict(), &fault.to_string())),
            Ok(None) => return Some(finding(Verdict::Wrong, "it is not a file")),
            Ok(Some(ends)) => ends,
        };
        let size = ends.size;
        if variant.file_size.is_some_and(|promised| promised != size) || size == 0 {
            let text = format!("it has {size} bytes, but its narinfo gives another size");
            return Some(finding(Verdict::Wrong, &text));
        }
        let most = END_BYTES.min(size);
        let first = self.part(url, format!("bytes=0-{}", most - 1), most);
        let begun = match first {
            Err(error) => return Some(finding(Verdict::Unreachable, &error.to_string())),
            Ok(answer) => answer,
        };
        let time = begun.first_byte;
        if let Some((verdict, text)) = self.fault(&begun, &[200, 206]) {
            return Some(finding(verdict, &text).after(time));
        }
        let begins = ends.first.starts_with(&begun.body) || begun.body.starts_with(&ends.first);
        if !begins || begun.body.is_empty() {
            let text = "it begins with other bytes than in the root";
            return Some(finding(Verdict::Wrong, text).after(time));
        }
        if begun.status == 200 {
            let text = "begins as in the root; the end is not known, since the gateway sends no \
                        ranges";
            return Some(finding(Verdict::Good, text).after(time));
        }
        let from = size.saturating_sub(most);
        let end = match self.part(url, format!("bytes={from}-"), most) {
            Err(error) => return Some(finding(Verdict::Unreachable, &error.to_string())),
            Ok(answer) => answer,
        };
        let fault = self.fault(&end, &[206]).or_else(|| {
            let length = end.body.len() as u64;
            let same = ends.last.len().min(end.body.len());
            let is_end = end.body.ends_with(&ends.last[ends.last.len() - same..]);
            (length != most || !is_end).then(|| {
                let text = "it ends with other bytes than in the root";
                (Verdict::Wrong, text.to_owned())
            })
        });
        Some(
            match fault {
                Some((verdict, text)) => finding(verdict, &text),
                None => finding(Verdict::Good, "begins and ends as in the root"),
            }
            .after(time),
        )
    }

    fn ends(&self, file: &Cid) -> Result<Option<FileEnds>, BlockFault> {
        file_ends(&self.blocks, file, END_BYTES as usize)
    }

    fn part(&self, url: &str, range: String, most: u64) -> Result<HttpAnswer, HttpError> {
        let path = format!("{}/{url}", self.path);
        self.client.ask(&path, &[("range", range)], most)
    }

    /// The fault of an answer that should be all of a small file.
    fn fault_of_whole(&self, answer: &HttpAnswer, ends: &FileEnds) -> Option<(Verdict, String)> {
        self.fault(answer, &[200]).or_else(|| {
            let (body, size) = (&answer.body, answer.body.len() as u64);
            let is_whole =
                size == ends.size && body.starts_with(&ends.first) && body.ends_with(&ends.last);
            (!is_whole).then(|| {
                let text = match size < ends.size {
                    true => "the answer is cut, or has other bytes than in the root",
                    false => "the answer has other bytes than in the root",
                };
                (Verdict::Wrong, text.to_owned())
            })
        })
    }

    /// The fault of an answer that should have one of these statuses. One from another root
    /// than before is not a fault: the name moved on.
    fn fault(&self, answer: &HttpAnswer, statuses: &[u16]) -> Option<(Verdict, String)> {
        let is_there = statuses.contains(&answer.status);
        let root = match answer.status {
            404 => self.root_now(),
            _ => root_header(answer),
        };
        match root {
            Some(root) if !is_same_content(&root, &self.root) => {
                let text = format!("not compared: the name moved on to /ipfs/{root}");
                Some((Verdict::Note, text))
            }
            _ => (!is_there).then(|| (Verdict::Unreachable, status_text(answer))),
        }
    }

    /// The root that the gateway comes to now.
    fn root_now(&self) -> Option<Cid> {
        let path = format!("{}/nix-cache-info", self.path);
        root_header(&self.client.ask(&path, &[], 0).ok()?)
    }

    /// The entry at a path below the root.
    fn entry(&self, path: &[String]) -> Result<Option<Entry>, TreeError<BlockFault>> {
        let mut at = None;
        for name in path {
            let directory = at.map_or(self.root, |entry: Entry| entry.cid);
            at = lookup(&self.blocks, &directory, name)?;
            if at.is_none() {
                break;
            }
        }
        Ok(at)
    }

    fn tree_fault(&self, kind: Kind, error: &TreeError<BlockFault>) -> Finding {
        let verdict = match error {
            TreeError::Blocks(fault) => fault.verdict(),
            TreeError::Malformed { .. } => Verdict::Wrong,
        };
        Finding::new(self.at, kind, verdict, error.to_string())
    }
}
