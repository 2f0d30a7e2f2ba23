//! Readers that decompress a nar with bounded memory, and that end cleanly only when
//! the whole input was valid: one stream, or several end to end.

use super::super::compression::Compression;
use super::input::Input;
use flate2::bufread::GzDecoder;
use lzma_rust2::{Action, LzipStream, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// Bytes of the largest lzip dictionary and zstd window accepted. Guix's own levels
/// stay at or below 32 MiB.
pub(super) const MAX_WINDOW_BYTES: u32 = 64 << 20;

/// KiB that the lzip decoder takes beside its dictionary, generously.
const LZIP_OVERHEAD_KIB: u32 = 1 << 10;

/// A reader of the decompressed input.
///
/// It reads the input to its end. Its error is `OutOfMemory` if the stream asks for a
/// window beyond [`MAX_WINDOW_BYTES`], and of any other kind if the stream is cut
/// short, damaged, or followed by something else.
pub(super) enum Decompressor<S: BufRead> {
    Gzip(Box<Gzip<S>>),
    Lzip(Box<Lzip<S>>),
    Zstd(Box<Zstd<S>>),
    None(Input<S>),
}

impl<S: BufRead> Decompressor<S> {
    /// `None` for an unknown compression.
    pub(super) fn new(compression: &Compression, input: Input<S>) -> Option<Self> {
        Some(match compression {
            Compression::Gzip => Self::Gzip(Box::new(Gzip {
                member: Some(GzDecoder::new(input)),
            })),
            Compression::Lzip => Self::Lzip(Box::new(Lzip {
                input,
                member: lzip_member(),
                is_between: false,
                pending: Vec::new(),
            })),
            Compression::Zstd => {
                let mut frame = FrameDecoder::new();
                frame.set_max_window_size(MAX_WINDOW_BYTES.into());
                Self::Zstd(Box::new(Zstd {
                    input,
                    frame,
                    is_between: false,
                }))
            }
            Compression::None => Self::None(input),
            Compression::Other(_) => return None,
        })
    }

    /// The input, which is always there.
    pub(super) fn input(&mut self) -> Option<&mut Input<S>> {
        match self {
            Self::Gzip(gzip) => gzip.member.as_mut().map(GzDecoder::get_mut),
            Self::Lzip(lzip) => Some(&mut lzip.input),
            Self::Zstd(zstd) => Some(&mut zstd.input),
            Self::None(input) => Some(input),
        }
    }
}

impl<S: BufRead> Read for Decompressor<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(gzip) => gzip.read(out),
            Self::Lzip(lzip) => lzip.read(out),
            Self::Zstd(zstd) => zstd.read(out),
            Self::None(input) => input.read(out),
        }
    }
}

/// The string "nix-archive-1" as a nar spells it: its length, and padding.
const NAR_MAGIC: &[u8] = b"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0";

/// Returns true for an input that begins as a file of this compression does, as far as
/// its first bytes are at hand.
pub(super) fn begins_as<S: BufRead>(
    compression: &Compression,
    input: &mut Input<S>,
) -> io::Result<bool> {
    let bytes = input.fill_buf()?;
    let begins_with = |magic: &[u8]| {
        let length = bytes.len().min(magic.len());
        bytes[..length] == magic[..length]
    };
    Ok(match compression {
        Compression::Gzip => begins_with(b"\x1f\x8b"),
        Compression::Lzip => begins_with(b"LZIP"),
        // A frame, or a skippable one: the first byte of its magic has 16 values.
        Compression::Zstd => match bytes.first() {
            Some(first @ 0x50..=0x5f) => begins_with(&[*first, 0x2a, 0x4d, 0x18]),
            _ => begins_with(b"\x28\xb5\x2f\xfd"),
        },
        Compression::None => begins_with(NAR_MAGIC),
        Compression::Other(_) => true,
    })
}

/// Members end to end.
pub(super) struct Gzip<S> {
    /// `None` only while one gives way to the next.
    member: Option<GzDecoder<Input<S>>>,
}

impl<S: BufRead> Gzip<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(out)?;
            if count > 0 || out.is_empty() || !member.get_mut().next_stream()? {
                return Ok(count);
            }
            let ended = self.member.take();
            self.member = ended.map(|member| GzDecoder::new(member.into_inner()));
        }
        Ok(0)
    }
}

/// Members end to end, by the crate's push decoder rather than its reader, because
/// only the former holds every member to a limit of memory.
pub(super) struct Lzip<S> {
    input: Input<S>,
    member: LzipStream,
    /// The member has ended.
    is_between: bool,
    /// Bytes that the member took beyond its end.
    pending: Vec<u8>,
}

fn lzip_member() -> LzipStream {
    LzipStream::new_mem_limit(false, (MAX_WINDOW_BYTES >> 10) + LZIP_OVERHEAD_KIB)
}

impl<S: BufRead> Lzip<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.is_between {
                match self.pending.is_empty() {
                    true if !self.input.next_stream()? => return Ok(0),
                    true => {}
                    false => self.input.streams += 1,
                }
                self.is_between = false;
                self.member = lzip_member();
            }
            let is_pending = !self.pending.is_empty();
            let bytes = match is_pending {
                true => self.pending.as_slice(),
                false => self.input.fill_buf()?,
            };
            let action = match bytes.is_empty() {
                true => Action::Finish,
                false => Action::Run,
            };
            let step = self.member.process(bytes, out, action)?;
            match is_pending {
                true => drop(self.pending.drain(..step.bytes_consumed)),
                false => self.input.consume(step.bytes_consumed),
            }
            if step.status == Status::StreamEnd {
                self.is_between = true;
                let beyond = self.member.unused_input().iter().copied();
                self.pending.splice(..0, beyond);
            }
            if step.bytes_produced > 0 {
                return Ok(step.bytes_produced);
            }
            if step.bytes_consumed == 0 && !self.is_between {
                return Err(invalid("the lzip stream does not continue"));
            }
        }
    }
}

/// Frames end to end, without the skippable ones.
pub(super) struct Zstd<S> {
    input: Input<S>,
    frame: FrameDecoder,
    /// A frame has ended.
    is_between: bool,
}

impl<S: BufRead> Zstd<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.can_collect() > 0 {
                return self.frame.read(out);
            }
            if !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(invalid)?;
                continue;
            }
            let has_next = match self.is_between {
                true => self.input.next_stream()?,
                false => !self.input.fill_buf()?.is_empty(),
            };
            if !has_next {
                return Ok(0);
            }
            self.next_frame()?;
            self.is_between = true;
        }
    }

    fn next_frame(&mut self) -> io::Result<()> {
        use FrameDecoderError::{ReadFrameHeaderError as Header, WindowSizeTooBig};
        match self.frame.reset(&mut self.input) {
            Ok(()) => Ok(()),
            Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let length = u64::from(length);
                let mut skipped = self.input.by_ref().take(length);
                if io::copy(&mut skipped, &mut io::sink())? < length {
                    return Err(invalid("a skippable zstd frame is cut short"));
                }
                Ok(())
            }
            Err(error @ WindowSizeTooBig { .. }) => {
                Err(io::Error::new(io::ErrorKind::OutOfMemory, error))
            }
            Err(error) => Err(invalid(error)),
        }
    }
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::{self, Outcome};

    const ITEM: &str = "y023qcgjv7nsp8snwi2q1569mig8hyjj-rig-tools-1.2.3";
    const ALL: [Compression; 3] = [Compression::Gzip, Compression::Lzip, Compression::Zstd];

    fn file(compression: &Compression) -> io::Result<Vec<u8>> {
        fixtures::read(&format!("substitute-server/nar/{compression}/{ITEM}"))
    }

    fn all(compression: &Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decompressor::new(compression, Input::new(bytes))
            .ok_or(io::ErrorKind::Unsupported)?
            .read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn streams_one_after_another_are_read_as_one() -> Outcome {
        for compression in ALL {
            let one = file(&compression)?;
            let nar = all(&compression, &one)?;
            assert_eq!(nar.len(), 1832);
            let two = all(&compression, &[&one[..], &one].concat())?;
            assert_eq!(two, [&nar[..], &nar].concat(), "{compression}");
        }
        Ok(())
    }

    #[test]
    fn a_stream_that_is_cut_short_or_followed_by_something_is_an_error() -> Outcome {
        for compression in ALL {
            let whole = file(&compression)?;
            for cut in 1..whole.len() {
                let nar = all(&compression, &whole[..cut]);
                assert!(nar.is_err(), "{compression} {cut}");
            }
            for tail in ["x", "\0\0\0\0", "garbage that is longer than a trailer"] {
                let more = [&whole[..], tail.as_bytes()].concat();
                assert!(all(&compression, &more).is_err(), "{compression}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_skippable_zstd_frame_is_skipped_and_a_cut_one_refused() -> Outcome {
        let whole = file(&Compression::Zstd)?;
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
        let both = [&skippable[..], &whole, skippable].concat();
        assert_eq!(all(&Compression::Zstd, &both)?.len(), 1832);
        assert!(all(&Compression::Zstd, &both[..both.len() - 1]).is_err());
        Ok(())
    }

    #[test]
    fn a_stream_that_asks_for_a_huge_window_is_refused_for_it() -> Outcome {
        let mut lzip = file(&Compression::Lzip)?;
        lzip[5] = 27; // a dictionary of 2^27 bytes
        let second = [file(&Compression::Lzip)?, lzip.clone()].concat();
        // Magic, no flags, a window of 2^(10 + 17) bytes, an empty last block.
        let zstd = b"\x28\xb5\x2f\xfd\x00\x88\x01\0\0".to_vec();
        for (compression, bytes) in [
            (Compression::Lzip, lzip),
            (Compression::Lzip, second),
            (Compression::Zstd, zstd),
        ] {
            let kind = all(&compression, &bytes).map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::OutOfMemory));
        }
        Ok(())
    }
}
