//! Where an item comes from: the first upstream whose narinfo of it can be
//! taken.

use super::retry::{Again, retry};
use super::stop::Stop;
use crate::cli::{Mirror, Variants, Wanted};
use crate::guix::{Compression, HttpError, NarPath, Narinfo, Upstream, Variant};
use std::sync::atomic::{AtomicBool, Ordering};

/// An item to mirror.
#[derive(Debug)]
pub struct Item {
    /// Its narinfo, checked to be about this item and signed as its upstream's
    /// must be, with the variants that are wanted.
    pub narinfo: Narinfo,
    /// Which upstream has it.
    pub upstream: usize,
}

/// Where narinfos come from, and which are taken.
pub struct Source<'a> {
    /// Asked in order.
    pub upstreams: &'a [Upstream],
    /// Which of them could not be reached; they are not asked again.
    down: Vec<AtomicBool>,
    /// The largest unpacked nar to take, in bytes.
    max_nar_size: Option<u64>,
    /// The variants to take; none is all of them.
    compressions: &'a [Compression],
    /// Whether to end.
    stop: &'a Stop,
}

/// Why an item cannot be had.
pub enum Absent {
    /// No upstream has it, or those that may have it cannot be reached.
    Missing(String),
    /// An upstream has it, and it cannot be taken.
    Refused(String),
    /// The network or a busy server spoiled it.
    Broken(String),
    /// No upstream can be reached.
    NoUpstream(HttpError),
}

impl<'a> Source<'a> {
    /// Takes every item that these upstreams have.
    pub fn new(upstreams: &'a [Upstream], stop: &'a Stop) -> Self {
        Self {
            upstreams,
            down: upstreams.iter().map(|_| AtomicBool::new(false)).collect(),
            max_nar_size: None,
            compressions: &[],
            stop,
        }
    }

    /// Takes only what the command line allows.
    pub fn within(self, told: &'a Mirror) -> Self {
        Self {
            max_nar_size: told.max_nar_size,
            ..self.only(&told.variants)
        }
    }

    /// Takes only these variants.
    pub fn only(self, variants: &'a Variants) -> Self {
        Self {
            compressions: &variants.compressions,
            ..self
        }
    }

    /// Asks one upstream after the other, beginning with the one at `first`.
    pub fn fetch(&self, item: &Wanted, first: usize) -> Result<Item, Absent> {
        let mut reasons = Vec::new();
        let mut unreachable = None;
        let mut out_of_reach = Vec::new();
        let mut answered = false;
        let mut is_broken = false;
        let upstreams = self.upstreams.iter().zip(&self.down).enumerate();
        for (at, (upstream, down)) in upstreams.skip(first) {
            if down.load(Ordering::Relaxed) {
                out_of_reach.push(upstream.base());
                continue;
            }
            // One that cannot be reached will not be in a second.
            let again = |error: &HttpError| match error.is_unreachable() {
                true => Again::No,
                false => error.into(),
            };
            match retry(self.stop, again, || upstream.narinfo(&item.hash)) {
                Ok(Some(bytes)) => match self.read(item, &bytes, upstream) {
                    Ok(narinfo) => {
                        return Ok(Item {
                            narinfo,
                            upstream: at,
                        });
                    }
                    Err(reason) if self.upstreams.len() > 1 => {
                        reasons.push(format!("{}: {reason}", upstream.base()));
                    }
                    Err(reason) => reasons.push(reason),
                },
                Ok(None) => answered = true,
                Err(error) if error.is_unreachable() => {
                    down.store(true, Ordering::Relaxed);
                    out_of_reach.push(upstream.base());
                    unreachable = Some(error);
                }
                Err(error) => {
                    is_broken = true;
                    reasons.push(error.to_string());
                }
            }
        }
        match (reasons.is_empty(), unreachable) {
            (false, _) if is_broken => Err(Absent::Broken(reasons.join("; "))),
            (false, _) => Err(Absent::Refused(reasons.join("; "))),
            (true, Some(error)) if !answered => Err(Absent::NoUpstream(error)),
            _ if out_of_reach.is_empty() => {
                Err(Absent::Missing("no upstream has it (yet)".to_owned()))
            }
            _ => Err(Absent::Missing(format!(
                "no upstream has it (yet) that can be reached; {} cannot",
                out_of_reach.join(", ")
            ))),
        }
    }

    /// What there is to say against a narinfo is said by the upstream's keys
    /// first: what they did not sign is nobody's word.
    fn read(&self, item: &Wanted, bytes: &[u8], upstream: &Upstream) -> Result<Narinfo, String> {
        let narinfo = Narinfo::parse(bytes).map_err(|error| error.to_string())?;
        if !narinfo.matches(&item.hash) {
            return Err(format!(
                "its narinfo is about {} instead",
                narinfo.store_path
            ));
        }
        let signed = upstream.keys().check(&narinfo);
        signed.map_err(|error| error.to_string())?;
        let narinfo = match self.compressions {
            [] => narinfo,
            wanted => narinfo
                .keep_only(wanted)
                .map_err(|error| error.to_string())?,
        };
        check_paths(&narinfo)?;
        match self.max_nar_size {
            Some(most) if narinfo.nar_size > most => Err(format!(
                "its nar has {} bytes, more than --max-nar-size allows ({most})",
                narinfo.nar_size
            )),
            _ => Ok(narinfo),
        }
    }
}

/// Each nar has a path of its own, and none lies where another needs a
/// directory: two spellings of one path would be two files with one name.
fn check_paths(narinfo: &Narinfo) -> Result<(), String> {
    let paths = narinfo.variants.iter().map(Variant::path);
    let paths: Vec<NarPath> = paths
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    for (at, path) in paths.iter().enumerate() {
        let others = paths.iter().enumerate().filter(|(other, _)| *other != at);
        for (_, other) in others {
            if other.components().starts_with(path.components()) {
                return Err(format!("its narinfo needs {path} for two nars at once"));
            }
        }
    }
    Ok(())
}
