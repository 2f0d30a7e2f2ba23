use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/substitute-server");

fn narinfo(hash: &str) -> Result<Narinfo, Box<dyn std::error::Error>> {
    let bytes = fs::read(format!("{SERVER}/{hash}.narinfo"))?;
    Ok(Narinfo::parse(&bytes)?)
}

fn tools() -> Result<Narinfo, Box<dyn std::error::Error>> {
    narinfo("y023qcgjv7nsp8snwi2q1569mig8hyjj")
}

fn file(variant: &Variant) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(fs::read(
        Path::new(SERVER).join(variant.path()?.to_string()),
    )?)
}

/// Reads all of `bytes` through a check; what passed, or why it did not.
fn check(bytes: impl Read, expect: Expect<'_>) -> Result<Vec<u8>, NarError> {
    let mut passed = Vec::new();
    match CheckedNar::new(bytes, expect)?.read_to_end(&mut passed) {
        Ok(_) => Ok(passed),
        Err(error) => Err(NarError::from_io(&error)
            .cloned()
            .unwrap_or(NarError::Thread(error.to_string()))),
    }
}

fn hash(nar: &[u8]) -> [u8; 32] {
    Sha256::digest(nar).into()
}

#[test]
fn every_nar_of_a_real_server_passes_unchanged() -> Outcome {
    let mut seen = 0;
    for entry in fs::read_dir(SERVER)? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "narinfo") {
            continue;
        }
        let narinfo = Narinfo::parse(&fs::read(&path)?)?;
        for variant in &narinfo.variants {
            let bytes = file(variant)?;
            let passed = check(&bytes[..], Expect::of(&narinfo, variant))?;
            assert!(passed == bytes, "{}", variant.url);
            seen += 1;
        }
    }
    assert_eq!(seen, 28);
    Ok(())
}

#[test]
fn a_flipped_byte_is_noticed_in_every_compression() -> Outcome {
    for hash in [
        "y023qcgjv7nsp8snwi2q1569mig8hyjj",
        "hz8xc542z4ycr7z1b9b81g2aqh455gsk",
    ] {
        let narinfo = narinfo(hash)?;
        for variant in &narinfo.variants {
            let mut bytes = file(variant)?;
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            let verdict = check(&bytes[..], Expect::of(&narinfo, variant));
            let noticed = matches!(
                verdict,
                Err(NarError::Corrupt { .. }
                    | NarError::Hash { .. }
                    | NarError::TooLong { .. }
                    | NarError::TooShort { .. })
            );
            assert!(noticed, "{}: {verdict:?}", variant.url);
        }
    }
    Ok(())
}

#[test]
fn a_cut_or_lengthened_file_is_noticed_with_and_without_a_file_size() -> Outcome {
    let narinfo = tools()?;
    for variant in &narinfo.variants {
        let bytes = file(variant)?;
        let size = bytes.len() as u64;
        let listed = Expect::of(&narinfo, variant);
        let unlisted = Expect {
            file_size: None,
            ..listed.clone()
        };
        let cut = &bytes[..bytes.len() - 1];
        let more = [&bytes[..], b"x"].concat();
        assert_eq!(
            check(cut, listed.clone()),
            Err(NarError::FileTooShort {
                expected: size,
                got: size - 1
            })
        );
        assert_eq!(
            check(&more[..], listed),
            Err(NarError::FileTooLong { expected: size })
        );
        for bytes in [cut, &more] {
            let verdict = check(bytes, unlisted.clone());
            assert!(matches!(verdict, Err(NarError::Corrupt { .. })));
        }
    }
    Ok(())
}

#[test]
fn a_wrong_nar_size_or_hash_in_the_narinfo_is_noticed() -> Outcome {
    let narinfo = tools()?;
    let variant = &narinfo.variants[0];
    let right = Expect::of(&narinfo, variant);
    let bytes = file(variant)?;
    let with = |nar_size, nar_hash| {
        let expect = Expect {
            nar_size,
            nar_hash,
            ..right.clone()
        };
        check(&bytes[..], expect)
    };
    assert_eq!(
        with(1833, right.nar_hash),
        Err(NarError::TooShort {
            expected: 1833,
            got: 1832
        })
    );
    assert_eq!(
        with(1831, right.nar_hash),
        Err(NarError::TooLong { expected: 1831 })
    );
    assert_eq!(
        with(1832, [0; 32]),
        Err(NarError::Hash {
            expected: "0".repeat(52),
            got: "1dq7zgjgc7nnjihyz0ln3kc7q0x1m0hmk77507fn36zb4qyzkqnr".to_owned(),
        })
    );
    Ok(())
}

#[test]
fn a_bomb_is_dropped_long_before_it_is_read() -> Outcome {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..8 {
        encoder.write_all(&vec![0; 1 << 20])?;
    }
    let bomb = encoder.finish()?;
    let expect = Expect {
        compression: &Compression::Gzip,
        file_size: None,
        nar_hash: [0; 32],
        nar_size: 1000,
    };
    assert_eq!(
        check(&bomb[..], expect.clone()),
        Err(NarError::TooLong { expected: 1000 })
    );
    // An endless download of it stops after what may wait for the thread.
    let mut endless = CheckedNar::new(bomb.chain(io::repeat(0)), expect)?;
    assert!(io::copy(&mut endless, &mut io::sink()).is_err());
    assert!(endless.passed() < 4 << 20);
    Ok(())
}

#[test]
fn a_file_that_goes_on_for_ever_and_holds_nothing_is_dropped() -> Outcome {
    struct Endless(Vec<u8>, usize);
    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            buf[0] = self.0[self.1];
            self.1 = (self.1 + 1) % self.0.len();
            Ok(1)
        }
    }
    let empty = GzEncoder::new(Vec::new(), flate2::Compression::best()).finish()?;
    for file_size in [None, Some(u64::MAX)] {
        let expect = Expect {
            compression: &Compression::Gzip,
            file_size,
            nar_hash: [0; 32],
            nar_size: 1600,
        };
        let limit = 1600 + 100 + (64 << 10);
        let verdict = check(Endless(empty.clone(), 0), expect);
        assert_eq!(verdict, Err(NarError::FileEndless { limit }));
    }
    Ok(())
}

#[test]
fn an_uncompressed_nar_of_many_chunks_passes() -> Outcome {
    let nar = vec![7; 5 * CHUNK_BYTES + 3];
    let expect = Expect {
        compression: &Compression::None,
        file_size: None,
        nar_hash: hash(&nar),
        nar_size: nar.len() as u64,
    };
    assert!(check(&nar[..], expect.clone())? == nar);
    assert!(check(&nar[1..], expect).is_err());
    Ok(())
}

#[test]
fn bad_data_never_ends_cleanly_however_often_it_is_read() -> Outcome {
    let narinfo = tools()?;
    let expect = Expect {
        nar_hash: [0; 32],
        ..Expect::of(&narinfo, &narinfo.variants[0])
    };
    let bytes = file(&narinfo.variants[0])?;
    let mut checked = CheckedNar::new(&bytes[..], expect)?;
    let mut passed = Vec::new();
    for _ in 0..3 {
        let Err(error) = checked.read_to_end(&mut passed) else {
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
    let expect = Expect {
        compression: &Compression::Other("xz".to_owned()),
        file_size: None,
        nar_hash: [0; 32],
        nar_size: 0,
    };
    let refused = CheckedNar::new(io::empty(), expect).map(|_| ());
    assert_eq!(refused, Err(NarError::Compression("xz".to_owned())));
}

#[test]
fn a_huge_window_is_refused_for_its_size() -> Outcome {
    let narinfo = tools()?;
    let lzip = narinfo.variants.iter();
    for variant in lzip.filter(|v| v.compression == Compression::Lzip) {
        let mut bytes = file(variant)?;
        bytes[5] = 27;
        let verdict = check(&bytes[..], Expect::of(&narinfo, variant));
        assert_eq!(verdict, Err(NarError::Window(Compression::Lzip)));
    }
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
    let mut checked = CheckedNar::new(reader, Expect::of(&narinfo, variant))?;
    let error = checked.read_to_end(&mut Vec::new()).err();
    assert_eq!(
        error.map(|e| e.kind()),
        Some(io::ErrorKind::ConnectionReset)
    );
    Ok(())
}

#[test]
fn a_nar_dropped_half_way_takes_its_thread_along() -> Outcome {
    let expect = Expect {
        compression: &Compression::None,
        file_size: None,
        nar_hash: [0; 32],
        nar_size: u64::MAX,
    };
    let mut checked = CheckedNar::new(io::repeat(7), expect)?;
    let mut buf = vec![0; 3 * CHUNK_BYTES];
    checked.read_exact(&mut buf)?;
    let abandoned = Arc::downgrade(&checked.judge.as_ref().unwrap().abandoned);
    drop(checked);
    // The thread held the other reference.
    assert!(abandoned.upgrade().is_none());
    Ok(())
}
