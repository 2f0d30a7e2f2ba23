//! A year of a small Guix: packages out of folders and programs of this machine, of which
//! some are rebuilt each month and some become another version.

use crate::folder_nar::{entries, folders, pack};
use crate::rebuild::rebuilt;
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub const MONTHS: usize = 12;
/// One package in so many is rebuilt in a month.
const REBUILT: usize = 8;
/// Bytes of a single nar.
const SIZES: std::ops::Range<usize> = 64 << 10..8 << 20;
/// Bytes of the packages of the first month.
const MOST_BYTES: usize = 200 << 20;
const PLACES: [&str; 7] = [
    "/usr/bin",
    "/usr/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/python3/dist-packages",
    "/usr/share",
    "/usr/share/perl5",
    "/usr/local/lib",
];
/// Large folders, as some systems have them.
const LARGE: [&str; 5] = [
    "/usr/lib/gcc",
    "/usr/lib/git-core",
    "/usr/lib/python3.11",
    "/usr/lib/python3",
    "/usr/share/perl",
];
/// The variable with a folder of further ones, `NAME-VERSION` each.
const VERSIONS: &str = "GUIX_IPFS_BENCH_VERSIONS";

/// The cause of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    First,
    Rebuild,
    Update,
}

/// A package as it was built once.
pub struct Item {
    pub hash: String,
    pub name: String,
    pub month: usize,
    pub cause: Cause,
    /// Bytes of its nar.
    pub bytes: usize,
    /// Its nar on disk, named after the hash.
    pub nar: PathBuf,
}

impl Item {
    pub fn read(&self) -> Vec<u8> {
        std::fs::read(&self.nar).unwrap()
    }
}

/// All items, and those that a user of each month has.
pub struct Year {
    pub items: Vec<Item>,
    /// Indices of `items`, one a package.
    pub generations: Vec<Vec<usize>>,
}

/// A package of the first month.
struct Package {
    folder: PathBuf,
    /// Its folder in another version, and the month in which it comes.
    next: Option<(PathBuf, usize)>,
    builds: u64,
}

impl Package {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            next: None,
            builds: 0,
        }
    }
}

impl Year {
    /// Packs the nars of so many packages into a folder; `updates` of them become another
    /// version.
    pub fn in_folder(folder: &Path, packages: usize, updates: usize) -> Self {
        let mut packages = choose(packages, updates);
        let mut year = Self {
            items: Vec::new(),
            generations: Vec::new(),
        };
        let mut generation = Vec::new();
        for package in &packages {
            generation.push(year.items.len());
            year.build(folder, package, 0, Cause::First);
        }
        year.generations.push(generation.clone());
        for month in 1..=MONTHS {
            for (at, package) in packages.iter_mut().enumerate() {
                let cause = if let Some((next, _)) = package.next.take_if(|it| it.1 == month) {
                    package.folder = next;
                    Cause::Update
                } else if random(&package.folder, month as u64).is_multiple_of(REBUILT as u64) {
                    package.builds += 1;
                    Cause::Rebuild
                } else {
                    continue;
                };
                generation[at] = year.items.len();
                year.build(folder, package, month, cause);
            }
            year.generations.push(generation.clone());
        }
        year
    }

    /// Large folders of less than `limit` bytes, each built twice.
    pub fn of_large(folder: &Path, limit: usize) -> Self {
        let mut year = Self {
            items: Vec::new(),
            generations: Vec::new(),
        };
        let paths = LARGE.iter().map(PathBuf::from);
        let paths = paths.filter(|path| pack(path, limit, &|content| content).is_some());
        let mut packages: Vec<Package> = paths.map(Package::new).collect();
        for (month, cause) in [Cause::First, Cause::Rebuild].into_iter().enumerate() {
            let begin = year.items.len();
            for package in &mut packages {
                package.builds = month as u64;
                year.build(folder, package, month, cause);
            }
            year.generations.push((begin..year.items.len()).collect());
        }
        year
    }

    fn build(&mut self, folder: &Path, package: &Package, month: usize, cause: Cause) {
        let edit = |content| rebuilt(content, package.builds);
        let nar = pack(&package.folder, usize::MAX, &edit).unwrap();
        let name = package.folder.file_name().unwrap().to_string_lossy();
        let number = self.items.len();
        let hash = base32::encode(&Sha256::digest(number.to_le_bytes())[..20]);
        let file = folder.join(&hash);
        std::fs::write(&file, &nar).unwrap();
        self.items.push(Item {
            hash,
            name: name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
            month,
            cause,
            bytes: nar.len(),
            nar: file,
        });
    }

    /// Bytes of all nars that came for a cause.
    pub fn bytes(&self, cause: Cause) -> usize {
        let items = self.items.iter().filter(|item| item.cause == cause);
        items.map(|item| item.bytes).sum()
    }

    pub fn count(&self, cause: Cause) -> usize {
        let items = self.items.iter().filter(|item| item.cause == cause);
        items.count()
    }
}

/// Those with two versions first, then others, in an order that depends on their names.
fn choose(count: usize, updates: usize) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut bytes = 0;
    let versions = versions().into_iter();
    let mut pairs: Vec<_> = versions
        .filter(|(_, new)| is_wanted(new).is_some())
        .collect();
    pairs.sort_by_key(|(old, _)| random(old, 0));
    let pairs = pairs.into_iter().enumerate();
    let pairs = pairs.map(|(at, (old, new))| (old, Some((new, 1 + at % MONTHS))));
    let mut others = entries(&PLACES);
    others.sort_by_key(|folder| random(folder, 0));
    let others = others.into_iter().map(|folder| (folder, None));
    for (folder, next) in pairs.take(updates).chain(others) {
        let Some(size) = is_wanted(&folder).filter(|size| bytes + size <= MOST_BYTES) else {
            continue;
        };
        bytes += size;
        packages.push(Package {
            next,
            ..Package::new(folder)
        });
        if packages.len() == count {
            break;
        }
    }
    packages
}

/// The size of a folder's nar, where it is among those wanted.
fn is_wanted(folder: &Path) -> Option<usize> {
    let size = pack(folder, SIZES.end, &|content| content)?.len();
    SIZES.contains(&size).then_some(size)
}

/// The pairs of folders that are one package in two versions: those of a folder that is
/// named, and the sources of crates.
fn versions() -> Vec<(PathBuf, PathBuf)> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let registries = home.map(|home| home.join("registry/src"));
    let mut places: Vec<PathBuf> = std::env::var_os(VERSIONS)
        .map(PathBuf::from)
        .into_iter()
        .collect();
    places.extend(folders(registries.as_slice()));
    let mut of_name: BTreeMap<(PathBuf, String), PathBuf> = BTreeMap::new();
    let mut pairs = Vec::new();
    for place in places {
        for folder in folders(&[&place]) {
            let name = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let version = name
                .match_indices('-')
                .find(|(at, _)| name[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
            let Some((at, _)) = version else { continue };
            let key = (place.clone(), name[..at].to_owned());
            if let Some(old) = of_name.insert(key, folder.clone()) {
                pairs.push((old, folder));
            }
        }
    }
    pairs
}

/// A number that depends on a folder's name and on a seed alone.
fn random(folder: &Path, seed: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(folder.to_string_lossy().as_bytes());
    hash.update(seed.to_le_bytes());
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
