use super::file::WITHOUT_A_THREAD;
use super::verify::Way;
use super::{ExpectedNar, NarError, NarReader, NarVerifier};
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

/// Reads the nar in all of `bytes`; returns it or the error.
fn nar_of(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    let mut nar = Vec::new();
    let read = NarReader::new(bytes, expected.clone())?.read_to_end(&mut nar);
    outcome(read, nar)
}

/// The same for a body without a length.
fn nar_of_open(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    let mut nar = Vec::new();
    let read = NarReader::without_length(bytes, expected.clone())?.read_to_end(&mut nar);
    outcome(read, nar)
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
    let Way::Sized(file) = &verifier.way else {
        return Err("it is not read beside its transfer".into());
    };
    let checker = file.checker.as_ref().ok_or("no thread")?;
    let shared = Arc::downgrade(&checker.expected);
    drop(verifier);
    // The thread held the other reference.
    assert!(shared.upgrade().is_none());
    Ok(())
}

#[test]
fn a_reader_gives_the_nar_of_every_file_however_it_comes() -> Outcome {
    for (url, bytes, listed) in nars()? {
        let mut nar = Vec::new();
        check_into(&listed, &bytes, &mut nar)?;
        let unlisted = ExpectedNar {
            file_size: None,
            ..listed.clone()
        };
        for expected in [&listed, &unlisted] {
            assert!(nar_of(&bytes[..], expected)? == nar, "{url}");
            for together in [7, 1000, usize::MAX] {
                let bytes = &bytes;
                let open = Open { bytes, together };
                assert!(nar_of_open(open, expected)? == nar, "{url} {together}");
            }
        }
    }
    Ok(())
}

/// Damages of a file, each with the properties that are expected of it.
fn damaged(bytes: &[u8], listed: &ExpectedNar) -> Vec<(&'static str, Vec<u8>, ExpectedNar)> {
    let with = |change: fn(&mut ExpectedNar)| {
        let mut expected = listed.clone();
        change(&mut expected);
        expected
    };
    let unlisted = with(|it| it.file_size = None);
    let page = b"<!DOCTYPE html>\n<html><body>Down for maintenance</body></html>\n";
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    let mut damaged = Vec::new();
    for expected in [listed.clone(), unlisted] {
        let cut = bytes[..bytes.len() - 1].to_vec();
        damaged.push(("cut", cut, expected.clone()));
        let half = bytes[..bytes.len() / 2].to_vec();
        damaged.push(("half", half, expected.clone()));
        damaged.push(("empty", Vec::new(), expected.clone()));
        let more = [bytes, b"x"].concat();
        damaged.push(("more", more, expected.clone()));
        damaged.push(("twice", bytes.repeat(2), expected.clone()));
        damaged.push(("page", page.to_vec(), expected.clone()));
        damaged.push(("pages", page.repeat(5000), expected.clone()));
        damaged.push(("flipped", flipped.clone(), expected));
    }
    for (what, expected) in [
        ("hash", with(|it| it.nar_hash = [0; 32])),
        ("longer nar", with(|it| it.nar_size += 1)),
        ("shorter nar", with(|it| it.nar_size -= 1)),
        (
            "size",
            with(|it| it.file_size = it.file_size.map(|size| size + 1)),
        ),
    ] {
        damaged.push((what, bytes.to_vec(), expected));
    }
    damaged
}

#[test]
fn a_reader_says_of_a_bad_file_what_the_verifier_says() -> Outcome {
    for (url, bytes, listed) in nars()? {
        for (what, bytes, expected) in damaged(&bytes, &listed) {
            for (by_verifier, by_reader) in [
                (verify(&bytes[..], &expected), nar_of(&bytes[..], &expected)),
                (
                    verify_open(&bytes[..], &expected),
                    nar_of_open(&bytes[..], &expected),
                ),
            ] {
                let by_verifier = by_verifier.err().ok_or(what)?;
                let by_reader = by_reader.err().ok_or(what)?;
                // Of two faults in a large file the first one is reported.
                if bytes.len() < WITHOUT_A_THREAD {
                    assert_eq!(by_reader, by_verifier, "{url} {what}");
                }
                let is_of_transfer = by_verifier.is_of_transfer();
                assert_eq!(by_reader.is_of_transfer(), is_of_transfer, "{url} {what}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_reader_repeats_its_error_and_passes_on_those_underneath() -> Outcome {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for (url, bytes, listed) in nars()? {
        let wrong = ExpectedNar {
            nar_hash: [0; 32],
            ..listed.clone()
        };
        let mut reader = NarReader::new(&bytes[..], wrong)?;
        for _ in 0..3 {
            let error = reader.read_to_end(&mut Vec::new()).err();
            let error = error.ok_or("the end was clean")?;
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(matches!(
                NarError::from_io(&error),
                Some(NarError::Hash { .. })
            ));
        }
        for at in [0, 1, 20, bytes.len() - 1] {
            let broken = bytes[..at].chain(Broken);
            let mut reader = NarReader::new(broken, listed.clone())?;
            let error = reader.read_to_end(&mut Vec::new()).err();
            let kind = error.map(|error| error.kind());
            assert_eq!(kind, Some(io::ErrorKind::ConnectionReset), "{url} {at}");
        }
    }
    let xz = expected(Compression::Other("xz".to_owned()), 0);
    let refused = NarReader::new(io::empty(), xz).map(|_| ());
    assert_eq!(refused, Err(NarError::Compression("xz".to_owned())));
    Ok(())
}

#[test]
fn a_reader_drops_a_bomb_and_a_file_without_an_end() -> Outcome {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 8 << 20])?;
    let bomb = encoder.finish()?;
    let small = expected(Compression::Gzip, 1000);
    let empty = GzEncoder::new(Vec::new(), flate2::Compression::best()).finish()?;
    let endless = empty.repeat(1 << 14);
    let limit = 1000 + 62 + (64 << 10);
    for read in [nar_of, nar_of_open] {
        assert_eq!(read(bomb.as_slice(), &small), Err(NarError::TooLong(1000)));
        let error = read(endless.as_slice(), &small);
        assert_eq!(error, Err(NarError::FileEndless(limit)));
    }
    // Much may pass before the limit of a large nar.
    let large = expected(Compression::Gzip, 1 << 40);
    let read = Cell::new(0);
    let endless = empty.repeat(1 << 18);
    let counted = Counted(endless.as_slice(), &read);
    let mut reader = NarReader::without_length(counted, large)?;
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    assert!(read.get() < 5 << 20);
    Ok(())
}

/// A nar of hundreds of frames, and the frames.
fn many_frames() -> Outcome<(Vec<u8>, Vec<Vec<u8>>)> {
    let words = (0..300_000u64).flat_map(|at| (at * at % 7919).to_le_bytes());
    let nar: Vec<u8> = b"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0"
        .iter()
        .copied()
        .chain(words)
        .collect();
    let frames = nar.chunks(6007).map(|chunk| zstd::bulk::compress(chunk, 1));
    Ok((nar.clone(), frames.collect::<Result<_, _>>()?))
}

#[test]
fn hundreds_of_frames_are_one_nar_and_one_that_is_not_in_its_place_is_noticed() -> Outcome {
    let (nar, frames) = many_frames()?;
    assert_eq!(frames.len(), 400);
    let whole = frames.concat();
    let listed = ExpectedNar {
        file_size: Some(whole.len() as u64),
        nar_hash: Sha256::digest(&nar).into(),
        ..expected(Compression::Zstd, nar.len() as u64)
    };
    assert!(verify(&whole[..], &listed)? == whole);
    assert!(nar_of(&whole[..], &listed)? == nar);
    let changed = |change: fn(&mut Vec<Vec<u8>>)| {
        let mut frames = frames.clone();
        change(&mut frames);
        frames.concat()
    };
    let unlisted = ExpectedNar {
        file_size: None,
        ..listed.clone()
    };
    for (what, bytes) in [
        ("the last lacks", changed(|it| drop(it.pop()))),
        (
            "one in the middle lacks",
            changed(|it| drop(it.remove(100))),
        ),
        ("one is cut", changed(|it| it[100].truncate(300))),
        ("the last is cut", changed(|it| it[399].truncate(20))),
        ("two are swapped", changed(|it| it.swap(50, 51))),
        (
            "one is doubled",
            changed(|it| it.insert(70, it[70].clone())),
        ),
        ("one is another", changed(|it| it[70] = it[71].clone())),
        ("one is empty", changed(|it| it[70].clear())),
    ] {
        for expected in [&listed, &unlisted] {
            for read in [verify, verify_open, nar_of, nar_of_open] {
                assert!(read(&bytes[..], expected).is_err(), "{what}");
            }
        }
    }
    Ok(())
}
