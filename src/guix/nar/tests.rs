use super::verify::{File, WITHOUT_A_THREAD};
use super::{ExpectedNar, NarError, NarVerifier};
use crate::guix::fixtures::{Outcome, narinfo, narinfos, read};
use crate::guix::{Compression, Narinfo, Variant};
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::sync::Arc;

fn tools() -> Outcome<Narinfo> {
    narinfo("substitute-server/y023qcgjv7nsp8snwi2q1569mig8hyjj.narinfo")
}

fn file(variant: &Variant) -> Outcome<Vec<u8>> {
    Ok(read(&format!("substitute-server/{}", variant.path()?))?)
}

/// Reads all of `bytes` through a verifier; returns the bytes or the error.
fn verify(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    let mut passed = Vec::new();
    let read = NarVerifier::new(bytes, expected.clone())?.read_to_end(&mut passed);
    outcome(read, passed)
}

/// The same for a body without a length.
fn verify_open(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    let mut passed = Vec::new();
    let read = NarVerifier::without_length(bytes, expected.clone())?.read_to_end(&mut passed);
    outcome(read, passed)
}

fn outcome(read: io::Result<usize>, passed: Vec<u8>) -> Result<Vec<u8>, NarError> {
    match read {
        Ok(_) => Ok(passed),
        Err(error) => Err(NarError::from_io(&error)
            .cloned()
            .unwrap_or(NarError::Thread(error.to_string()))),
    }
}

/// A nar without a FileSize, whose hash nothing has.
fn expected(compression: Compression, nar_size: u64) -> ExpectedNar {
    ExpectedNar {
        compression,
        file_size: None,
        nar_hash: [0; 32],
        nar_size,
    }
}

/// Every nar of the fixtures, with its URL.
fn nars() -> Outcome<Vec<(String, Vec<u8>, ExpectedNar)>> {
    let mut nars = Vec::new();
    for (_, narinfo) in narinfos("substitute-server")? {
        for variant in &narinfo.variants {
            let expected = ExpectedNar::of(&narinfo, variant);
            nars.push((variant.url.clone(), file(variant)?, expected));
        }
    }
    Ok(nars)
}

#[test]
fn every_nar_of_a_real_server_passes_unchanged() -> Outcome {
    let nars = nars()?;
    assert_eq!(nars.len(), 28);
    for (url, bytes, expected) in nars {
        assert!(verify(&bytes[..], &expected)? == bytes, "{url}");
    }
    Ok(())
}

#[test]
fn a_flipped_byte_is_noticed_in_every_nar() -> Outcome {
    for (url, mut bytes, expected) in nars()? {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let error = verify(&bytes[..], &expected);
        let is_noticed = matches!(
            error,
            Err(NarError::Corrupt { .. }
                | NarError::Hash { .. }
                | NarError::TooLong { .. }
                | NarError::TooShort { .. }
                | NarError::Cut(_))
        );
        assert!(is_noticed, "{url}: {error:?}");
    }
    Ok(())
}

#[test]
fn a_cut_or_lengthened_file_is_noticed_with_and_without_a_file_size() -> Outcome {
    let narinfo = tools()?;
    for variant in &narinfo.variants {
        let bytes = file(variant)?;
        let size = bytes.len() as u64;
        let listed = ExpectedNar::of(&narinfo, variant);
        let unlisted = ExpectedNar {
            file_size: None,
            ..listed.clone()
        };
        let cut = &bytes[..bytes.len() - 1];
        let more = [&bytes[..], b"x"].concat();
        assert_eq!(
            verify(cut, &listed),
            Err(NarError::FileTooShort {
                expected: size,
                got: size - 1
            })
        );
        assert_eq!(verify(&more[..], &listed), Err(NarError::FileTooLong(size)));
        let compression = &variant.compression;
        for verify in [verify, verify_open] {
            assert_eq!(
                verify(cut, &unlisted),
                Err(NarError::Cut(compression.clone()))
            );
            assert_eq!(
                verify(more.as_slice(), &unlisted),
                Err(NarError::Followed(compression.clone()))
            );
        }
    }
    Ok(())
}

#[test]
fn every_cut_is_of_the_transfer_and_so_is_a_page_in_the_place_of_a_nar() -> Outcome {
    let page = b"<!DOCTYPE html>\n<html><body>Down for maintenance</body></html>\n";
    for (url, bytes, listed) in nars()? {
        if bytes.len() > 4000 {
            continue;
        }
        let unlisted = ExpectedNar {
            file_size: None,
            ..listed.clone()
        };
        let cuts = (0..bytes.len()).map(|cut| bytes[..cut].to_vec());
        let pages = [1, 30, 5000].map(|times| page.repeat(times));
        for body in cuts.chain(pages) {
            for expected in [&listed, &unlisted] {
                for verify in [verify, verify_open] {
                    let error = verify(body.as_slice(), expected)
                        .err()
                        .ok_or(url.as_str())?;
                    assert!(error.is_of_transfer(), "{url} {}: {error}", body.len());
                }
            }
        }
    }
    Ok(())
}

/// A reader that fails where the test would wait for ever.
struct Open<'b> {
    bytes: &'b [u8],
    /// Bytes that come together.
    together: usize,
}

impl Read for Open<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.together.min(buf.len()).min(self.bytes.len());
        if length == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (now, later) = self.bytes.split_at(length);
        buf[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_nar() -> Outcome {
    for (url, bytes, listed) in nars()? {
        let unlisted = ExpectedNar {
            file_size: None,
            ..listed.clone()
        };
        for expected in [&listed, &unlisted] {
            for together in [7, 1000, usize::MAX] {
                let open = Open {
                    bytes: &bytes,
                    together,
                };
                assert!(verify_open(open, expected)? == bytes, "{url} {together}");
            }
        }
    }
    Ok(())
}

#[test]
fn streams_that_follow_at_once_belong_to_a_body_without_a_length() -> Outcome {
    let narinfo = tools()?;
    for variant in &narinfo.variants {
        let bytes = file(variant)?;
        let mut nar = Vec::new();
        let whole = ExpectedNar::of(&narinfo, variant);
        check_into(&whole, &bytes, &mut nar)?;
        let twice = [&nar[..], &nar].concat();
        let expected = ExpectedNar {
            file_size: None,
            nar_hash: Sha256::digest(&twice).into(),
            nar_size: twice.len() as u64,
            ..whole
        };
        let both = [&bytes[..], &bytes].concat();
        for together in [1, bytes.len(), both.len()] {
            let open = Open {
                bytes: &both,
                together,
            };
            assert!(verify_open(open, &expected)? == both, "{}", variant.url);
        }
        // Half of it is the other error.
        let half = Err(NarError::TooShort {
            expected: expected.nar_size,
            got: nar.len() as u64,
        });
        assert_eq!(verify_open(&bytes[..], &expected), half);
    }
    Ok(())
}

/// Decompresses a file.
fn check_into(expected: &ExpectedNar, bytes: &[u8], nar: &mut Vec<u8>) -> Outcome {
    let input = super::input::Input::new(bytes);
    super::decompress::Decompressor::new(&expected.compression, input)
        .ok_or("unknown")?
        .read_to_end(nar)?;
    Ok(())
}

#[test]
fn a_wrong_nar_size_or_hash_in_the_narinfo_is_noticed() -> Outcome {
    let narinfo = tools()?;
    let right = ExpectedNar::of(&narinfo, &narinfo.variants[0]);
    let bytes = file(&narinfo.variants[0])?;
    for (nar_size, nar_hash, error) in [
        (
            1833,
            right.nar_hash,
            NarError::TooShort {
                expected: 1833,
                got: 1832,
            },
        ),
        (1831, right.nar_hash, NarError::TooLong(1831)),
        (
            1832,
            [0; 32],
            NarError::Hash {
                expected: "0".repeat(52),
                got: "1dq7zgjgc7nnjihyz0ln3kc7q0x1m0hmk77507fn36zb4qyzkqnr".to_owned(),
            },
        ),
    ] {
        let wrong = ExpectedNar {
            nar_size,
            nar_hash,
            ..right.clone()
        };
        assert_eq!(verify(&bytes[..], &wrong), Err(error));
    }
    Ok(())
}

#[test]
fn a_bomb_is_dropped_long_before_it_is_read() -> Outcome {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..8 {
        encoder.write_all(&vec![0; 1 << 20])?;
    }
    let bomb = encoder.finish()?;
    let expected = expected(Compression::Gzip, 1000);
    assert_eq!(verify(&bomb[..], &expected), Err(NarError::TooLong(1000)));
    // An endless download of it stops after the chunks that may wait for the thread.
    let read = Cell::new(0);
    let endless = bomb.chain(io::repeat(0));
    let counted = Counted(endless, &read);
    assert!(verify(counted, &expected).is_err());
    assert!(read.get() < 4 << 20);
    Ok(())
}

/// A reader that counts its bytes.
struct Counted<'a, R>(R, &'a Cell<usize>);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buf)?;
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

#[test]
fn an_endless_file_that_holds_nothing_is_dropped() -> Outcome {
    struct Endless(Vec<u8>, usize);
    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            buf[0] = self.0[self.1];
            self.1 = (self.1 + 1) % self.0.len();
            Ok(1)
        }
    }
    let empty = GzEncoder::new(Vec::new(), flate2::Compression::best()).finish()?;
    let limit = 1600 + 100 + (64 << 10);
    for file_size in [None, Some(u64::MAX)] {
        let expected = ExpectedNar {
            file_size,
            ..expected(Compression::Gzip, 1600)
        };
        for verify in [verify, verify_open] {
            let error = verify(Endless(empty.clone(), 0), &expected);
            assert_eq!(error, Err(NarError::FileEndless(limit)));
        }
    }
    Ok(())
}

#[test]
fn the_largest_sizes_that_a_narinfo_can_list_overflow_nothing() {
    let expected = ExpectedNar {
        file_size: Some(u64::MAX),
        ..expected(Compression::None, u64::MAX)
    };
    assert_eq!(expected.file_limit(), u64::MAX);
    let foreign = Err(NarError::Foreign(Compression::None));
    assert_eq!(verify(&b"nar"[..], &expected), foreign);
    let error = NarError::FileTooShort {
        expected: u64::MAX,
        got: 5,
    };
    assert_eq!(verify(&b"\x0d\0\0\0\0"[..], &expected), Err(error));
}

#[test]
fn an_uncompressed_nar_of_many_chunks_passes() -> Outcome {
    let nar = vec![7; 5 * WITHOUT_A_THREAD + 3];
    let expected = ExpectedNar {
        nar_hash: Sha256::digest(&nar).into(),
        ..expected(Compression::None, nar.len() as u64)
    };
    assert!(verify(&nar[..], &expected)? == nar);
    assert!(verify(&nar[1..], &expected).is_err());
    Ok(())
}

#[test]
fn bad_data_never_ends_cleanly_however_often_it_is_read() -> Outcome {
    let narinfo = tools()?;
    let expected = ExpectedNar {
        nar_hash: [0; 32],
        ..ExpectedNar::of(&narinfo, &narinfo.variants[0])
    };
    let bytes = file(&narinfo.variants[0])?;
    let mut verifier = NarVerifier::new(&bytes[..], expected)?;
    let mut passed = Vec::new();
    for _ in 0..3 {
        let Err(error) = verifier.read_to_end(&mut passed) else {
            return Err("the end was clean".into());
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(matches!(
            NarError::from_io(&io::Error::other(error)),
            Some(NarError::Hash { .. })
        ));
    }
    Ok(())
}

#[test]
fn an_unknown_compression_is_refused_by_name_at_once() {
    let expected = expected(Compression::Other("xz".to_owned()), 0);
    let refused = NarVerifier::new(io::empty(), expected).map(|_| ());
    assert_eq!(refused, Err(NarError::Compression("xz".to_owned())));
}

#[test]
fn a_huge_window_is_refused_for_its_size() -> Outcome {
    let narinfo = tools()?;
    let mut variants = narinfo.variants.iter();
    let lzip = variants.find(|variant| variant.compression == Compression::Lzip);
    let lzip = lzip.ok_or("no lzip")?;
    let mut bytes = file(lzip)?;
    bytes[5] = 27; // a dictionary of 2^27 bytes
    let error = verify(&bytes[..], &ExpectedNar::of(&narinfo, lzip));
    assert_eq!(error, Err(NarError::Window(Compression::Lzip)));
    Ok(())
}

#[test]
fn an_error_of_the_reader_underneath_is_passed_on() -> Outcome {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let narinfo = tools()?;
    let variant = &narinfo.variants[0];
    let bytes = file(variant)?;
    let reader = bytes[..20].chain(Broken);
    let mut verifier = NarVerifier::new(reader, ExpectedNar::of(&narinfo, variant))?;
    let error = verifier.read_to_end(&mut Vec::new()).err();
    assert_eq!(
        error.map(|error| error.kind()),
        Some(io::ErrorKind::ConnectionReset)
    );
    Ok(())
}

#[test]
fn a_nar_dropped_half_way_takes_its_thread_along() -> Outcome {
    let expected = expected(Compression::None, u64::MAX);
    let mut verifier = NarVerifier::new(io::repeat(7), expected)?;
    verifier.read_exact(&mut vec![0; 3 * WITHOUT_A_THREAD])?;
    let File::Sized(file) = &verifier.file else {
        return Err("it is not read beside its transfer".into());
    };
    let checker = file.checker.as_ref().ok_or("no thread")?;
    let shared = Arc::downgrade(&checker.expected);
    drop(verifier);
    // The thread held the other reference.
    assert!(shared.upgrade().is_none());
    Ok(())
}
