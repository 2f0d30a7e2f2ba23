//! The narinfo of an item: that of the first upstream whose narinfo can be taken.

use super::encoding::Encoding;
use super::items::ItemRef;
use super::request::ItemFilter;
use super::skipped::SkipReason;
use crate::guix::{
    Compression, HashPart, HttpError, NarPath, Narinfo, UpstreamClient, Variant, delta,
};
use crate::util::diagnosis::Diagnosis;
use crate::util::stop::Stop;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

/// An item to mirror.
#[derive(Debug)]
pub struct PlannedItem {
    /// Its narinfo, checked to be about this item and signed as its upstream's
    /// must be, with the variants that are wanted.
    pub narinfo: Narinfo,
    /// The number of its upstream.
    pub upstream: usize,
    /// The variants one of which is fetched and encoded as a delta nar, the smallest
    /// first. Without any the variants are published as the upstream has them.
    pub delta_sources: Vec<Variant>,
}

impl PlannedItem {
    /// Its store hash.
    pub fn hash(&self) -> HashPart {
        self.narinfo.store_path.hash()
    }

    /// The variants that are fetched where nothing fails.
    pub fn downloads(&self) -> &[Variant] {
        match self.delta_sources.as_slice() {
            [] => &self.narinfo.variants,
            [smallest, ..] => slice::from_ref(smallest),
        }
    }

    /// The bytes that are fetched, where the narinfo lists them all.
    pub fn file_bytes(&self) -> Option<u64> {
        let mut sizes = self.downloads().iter().map(|variant| variant.file_size);
        sizes.try_fold(0u64, |sum, size| Some(sum.saturating_add(size?)))
    }

    /// The bytes of its nars: as the narinfo lists them, else not packed.
    pub fn expected_bytes(&self) -> u64 {
        let sizes = self.downloads().iter().map(|variant| variant.file_size);
        let sizes = sizes.map(|size| size.unwrap_or(self.narinfo.nar_size));
        sizes.fold(0, u64::saturating_add)
    }

    /// The number of its files.
    pub fn files(&self) -> usize {
        self.downloads().len() + 1
    }
}

/// The upstreams to ask for narinfos, and the rules by which those are taken.
pub struct NarinfoLookup<'a> {
    /// Asked in order.
    pub upstreams: &'a [UpstreamClient],
    /// Upstreams that could not be reached; they are not asked again.
    down: Vec<AtomicBool>,
    /// The variants that are taken.
    pub filter: &'a ItemFilter,
    /// The encoding of the nars.
    pub encoding: Encoding,
    /// The signal to end.
    pub stop: &'a Stop,
}

/// The reasons why a narinfo cannot be had.
pub enum LookupError {
    /// The item is left out.
    Skipped(SkipReason),
    /// No upstream can be reached.
    NoUpstream(HttpError),
}

impl<'a> NarinfoLookup<'a> {
    /// A lookup at these upstreams, none of which has been asked.
    pub fn new(
        upstreams: &'a [UpstreamClient],
        filter: &'a ItemFilter,
        encoding: Encoding,
        stop: &'a Stop,
    ) -> Self {
        Self {
            upstreams,
            down: upstreams.iter().map(|_| AtomicBool::new(false)).collect(),
            filter,
            encoding,
            stop,
        }
    }

    /// Asks one upstream after the other, beginning with the one numbered `first`.
    pub fn fetch(&self, item: &ItemRef, first: usize) -> Result<PlannedItem, LookupError> {
        let mut refusals = Vec::new();
        let mut excluded = None;
        let mut advice = None;
        let mut unreachable = None;
        let mut out_of_reach = Vec::new();
        let mut is_answered = false;
        let mut is_broken = false;
        let upstreams = self.upstreams.iter().zip(&self.down).enumerate();
        for (number, (upstream, down)) in upstreams.skip(first) {
            if down.load(Ordering::Relaxed) {
                out_of_reach.push(upstream.base());
                continue;
            }
            match upstream.narinfo(&item.hash, self.stop) {
                Ok(Some(bytes)) => match self.check(item, &bytes, upstream) {
                    Ok(narinfo) => {
                        return Ok(PlannedItem {
                            delta_sources: self.delta_sources(&narinfo),
                            narinfo,
                            upstream: number,
                        });
                    }
                    Err(reason @ SkipReason::Excluded(_)) => excluded = Some(reason),
                    Err(reason) => {
                        advice = advice.or(reason.advice());
                        refusals.push(match self.upstreams.len() {
                            1 => reason.to_string(),
                            _ => format!("{}: {reason}", upstream.base()),
                        });
                    }
                },
                Ok(None) => is_answered = true,
                Err(error) if error.is_unreachable() => {
                    down.store(true, Ordering::Relaxed);
                    out_of_reach.push(upstream.base());
                    unreachable = Some(error);
                }
                Err(error) => {
                    is_broken = true;
                    refusals.push(error.to_string());
                }
            }
        }
        if let (Some(reason), true, false) = (excluded, refusals.is_empty(), is_broken) {
            return Err(LookupError::Skipped(reason));
        }
        Err(match unreachable {
            _ if is_broken => LookupError::Skipped(SkipReason::Broken(refusals.join("; "))),
            _ if !refusals.is_empty() => LookupError::Skipped(SkipReason::Refused {
                what: refusals.join("; "),
                advice,
            }),
            Some(error) if !is_answered => LookupError::NoUpstream(error),
            _ if out_of_reach.is_empty() => LookupError::Skipped(SkipReason::Absent),
            _ => LookupError::Skipped(SkipReason::OutOfReach(out_of_reach.join(", "))),
        })
    }

    /// The variants that a delta nar may be made of. Sizes are hints, and a variant without
    /// one comes last. None for a nar that is too small, and where the narinfo could not
    /// list a delta nar instead.
    fn delta_sources(&self, narinfo: &Narinfo) -> Vec<Variant> {
        let is_encoded = self.encoding == Encoding::Delta
            && delta::pays(narinfo.nar_size)
            && with_delta_nar(narinfo, 0).is_some();
        let mut sources: Vec<Variant> = match is_encoded {
            true => narinfo.variants.clone(),
            false => Vec::new(),
        };
        sources.retain(|variant| !matches!(variant.compression, Compression::Other(_)));
        let wanted = &self.filter.compressions;
        let is_wanted = |variant: &Variant| wanted.contains(&variant.compression);
        if sources.iter().any(is_wanted) {
            sources.retain(is_wanted);
        }
        sources.sort_by_key(|variant| variant.file_size.unwrap_or(u64::MAX));
        sources
    }

    /// Checks a narinfo. The upstream's keys come first: nobody vouches for a
    /// narinfo that they did not sign.
    fn check(
        &self,
        item: &ItemRef,
        bytes: &[u8],
        upstream: &UpstreamClient,
    ) -> Result<Narinfo, SkipReason> {
        let narinfo = Narinfo::parse(bytes);
        let narinfo = narinfo.map_err(|error| SkipReason::refused_because(error.to_string()))?;
        if !narinfo.matches(&item.hash) {
            let other = &narinfo.store_path;
            let reason = format!("its narinfo describes {other} instead");
            return Err(SkipReason::refused_because(reason));
        }
        let signed = upstream.keys().check(&narinfo);
        signed.map_err(|error| SkipReason::refused(&error))?;
        let narinfo = match self.filter.compressions.as_slice() {
            [] => narinfo,
            wanted => narinfo.preferring(wanted),
        };
        check_paths(&narinfo).map_err(SkipReason::refused_because)?;
        match self.filter.max_nar_size {
            Some(most) if narinfo.nar_size > most => Err(SkipReason::Excluded(format!(
                "its nar has {} bytes, more than --max-nar-size allows ({most})",
                narinfo.nar_size
            ))),
            _ => Ok(narinfo),
        }
    }
}

/// The delta nar of a file of so many bytes as the only variant of a narinfo. `None` where
/// the lines of the others cannot go.
pub fn with_delta_nar(narinfo: &Narinfo, file_size: u64) -> Option<Narinfo> {
    let url = delta::url(&narinfo.store_path);
    narinfo.with_only_variant(&url, Compression::Zstd, file_size)
}

/// Fails unless each nar has a path of its own, and one that is not another item's:
/// two spellings of one path would be two files with one name.
pub(super) fn check_paths(narinfo: &Narinfo) -> Result<(), String> {
    let paths = narinfo.variants.iter().map(Variant::path);
    let paths: Vec<NarPath> = paths
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    for (at, path) in paths.iter().enumerate() {
        if paths[..at].contains(path) {
            return Err(format!("its narinfo needs {path} for two nars at once"));
        }
        let own = narinfo.store_path.hash();
        if path.owner().is_some_and(|owner| owner != own) {
            return Err(format!("its narinfo lists {path}, the nar of another item"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(urls: &[&str]) -> Result<(), String> {
        let own = "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w5";
        let mut text = format!(
            "StorePath: /gnu/store/{own}-item\nNarHash: sha256:{}\nNarSize: 8\nReferences: \n",
            "0".repeat(52)
        );
        for url in urls {
            text += &format!("URL: {}\nCompression: none\n", url.replace("OWN", own));
        }
        check_paths(&Narinfo::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_nar_that_bears_a_store_hash_is_its_own_items() {
        assert_eq!(paths(&["nar/gzip/OWN-item", "nar/OWN-item"]), Ok(()));
        assert_eq!(paths(&["nar/zstd/some-file.nar.zst"]), Ok(()));
        for other in [
            "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-other",
            "nar/21q7lx382p28sibkw2l721ybjxymkh1a-other",
            "nar/gzip/%321q7lx382p28sibkw2l721ybjxymkh1a-other",
        ] {
            let error = paths(&[other]).unwrap_err();
            assert!(error.ends_with("the nar of another item"), "{error}");
        }
    }

    #[test]
    fn one_path_is_not_listed_twice() {
        let twice = paths(&["nar/gzip/OWN-item", "nar/gzip/OWN-%69tem"]);
        assert!(twice.is_err_and(|error| error.contains("for two nars at once")));
    }
}
