//! The delta encoding of a nar: many zstd frames end to end, one a piece of content, so
//! that two nars with the same piece have the same frame.
//!
//! The nar is cut at places that its content determines, not after a fixed number of
//! bytes, so a change moves only the cuts around it. Any zstd decoder reads the nar, since
//! RFC 8878 lets frames follow each other; where each frame is a block, equal content is
//! stored and sent only once.

use super::store_path::StorePath;
use crate::util::url::RESERVED;
use fastcdc::v2020::FastCDC;
use percent_encoding::utf8_percent_encode;
use std::io::{self, Read};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

/// The folder of delta nars in `nar/`, named after the version of the encoding. All that
/// the bytes of a frame depend on belongs to the version: the sizes and the level below,
/// and the crates that `Cargo.toml` pins. Another value of any of them is another version,
/// with a folder of its own.
///
/// Figures below are of folders of Debian and wheels of PyPI packed as nars, in percent of
/// the nar as one zstd file of level 19. A rebuild changes four hashes in each ELF file.
///
/// There is no cut of its own at the edges of the files in a nar: for files of at least
/// 64 KiB it saves a twentieth of a rebuild and makes a twelfth more blocks.
pub const NAR_FOLDER: &str = "delta1";

/// The size of the smallest chunk, in bytes, except for the last. With 8 KiB, and 128 KiB
/// as the largest, there are more blocks and a rebuild shares no more.
pub const MIN_CHUNK_BYTES: usize = 16 << 10;

/// The average size of a chunk, in bytes. With 64 KiB a rebuild has half as many new bytes
/// again (27 % instead of 18 %) and a first fetch hardly fewer (165 % instead of 170 %);
/// smaller ones lose too much to what a block costs beside its content.
pub const AVERAGE_CHUNK_BYTES: usize = 32 << 10;

/// Bytes of the largest chunk.
pub const MAX_CHUNK_BYTES: usize = 64 << 10;

/// The level of zstd. One core encodes 5 to 6 MB of nar a second. Level 19 takes 1.8
/// times as long for at most 0.5 % less, level 15 half as long for 1 to 3 % more.
pub const LEVEL: i32 = 17;

/// Bytes that are read at once: several chunks, so that a rest is rarely moved to the
/// front.
const BUFFER_BYTES: usize = 8 * MAX_CHUNK_BYTES;

/// Returns true where the encoding saves something: a nar of fewer than four chunks has
/// about as many bytes that change as bytes that stay. From 128 to 256 KiB a rebuild has
/// 71 % of the bytes of a whole nar, below that 83 %.
#[must_use]
pub fn pays(nar_size: u64) -> bool {
    nar_size >= 4 * AVERAGE_CHUNK_BYTES as u64
}

/// The URL of an item's delta nar, relative to the cache's base, escaped as `guix publish`
/// does.
#[must_use]
pub fn url(item: &StorePath) -> String {
    let name = item.basename();
    format!("nar/{NAR_FOLDER}/{}", utf8_percent_encode(&name, RESERVED))
}

/// The frames of a nar, in their order. Takes the memory of a few chunks and of the
/// compressor, some 6 MiB whatever the nar's size, and ends after an error.
pub struct Frames<R: Read> {
    nar: R,
    /// Bytes of the nar, of which those before `begin` are in frames already.
    buffer: Vec<u8>,
    begin: usize,
    has_ended: bool,
    /// Made for the first frame, and kept for all.
    compressor: Option<Compressor<'static>>,
    frame: Vec<u8>,
}

impl<R: Read> Frames<R> {
    /// The frames of the nar that `nar` reads.
    pub fn new(nar: R) -> Self {
        Self {
            nar,
            buffer: Vec::new(),
            begin: 0,
            has_ended: false,
            compressor: None,
            frame: Vec::new(),
        }
    }

    /// Reads on until the next chunk is at hand, whatever its size, or the nar ends.
    fn fill(&mut self) -> io::Result<()> {
        if self.has_ended || self.buffer.len() - self.begin >= MAX_CHUNK_BYTES {
            return Ok(());
        }
        self.buffer.drain(..self.begin);
        self.begin = 0;
        let room = BUFFER_BYTES - self.buffer.len();
        self.buffer.reserve_exact(room);
        let mut nar = (&mut self.nar).take(room as u64);
        self.has_ended = nar.read_to_end(&mut self.buffer)? < room;
        Ok(())
    }

    /// The next frame; `None` at the end of the nar.
    fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.fill()?;
        let ahead = &self.buffer[self.begin..];
        if ahead.is_empty() {
            return Ok(None);
        }
        let chunk = &ahead[..cut(ahead)];
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(compressor()?),
        };
        self.frame.clear();
        self.frame.reserve(compress_bound(chunk.len()));
        compressor.compress_to_buffer(chunk, &mut self.frame)?;
        self.begin += chunk.len();
        Ok(Some(self.frame.clone()))
    }
}

impl<R: Read> Iterator for Frames<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frame();
        if frame.is_err() {
            self.has_ended = true;
            self.begin = self.buffer.len();
        }
        frame.transpose()
    }
}

/// Bytes of the first chunk of `ahead`, which holds a largest chunk or all that is left.
fn cut(ahead: &[u8]) -> usize {
    let (smallest, average, largest) = (MIN_CHUNK_BYTES, AVERAGE_CHUNK_BYTES, MAX_CHUNK_BYTES);
    let (_hash, end) = FastCDC::new(ahead, smallest, average, largest).cut(0, ahead.len());
    end
}

/// The compressor of all frames. A frame states the size of its content, which a reader
/// needs for its buffer. It has no checksum: a block's CID is one, and NarHash another.
fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    for parameter in [
        CParameter::ContentSizeFlag(true),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
    ] {
        compressor.set_parameter(parameter)?;
    }
    Ok(compressor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::{Broken, Outcome};
    use std::collections::HashSet;

    /// Bytes that look like code: words of a few hundred kinds.
    fn content(seed: u64, bytes: usize) -> Vec<u8> {
        let mut random = seed;
        let mut content = Vec::with_capacity(bytes + 8);
        while content.len() < bytes {
            random = random.wrapping_mul(6_364_136_223_846_793_005);
            random = random.wrapping_add(1_442_695_040_888_963_407);
            let word = (random >> 40) % 700 * (random >> 62);
            content.extend_from_slice(&word.to_le_bytes()[..4]);
        }
        content.truncate(bytes);
        content
    }

    fn frames(nar: impl Read) -> io::Result<Vec<Vec<u8>>> {
        Frames::new(nar).collect()
    }

    fn decoded(frame: &[u8]) -> io::Result<Vec<u8>> {
        let mut nar = Vec::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(frame)
            .map_err(|error| io::Error::other(error.to_string()))?;
        decoder.read_to_end(&mut nar)?;
        Ok(nar)
    }

    #[test]
    fn the_frames_one_after_another_are_the_nar() -> Outcome {
        let (least, most) = (MIN_CHUNK_BYTES, MAX_CHUNK_BYTES);
        for bytes in [0, 1, least, most, BUFFER_BYTES, BUFFER_BYTES + 1] {
            let nar = content(7, bytes);
            let frames = frames(&nar[..])?;
            assert_eq!(frames.is_empty(), bytes == 0);
            let chunks = frames.iter().map(|frame| decoded(frame));
            let chunks: Vec<_> = chunks.collect::<Result<_, _>>()?;
            assert!(chunks.concat() == nar, "{bytes}");
            for chunk in chunks.iter().rev().skip(1) {
                assert!((least..=most).contains(&chunk.len()));
            }
        }
        Ok(())
    }

    #[test]
    fn a_frame_names_its_size_and_has_neither_checksum_nor_dictionary() -> Outcome {
        for frame in frames(&content(3, 1 << 20)[..])? {
            assert_eq!(frame[..4], *b"\x28\xb5\x2f\xfd");
            // Size of the content size, single segment, checksum, dictionary.
            let descriptor = frame[4];
            assert_eq!(descriptor & 0b0010_0111, 0b0010_0000);
        }
        Ok(())
    }

    #[test]
    fn the_size_of_the_reads_does_not_matter() -> Outcome {
        struct Slow<'n>(&'n [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let length = buf.len().min(self.1);
                self.0.read(&mut buf[..length])
            }
        }
        let nar = content(11, 5 << 18);
        let whole = frames(&nar[..])?;
        for together in [4093, 1_000_003] {
            assert!(frames(Slow(&nar, together))? == whole, "{together}");
        }
        Ok(())
    }

    #[test]
    fn a_change_makes_new_frames_only_around_it() -> Outcome {
        let nar = content(5, 2 << 20);
        let before: HashSet<_> = frames(&nar[..])?.into_iter().collect();
        let mut longer = nar.clone();
        longer.splice(1 << 20..1 << 20, *b"inserted");
        let mut other = nar.clone();
        other[3 << 19..][..32].copy_from_slice(&[0x61; 32]);
        for changed in [longer, other] {
            let after = frames(&changed[..])?;
            let new = after.iter().filter(|frame| !before.contains(*frame));
            assert!((1..=3).contains(&new.count()));
            assert!(after.len() > 30, "{}", after.len());
        }
        Ok(())
    }

    #[test]
    fn an_error_of_the_nar_ends_the_frames() {
        let nar = content(1, BUFFER_BYTES + 100);
        let mut frames = Frames::new(nar.chain(Broken));
        let failed = frames.by_ref().find_map(Result::err);
        let kind = failed.map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::ConnectionReset));
        assert!(frames.next().is_none());
    }

    #[test]
    fn a_url_is_escaped_as_guix_publish_does() -> Outcome {
        let item = StorePath::from_basename("21q7lx382p28sibkw2l721ybjxymkh1a-gtk+-3?id=1")?;
        let expected = "nar/delta1/21q7lx382p28sibkw2l721ybjxymkh1a-gtk%2B-3%3Fid%3D1";
        assert_eq!(url(&item), expected);
        Ok(())
    }

    /// A distribution may link another zstd than the one that is pinned.
    #[test]
    fn the_library_is_the_one_that_the_version_stands_for() {
        assert_eq!(zstd::zstd_safe::version_number(), 10_507);
    }
}
