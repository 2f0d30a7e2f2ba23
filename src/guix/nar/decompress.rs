//! Readers that decompress a nar with bounded memory, and that end cleanly only when
//! the whole input was valid: one stream, or several end to end.

use super::super::compression::Compression;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::{Action, LzipStream, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// Bytes of the largest lzip dictionary and zstd window accepted. Guix's own levels
/// stay at or below 32 MiB.
pub(super) const MAX_WINDOW_BYTES: u32 = 64 << 20;

/// KiB that the lzip decoder takes beside its dictionary, generously.
const LZIP_OVERHEAD_KIB: u32 = 1 << 10;

/// A reader of the decompressed `source`, or `None` for an unknown compression.
///
/// It reads `source` to its end. Its error is `OutOfMemory` if the stream asks for a
/// window beyond [`MAX_WINDOW_BYTES`], and of any other kind if the stream is cut
/// short, damaged, or followed by something else.
pub(super) fn decompress<'a>(
    compression: &Compression,
    source: impl BufRead + 'a,
) -> Option<Box<dyn Read + 'a>> {
    Some(match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(source)),
        Compression::Lzip => Box::new(Lzip {
            source,
            stream: LzipStream::new_mem_limit(true, (MAX_WINDOW_BYTES >> 10) + LZIP_OVERHEAD_KIB),
        }),
        Compression::Zstd => {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(MAX_WINDOW_BYTES.into());
            Box::new(Zstd { source, decoder })
        }
        Compression::None => Box::new(source),
        Compression::Other(_) => return None,
    })
}

/// The crate's push decoder rather than its reader, because only the former holds
/// every member to a limit of memory.
struct Lzip<S> {
    source: S,
    stream: LzipStream,
}

impl<S: BufRead> Read for Lzip<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.source.fill_buf()?;
            let action = if input.is_empty() {
                Action::Finish
            } else {
                Action::Run
            };
            let step = self.stream.process(input, out, action)?;
            self.source.consume(step.bytes_consumed);
            if step.bytes_produced > 0 {
                return Ok(step.bytes_produced);
            }
            if step.status == Status::StreamEnd {
                let ended = self.stream.unused_input().is_empty();
                return if ended && self.source.fill_buf()?.is_empty() {
                    Ok(0)
                } else {
                    Err(invalid("something follows the end of the lzip stream"))
                };
            }
            if step.bytes_consumed == 0 {
                return Err(invalid("the lzip stream does not go on"));
            }
        }
    }
}

/// Frames end to end, without the skippable ones.
struct Zstd<S> {
    source: S,
    decoder: FrameDecoder,
}

impl<S: BufRead> Read for Zstd<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(out);
            }
            if !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(invalid)?;
            } else if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.next_frame()?;
            }
        }
    }
}

impl<S: BufRead> Zstd<S> {
    fn next_frame(&mut self) -> io::Result<()> {
        use FrameDecoderError::{ReadFrameHeaderError as Header, WindowSizeTooBig};
        match self.decoder.reset(&mut self.source) {
            Ok(()) => Ok(()),
            Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let length = u64::from(length);
                let mut skipped = self.source.by_ref().take(length);
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
        decompress(compression, bytes)
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
                assert!(
                    all(&compression, &whole[..cut]).is_err(),
                    "{compression} {cut}"
                );
            }
            for tail in [
                &b"x"[..],
                b"\0\0\0\0",
                b"garbage that is longer than a trailer",
            ] {
                let more = [&whole[..], tail].concat();
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
