use super::decompress::Decompressor;
use super::file::WITHOUT_A_THREAD;
use super::input::Input;
use super::verify::Way;
use super::{ExpectedNar, NarError, NarReader, NarVerifier};
use crate::guix::fixtures::{Broken, Outcome, narinfo, narinfos, read};
use crate::guix::{Compression, Narinfo, Variant};
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// A page in the place of a file.
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Down for maintenance</body></html>\n";

fn tools() -> Outcome<Narinfo> {
    narinfo("substitute-server/y023qcgjv7nsp8snwi2q1569mig8hyjj.narinfo")
}

fn file(variant: &Variant) -> Outcome<Vec<u8>> {
    Ok(read(&format!("substitute-server/{}", variant.path()?))?)
}

/// Reads all of `bytes` through a verifier; returns the bytes or the error.
fn verify(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    all_of(NarVerifier::new(bytes, expected.clone()))
}

/// The same for a body without a length.
fn verify_open(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    all_of(NarVerifier::without_length(bytes, expected.clone()))
}

/// Reads the nar in all of `bytes`; returns it or the error.
fn nar_of(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    all_of(NarReader::new(bytes, expected.clone()))
}

/// The same for a body without a length.
fn nar_of_open(bytes: impl Read, expected: &ExpectedNar) -> Result<Vec<u8>, NarError> {
    all_of(NarReader::without_length(bytes, expected.clone()))
}

/// All these readers, each of the same bytes.
fn readers<'b, R: Read + 'b>(
    bytes: impl Fn() -> R,
    expected: &ExpectedNar,
) -> Result<[Box<dyn Read + 'b>; 4], NarError> {
    Ok([
        Box::new(NarVerifier::new(bytes(), expected.clone())?),
        Box::new(NarVerifier::without_length(bytes(), expected.clone())?),
        Box::new(NarReader::new(bytes(), expected.clone())?),
        Box::new(NarReader::without_length(bytes(), expected.clone())?),
    ])
}

fn all_of(reader: Result<impl Read, NarError>) -> Result<Vec<u8>, NarError> {
    let mut passed = Vec::new();
    match reader?.read_to_end(&mut passed) {
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

/// The same nar as a narinfo without a FileSize describes it.
fn unlisted(listed: &ExpectedNar) -> ExpectedNar {
    ExpectedNar {
        file_size: None,
        ..listed.clone()
    }
}

/// A gzip stream.
fn gzip(nar: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(nar)?;
    encoder.finish()
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
        self.bytes.read(&mut buf[..length])
    }
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
fn every_nar_of_a_real_server_passes_unchanged_however_it_comes() -> Outcome {
    let nars = nars()?;
    assert_eq!(nars.len(), 28);
    for (url, bytes, listed) in &nars {
        let nar = decompressed(listed, bytes)?;
        for expected in [listed, &unlisted(listed)] {
            assert!(verify(&bytes[..], expected)? == *bytes, "{url}");
            assert!(nar_of(&bytes[..], expected)? == nar, "{url}");
            // A body without a length ends with the nar.
            for together in [7, 1000, usize::MAX] {
                let open = Open { bytes, together };
                assert!(verify_open(open, expected)? == *bytes, "{url} {together}");
                let open = Open { bytes, together };
                assert!(nar_of_open(open, expected)? == nar, "{url} {together}");
            }
        }
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
        let cut = &bytes[..bytes.len() - 1];
        let more = [&bytes[..], b"x"].concat();
        let too_short = NarError::FileTooShort {
            expected: size,
            got: size - 1,
        };
        assert_eq!(verify(cut, &listed), Err(too_short));
        assert_eq!(verify(&more[..], &listed), Err(NarError::FileTooLong(size)));
        let is_cut = Err(NarError::Cut(variant.compression.clone()));
        let is_followed = Err(NarError::Followed(variant.compression.clone()));
        let unlisted = unlisted(&listed);
        for verify in [verify, verify_open] {
            assert_eq!(verify(cut, &unlisted), is_cut);
            assert_eq!(verify(more.as_slice(), &unlisted), is_followed);
        }
    }
    Ok(())
}

#[test]
fn every_cut_is_of_the_transfer_and_so_is_a_page_in_the_place_of_a_nar() -> Outcome {
    for (url, bytes, listed) in nars()? {
        if bytes.len() > 4000 {
            continue;
        }
        let cuts = (0..bytes.len()).map(|cut| bytes[..cut].to_vec());
        let pages = [1, 30, 5000].map(|times| PAGE.repeat(times));
        for body in cuts.chain(pages) {
            for expected in [&listed, &unlisted(&listed)] {
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

#[test]
fn streams_that_follow_at_once_belong_to_a_body_without_a_length() -> Outcome {
    let narinfo = tools()?;
    for variant in &narinfo.variants {
        let bytes = file(variant)?;
        let whole = ExpectedNar::of(&narinfo, variant);
        let nar = decompressed(&whole, &bytes)?;
        let twice = [&nar[..], &nar].concat();
        let expected = ExpectedNar {
            file_size: None,
            nar_hash: Sha256::digest(&twice).into(),
            nar_size: twice.len() as u64,
            ..whole
        };
        let both = [&bytes[..], &bytes].concat();
        for together in [1, bytes.len(), both.len()] {
            let bytes = &both;
            let open = Open { bytes, together };
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

/// The nar in a file, unchecked.
fn decompressed(expected: &ExpectedNar, bytes: &[u8]) -> Outcome<Vec<u8>> {
    let decompressor = Decompressor::new(&expected.compression, Input::new(bytes));
    let mut nar = Vec::new();
    decompressor.ok_or("unknown")?.read_to_end(&mut nar)?;
    Ok(nar)
}

#[test]
fn a_wrong_nar_size_or_hash_in_the_narinfo_is_noticed() -> Outcome {
    let narinfo = tools()?;
    let right = ExpectedNar::of(&narinfo, &narinfo.variants[0]);
    let bytes = file(&narinfo.variants[0])?;
    let too_short = NarError::TooShort {
        expected: 1833,
        got: 1832,
    };
    let other = NarError::Hash {
        expected: "0".repeat(52),
        got: "1dq7zgjgc7nnjihyz0ln3kc7q0x1m0hmk77507fn36zb4qyzkqnr".to_owned(),
    };
    for (nar_size, nar_hash, error) in [
        (1833, right.nar_hash, too_short),
        (1831, right.nar_hash, NarError::TooLong(1831)),
        (1832, [0; 32], other),
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
    let bomb = gzip(&vec![0; 8 << 20])?;
    let expected = expected(Compression::Gzip, 1000);
    for read in [verify, verify_open, nar_of, nar_of_open] {
        let error = read(bomb.as_slice(), &expected);
        assert_eq!(error, Err(NarError::TooLong(1000)));
    }
    // An endless download of it stops after the chunks that may wait for the thread.
    let read = Cell::new(0);
    let endless = bomb.chain(io::repeat(0));
    let counted = Counted(endless, &read);
    assert!(verify(counted, &expected).is_err());
    assert!(read.get() < 4 << 20);
    Ok(())
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
    let empty = gzip(b"")?;
    let limit = 1600 + 100 + (64 << 10);
    for file_size in [None, Some(u64::MAX)] {
        let expected = ExpectedNar {
            file_size,
            ..expected(Compression::Gzip, 1600)
        };
        for read in [verify, verify_open, nar_of, nar_of_open] {
            let error = read(Endless(empty.clone(), 0), &expected);
            assert_eq!(error, Err(NarError::FileEndless(limit)));
        }
    }
    // Much may pass before the limit of a large nar.
    let large = expected(Compression::Gzip, 1 << 40);
    let read = Cell::new(0);
    let endless = empty.repeat(1 << 18);
    for read_all in [verify_open, nar_of_open] {
        let counted = Counted(endless.as_slice(), &read);
        assert!(read_all(counted, &large).is_err());
        assert!(read.take() < 5 << 20);
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
    for (url, bytes, listed) in nars()? {
        let wrong = ExpectedNar {
            nar_hash: [0; 32],
            ..listed
        };
        for mut reader in readers(|| &bytes[..], &wrong)? {
            for _ in 0..3 {
                let error = reader.read_to_end(&mut Vec::new()).err();
                let error = error.ok_or("the end was clean")?;
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                let wrapped = io::Error::other(error);
                let error = NarError::from_io(&wrapped);
                assert!(matches!(error, Some(NarError::Hash { .. })), "{url}");
            }
        }
    }
    Ok(())
}

#[test]
fn an_unknown_compression_is_refused_by_name_at_once() {
    let xz = expected(Compression::Other("xz".to_owned()), 0);
    let verifier = NarVerifier::new(io::empty(), xz.clone()).map(|_| ());
    let reader = NarReader::new(io::empty(), xz).map(|_| ());
    for refused in [verifier, reader] {
        assert_eq!(refused, Err(NarError::Compression("xz".to_owned())));
    }
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
    for (url, bytes, listed) in nars()? {
        for at in [0, 1, 20, bytes.len() - 1] {
            for mut reader in readers(|| bytes[..at].chain(Broken), &listed)? {
                let error = reader.read_to_end(&mut Vec::new()).err();
                let kind = error.map(|error| error.kind());
                assert_eq!(kind, Some(io::ErrorKind::ConnectionReset), "{url} {at}");
            }
        }
    }
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

/// Damages of a file, each with the properties that are expected of it.
fn damaged(bytes: &[u8], listed: &ExpectedNar) -> Vec<(&'static str, Vec<u8>, ExpectedNar)> {
    let with = |change: fn(&mut ExpectedNar)| {
        let mut expected = listed.clone();
        change(&mut expected);
        expected
    };
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    let longer = with(|it| it.file_size = it.file_size.map(|size| size + 1));
    let mut damaged = vec![
        ("hash", bytes.to_vec(), with(|it| it.nar_hash = [0; 32])),
        ("longer nar", bytes.to_vec(), with(|it| it.nar_size += 1)),
        ("shorter nar", bytes.to_vec(), with(|it| it.nar_size -= 1)),
        ("size", bytes.to_vec(), longer),
    ];
    for (what, bytes) in [
        ("cut", bytes[..bytes.len() - 1].to_vec()),
        ("half", bytes[..bytes.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("more", [bytes, b"x"].concat()),
        ("twice", bytes.repeat(2)),
        ("page", PAGE.to_vec()),
        ("pages", PAGE.repeat(5000)),
        ("flipped", flipped),
    ] {
        damaged.push((what, bytes.clone(), listed.clone()));
        damaged.push((what, bytes, unlisted(listed)));
    }
    damaged
}

#[test]
fn a_reader_says_of_a_bad_file_what_the_verifier_says() -> Outcome {
    for (url, bytes, listed) in nars()? {
        for (what, bytes, expected) in damaged(&bytes, &listed) {
            let readers = readers(|| &bytes[..], &expected)?;
            let [verified, verified_open, nar, nar_open] = readers.map(|it| all_of(Ok(it)).err());
            for (by_verifier, by_reader) in [(verified, nar), (verified_open, nar_open)] {
                let by_verifier = by_verifier.ok_or(what)?;
                let by_reader = by_reader.ok_or(what)?;
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
    for (what, bytes) in [
        ("the last lacks", changed(|it| drop(it.pop()))),
        ("one within lacks", changed(|it| drop(it.remove(100)))),
        ("one is cut", changed(|it| it[100].truncate(300))),
        ("the last is cut", changed(|it| it[399].truncate(20))),
        ("two are swapped", changed(|it| it.swap(50, 51))),
        ("one is double", changed(|it| it.insert(70, it[70].clone()))),
        ("one is another", changed(|it| it[70] = it[71].clone())),
        ("one is empty", changed(|it| it[70].clear())),
    ] {
        for expected in [&listed, &unlisted(&listed)] {
            for read in [verify, verify_open, nar_of, nar_of_open] {
                assert!(read(&bytes[..], expected).is_err(), "{what}");
            }
        }
    }
    Ok(())
}
