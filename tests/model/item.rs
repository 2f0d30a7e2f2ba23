//! Items that a farm builds: tiny nars, made from their numbers.

use crate::random::Random;
use flate2::Compression;
use flate2::write::GzEncoder;
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};
use std::io::Write;

/// The number of an item.
pub type ItemId = usize;

/// A moment, in minutes since the farm began.
pub type Minute = u64;

/// The moment of something that never happens.
pub const NEVER: Minute = Minute::MAX;

/// A day, in minutes.
pub const DAY: Minute = 24 * 60;

pub struct Item {
    /// The store hash.
    pub hash: String,
    /// The store path without its folder.
    pub basename: String,
    /// The items that it refers to; all but itself are older.
    pub references: Vec<ItemId>,
    /// The longest way down its references, where it refers to something.
    pub depth: u32,
    pub narinfo: Vec<u8>,
    /// The decoded path of its nar.
    pub nar_path: String,
    pub nar: Vec<u8>,
    /// The farm that builds it.
    pub farm: usize,
    /// The other farm serves it, too, and without the fault.
    pub is_elsewhere: bool,
    /// The moment of its narinfo.
    pub baked: Minute,
    pub fault: Fault,
    /// The moment from which it and all that it refers to can be had.
    pub settled: Minute,
}

/// The fault of a nar at its own farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The first answer ends half-way, and looks whole.
    CutOnce,
    /// Each answer ends half-way until then.
    Cut(Minute),
    /// A page of HTML comes instead until then.
    Html(Minute),
    /// The farm has lost it until then (404).
    Lost(Minute),
    /// The content is another until then.
    Wrong(Minute),
}

impl Fault {
    /// The moment from which the nar can be had.
    pub fn end(self) -> Minute {
        match self {
            Self::None | Self::CutOnce => 0,
            Self::Cut(end) | Self::Html(end) | Self::Lost(end) | Self::Wrong(end) => end,
        }
    }
}

/// The properties of an item that are decided before it is made.
pub struct Plan {
    pub name: String,
    pub references: Vec<ItemId>,
    pub farm: usize,
    pub is_elsewhere: bool,
    pub baked: Minute,
    pub fault: Fault,
}

impl Item {
    /// Item `id`, the next after `older`.
    pub fn make(random: &mut Random, plan: Plan, older: &[Item]) -> Self {
        let id = older.len();
        let seed: Vec<u8> = (0..4).flat_map(|_| random.next().to_be_bytes()).collect();
        let hash = base32::encode(&Sha256::digest(&seed)[..20]);
        let basename = format!("{hash}-{}", plan.name);
        let length = random.between(20, 300) as usize;
        let content: Vec<u8> = seed.iter().copied().cycle().take(length).collect();
        let unpacked = nar(&content);
        let (compression, directory, nar) = match random.chance(700) {
            true => ("gzip", "nar/gzip", gzip(&unpacked)),
            false => ("none", "nar", unpacked.clone()),
        };
        let nar_path = format!("{directory}/{basename}");
        let mut references: Vec<String> = plan
            .references
            .iter()
            .map(|id| older[*id].basename.clone())
            .collect();
        if random.chance(100) {
            references.push(basename.clone());
        }
        let mut narinfo = format!(
            "StorePath: /gnu/store/{basename}\nNarHash: sha256:{}\nNarSize: {}\nReferences: {}\n\
             URL: {nar_path}\nCompression: {compression}\n",
            base32::encode(&Sha256::digest(&unpacked)),
            unpacked.len(),
            references.join(" "),
        );
        if random.chance(800) {
            narinfo += &format!("FileSize: {}\n", nar.len());
        }
        let below = plan.references.iter().map(|id| &older[*id]);
        let available = match plan.is_elsewhere {
            true => plan.baked,
            false => plan.baked.max(plan.fault.end()),
        };
        debug_assert!(plan.references.iter().all(|reference| *reference < id));
        Self {
            depth: below.clone().map(|item| item.depth + 1).max().unwrap_or(0),
            settled: below.fold(available, |settled, item| settled.max(item.settled)),
            hash,
            basename,
            references: plan.references,
            narinfo: narinfo.into_bytes(),
            nar_path,
            nar,
            farm: plan.farm,
            is_elsewhere: plan.is_elsewhere,
            baked: plan.baked,
            fault: plan.fault,
        }
    }
}

/// The nar of a regular file.
fn nar(content: &[u8]) -> Vec<u8> {
    let mut nar = Vec::new();
    let words: [&[u8]; 7] = [
        b"nix-archive-1",
        b"(",
        b"type",
        b"regular",
        b"contents",
        content,
        b")",
    ];
    for word in words {
        nar.extend((word.len() as u64).to_le_bytes());
        nar.extend(word);
        nar.resize(nar.len().next_multiple_of(8), 0);
    }
    nar
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}
