//! The files of `fixtures/`, for the unit tests of this room.

use super::key_file::KeyFile;
use super::narinfo::Narinfo;
use super::trusted_keys::TrustedKeys;
use std::error::Error;
use std::fs;
use std::io::{self, Read};

/// The result of a test.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A small text file, as gzip, lzip and zstd.
pub const HELLO: &str = "substitute-server/21q7lx382p28sibkw2l721ybjxymkh1a.narinfo";
/// A narinfo of the build farm, in the order of 2018.
pub const FARMS_OWN: &str = "farm/y857mykfnc9vd1sc2lqz5g35l111fp71.narinfo";

/// Reads the file at a path below the folder of fixtures.
pub fn read(file: &str) -> io::Result<Vec<u8>> {
    fs::read(format!("{}/fixtures/{file}", env!("CARGO_MANIFEST_DIR")))
}

/// Parses the narinfo at a path below the folder of fixtures.
pub fn narinfo(file: &str) -> Outcome<Narinfo> {
    Ok(Narinfo::parse(&read(file)?)?)
}

/// Parses every narinfo in a folder of fixtures, with the hash in its file name.
pub fn narinfos(folder: &str) -> Outcome<Vec<(String, Narinfo)>> {
    let folder = format!("{}/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut narinfos = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "narinfo") {
            let hash = path.file_stem().unwrap_or_default().to_string_lossy();
            narinfos.push((hash.into_owned(), Narinfo::parse(&fs::read(&path)?)?));
        }
    }
    Ok(narinfos)
}

/// A reader whose connection broke.
pub struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

/// Parses the file of keys at a path below the folder of fixtures.
pub fn keys(file: &str) -> Outcome<TrustedKeys> {
    Ok(KeyFile::parse(&read(file)?)?.keys)
}
