//! Numbers as people read them.

use std::fmt::Display;

/// A number of items.
pub fn items(count: usize) -> String {
    counted(count, "item")
}

/// A number of files.
pub fn files(count: usize) -> String {
    counted(count, "file")
}

/// A number of things.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, thing: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// A number of bytes.
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
