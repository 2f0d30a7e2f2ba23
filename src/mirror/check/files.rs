//! The files of a mirror as a gateway hands them to a client: compared with the blocks of
//! the root, which nobody can make up.

use super::super::inspect::Target;
use super::super::narinfos::{item_of, nar_paths};
use super::file_ends::{FileEnds, file_ends};
use super::finding::{Finding, Judgement, Kind, Verdict};
use super::gateway_blocks::{BlockFault, GatewayBlocks, status_text};
use super::name::root_header;
use super::request::CheckRequest;
use super::sample::{MirrorSample, sample};
use crate::guix::{
    HttpAnswer, MAX_NARINFO_BYTES, Narinfo, Signature, SignatureError, UpstreamClient, Variant,
    farm_of,
};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, is_same_content};
use crate::ipfs::directory::{TreeError, lookup};
use crate::publication::CACHE_INFO_NAME;
use crate::util::parallel;
use crate::util::url;
use std::time::Duration;

/// Bytes that are asked for at each end of a nar.
const END_BYTES: u64 = 1024;

/// The files of a gateway.
struct GatewayFiles<'f> {
    request: &'f CheckRequest<'f>,
    client: &'f UpstreamClient,
    /// The mirror below the gateway, `ipns/NAME`.
    path: &'f str,
    root: Cid,
    blocks: GatewayBlocks<'f>,
}

/// Looks at the files of a gateway, and returns the size of the mirror where its blocks can
/// be had. `cache_info` is its answer for that file. Where the gateway gives no blocks,
/// those of the node are taken.
pub fn look_at(
    request: &CheckRequest<'_>,
    client: &UpstreamClient,
    path: &str,
    root: Cid,
    cache_info: &HttpAnswer,
    findings: &mut Vec<Finding>,
) -> Option<MirrorSample> {
    let at = client.base();
    findings.extend(redirect(at, &request.target, cache_info));
    let mut blocks = GatewayBlocks::of_gateway(client);
    if let Err(fault) = blocks.get(&root) {
        findings.push(Finding::new(at, Kind::Blocks, fault.judgement()));
        blocks = blocks.of_node(request.node?);
    }
    let files = GatewayFiles {
        request,
        client,
        path,
        root,
        blocks,
    };
    findings.push(files.cache_info(cache_info));
    match sample(&files.blocks, &root, request.sample, request.jobs) {
        Err(error) => {
            findings.push(Finding::new(at, Kind::Contents, tree_fault(error)));
            None
        }
        Ok(sample) => {
            let look = |(name, cid): &(String, Cid)| files.item(name, cid);
            let items = parallel::map(request.jobs, sample.some.iter().collect(), look);
            findings.extend(items.into_iter().flatten());
            Some(sample)
        }
    }
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
    Some(Finding::new(at, Kind::Root, (Verdict::Note, text)))
}

impl GatewayFiles<'_> {
    fn cache_info(&self, answer: &HttpAnswer) -> Finding {
        let compare = || match self.file(&[CACHE_INFO_NAME])? {
            None => wrong("it is not in the root"),
            Some(file) => self.compare_whole(answer, &self.ends(&file)?),
        };
        let judgement = compare().err().unwrap_or_else(|| good("as in the root"));
        Finding::new(self.client.base(), Kind::CacheInfo, judgement).after(answer.first_byte)
    }

    /// Looks at a narinfo, and at the nar that it lists first.
    fn item(&self, name: &str, cid: &Cid) -> Vec<Finding> {
        let finding = |judgement: Judgement| {
            Finding::new(self.client.base(), Kind::Narinfo, judgement).of_file(name)
        };
        let asked = self.ends(cid).and_then(|ends| {
            let answer = self.ask(name, &[], MAX_NARINFO_BYTES as u64)?;
            Ok((ends, answer))
        });
        let (ends, answer) = match asked {
            Err(fault) => return vec![finding(fault)],
            Ok(asked) => asked,
        };
        let time = answer.first_byte;
        match self.narinfo(name, &answer, &ends) {
            Err(fault) => vec![finding(fault).after(time)],
            Ok(narinfo) => {
                let (verdict, signed) = self.signer(&narinfo);
                let text = format!("as in the root, {signed}");
                let mut findings = vec![finding((verdict, text)).after(time)];
                findings.extend(self.nar(&narinfo));
                findings
            }
        }
    }

    /// The narinfo of this name in an answer.
    fn narinfo(
        &self,
        name: &str,
        answer: &HttpAnswer,
        ends: &FileEnds,
    ) -> Result<Narinfo, Judgement> {
        self.compare_whole(answer, ends)?;
        let narinfo = Narinfo::parse(&answer.body).or_else(|error| wrong(error.to_string()))?;
        match item_of(name) {
            Some(hash) if narinfo.matches(&hash) => Ok(narinfo),
            _ => wrong(format!("it describes {} instead", narinfo.store_path)),
        }
    }

    fn signer(&self, narinfo: &Narinfo) -> Judgement {
        match Signature::signer(narinfo) {
            Ok(key) => good(match farm_of(&key) {
                Some(farm) => format!("signed by {farm}"),
                None if self.request.keys.keys().contains(&key) => {
                    "signed by a key of --trusted-keys".to_owned()
                }
                None => format!("signed by the key {key}"),
            }),
            Err(SignatureError::Unsigned) => good("not signed"),
            Err(error) => (Verdict::Wrong, error.to_string()),
        }
    }

    /// Looks at both ends of the nar that a narinfo lists first.
    fn nar(&self, narinfo: &Narinfo) -> Option<Finding> {
        let path = nar_paths(narinfo).next()?;
        let (judgement, time) = match self.compare_ends(&path, narinfo.variants.first()?) {
            Ok((judgement, time)) => (judgement, Some(time)),
            Err(fault) => (fault, None),
        };
        let finding = Finding::new(self.client.base(), Kind::Nar, judgement);
        Some(finding.of_file(&path.join("/")).after(time))
    }

    /// Compares both ends of a nar, and returns the time until the first answer began.
    fn compare_ends(
        &self,
        path: &[String],
        variant: &Variant,
    ) -> Result<(Judgement, Duration), Judgement> {
        let Some(file) = self.file(path)? else {
            return wrong("a narinfo lists it, but it is not in the root");
        };
        let ends = self.ends(&file)?;
        let size = ends.size;
        if variant.file_size.is_some_and(|promised| promised != size) || size == 0 {
            return wrong(format!(
                "it has {size} bytes, but its narinfo gives another size"
            ));
        }
        let most = END_BYTES.min(size);
        let part = |range| self.ask(&variant.url, &[("range", range)], most);
        let begun = part(format!("bytes=0-{}", most - 1))?;
        let time = begun.first_byte;
        if let Err(fault) = self.require(&begun, &[200, 206]) {
            return Ok((fault, time));
        }
        let begins = ends.first.starts_with(&begun.body) || begun.body.starts_with(&ends.first);
        if !begins || begun.body.is_empty() {
            let text = "it begins with other bytes than in the root".to_owned();
            return Ok(((Verdict::Wrong, text), time));
        }
        if begun.status == 200 {
            let text = "begins as in the root; the end is not known, since the gateway sends no \
                        ranges";
            return Ok((good(text), time));
        }
        let end = part(format!("bytes={}-", size.saturating_sub(most)))?;
        let same = ends.last.len().min(end.body.len());
        let is_end = end.body.ends_with(&ends.last[ends.last.len() - same..]);
        let same_end = match is_end && end.body.len() as u64 == most {
            true => Ok(()),
            false => wrong("it ends with other bytes than in the root"),
        };
        let fault = self.require(&end, &[206]).and(same_end).err();
        let judgement = fault.unwrap_or_else(|| good("begins and ends as in the root"));
        Ok((judgement, time))
    }

    fn ends(&self, file: &Cid) -> Result<FileEnds, Judgement> {
        match file_ends(&self.blocks, file, END_BYTES as usize) {
            Err(fault) => Err(fault.judgement()),
            Ok(None) => wrong("it is not a file"),
            Ok(Some(ends)) => Ok(ends),
        }
    }

    /// Asks for a file of the mirror.
    fn ask(
        &self,
        file: &str,
        headers: &[(&'static str, String)],
        most: u64,
    ) -> Result<HttpAnswer, Judgement> {
        let path = format!("{}/{file}", self.path);
        let answer = self.client.ask(&path, headers, most);
        answer.map_err(|error| (Verdict::Unreachable, error.to_string()))
    }

    /// Compares an answer that should be all of a small file.
    fn compare_whole(&self, answer: &HttpAnswer, ends: &FileEnds) -> Result<(), Judgement> {
        self.require(answer, &[200])?;
        let (body, size) = (&answer.body, answer.body.len() as u64);
        match size == ends.size && body.starts_with(&ends.first) && body.ends_with(&ends.last) {
            true => Ok(()),
            false if size < ends.size => {
                wrong("the answer is cut, or has other bytes than in the root")
            }
            false => wrong("the answer has other bytes than in the root"),
        }
    }

    /// Fails for an answer that has none of these statuses. One from another root than
    /// before is not compared: the name moved on.
    fn require(&self, answer: &HttpAnswer, statuses: &[u16]) -> Result<(), Judgement> {
        let root = match answer.status {
            404 => self.root_now(),
            _ => root_header(answer),
        };
        match root {
            Some(root) if !is_same_content(&root, &self.root) => {
                let text = format!("not compared: the name moved on to /ipfs/{root}");
                Err((Verdict::Note, text))
            }
            _ if statuses.contains(&answer.status) => Ok(()),
            _ => Err((Verdict::Unreachable, status_text(answer))),
        }
    }

    /// The root that the gateway comes to now.
    fn root_now(&self) -> Option<Cid> {
        root_header(&self.ask(CACHE_INFO_NAME, &[], 0).ok()?)
    }

    /// The file at a path below the root.
    fn file(&self, path: &[impl AsRef<str>]) -> Result<Option<Cid>, Judgement> {
        let mut at = self.root;
        for name in path {
            match lookup(&self.blocks, &at, name.as_ref()).map_err(tree_fault)? {
                Some(entry) => at = entry.cid,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }
}

fn good(text: impl Into<String>) -> Judgement {
    (Verdict::Good, text.into())
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Judgement> {
    Err((Verdict::Wrong, text.into()))
}

fn tree_fault(error: TreeError<BlockFault>) -> Judgement {
    match error {
        TreeError::Blocks(fault) => fault.judgement(),
        malformed => (Verdict::Wrong, malformed.to_string()),
    }
}
