//! The chunks that other programs make of a plain nar.

use crate::encoding::Block;
use sha2::{Digest, Sha256};

/// The sizes of casync's chunks, as it has them by default. Source:
/// `src/cachunker.h` of casync.
const SMALLEST: usize = 16 << 10;
const AVERAGE: usize = 64 << 10;
const LARGEST: usize = 256 << 10;
/// Bytes under the rolling hash.
const WINDOW: usize = 48;
/// The level at which casync compresses.
const LEVEL: i32 = 3;

/// Bytes of a block of ERIS, where the content has at least half as many.
const ERIS_BLOCK: usize = 32 << 10;
const ERIS_SMALL_BLOCK: usize = 1 << 10;
/// Bytes of a reference and a key in a node of ERIS.
const ERIS_REFERENCE: usize = 64;

/// A nar cut by buzhash, each chunk compressed on its own. casync cuts with a table of
/// its own, here it is any table: the sizes are alike, the cuts are not.
pub fn casync(nar: &[u8]) -> Vec<Block> {
    let table = table();
    let mut chunks = Vec::new();
    let mut rest = nar;
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).unwrap();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(cut(rest, &table));
        let size = compressor.compress(chunk).unwrap().len() as u64;
        chunks.push((name(chunk), size));
        rest = after;
    }
    chunks
}

/// The length of the first chunk.
fn cut(ahead: &[u8], table: &[u32; 256]) -> usize {
    if ahead.len() <= SMALLEST {
        return ahead.len();
    }
    // The average chunk has the smallest chunk's bytes and so many more.
    let more = (AVERAGE - SMALLEST) as u32;
    let begin = &ahead[SMALLEST - WINDOW..SMALLEST];
    let mut hash = begin.iter().fold(0u32, |hash, &byte| {
        hash.rotate_left(1) ^ table[usize::from(byte)]
    });
    for at in SMALLEST..ahead.len().min(LARGEST) {
        if hash % more == more - 1 {
            return at;
        }
        let gone = table[usize::from(ahead[at - WINDOW])].rotate_left(WINDOW as u32 % 32);
        hash = hash.rotate_left(1) ^ gone ^ table[usize::from(ahead[at])];
    }
    ahead.len().min(LARGEST)
}

fn table() -> [u32; 256] {
    std::array::from_fn(|byte| {
        let digest = Sha256::digest([byte as u8]);
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
    })
}

/// A nar as blocks of one size, encrypted with a key that depends on their content: equal
/// blocks are equal, and none can be compressed. Above them are nodes of the same size.
pub fn eris(nar: &[u8]) -> Vec<Block> {
    let block = match nar.len() < ERIS_BLOCK / 2 {
        true => ERIS_SMALL_BLOCK,
        false => ERIS_BLOCK,
    };
    let mut level: Vec<String> = nar.chunks(block).map(name).collect();
    let mut blocks: Vec<Block> = Vec::new();
    loop {
        blocks.extend(level.iter().map(|name| (name.clone(), block as u64)));
        if level.len() <= 1 {
            return blocks;
        }
        let nodes = level.chunks(block / ERIS_REFERENCE);
        level = nodes.map(|node| name(node.concat().as_bytes())).collect();
    }
}

fn name(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
