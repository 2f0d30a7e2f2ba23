use std::fs;
use std::path::Path;

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

const HEAD: &str = "StorePath: /gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-x
NarHash: sha256:0j3ai8fasjg9h7nrwbjp54xzpsgdbfbkxwxihzb13b2hr4zw1qdk
NarSize: 168
References: 
";

fn parse_with(tail: &str) -> Result<Narinfo, NarinfoError> {
    Narinfo::parse(format!("{HEAD}{tail}").as_bytes())
}

#[test]
fn every_narinfo_of_a_real_server_parses_and_keeps_its_bytes() -> Outcome {
    let mut seen = 0;
    for folder in ["substitute-server", "farm"] {
        for entry in fs::read_dir(Path::new(FIXTURES).join(folder))? {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != "narinfo") {
                continue;
            }
            let bytes = fs::read(&path)?;
            let narinfo = Narinfo::parse(&bytes)?;
            assert_eq!(narinfo.bytes(), bytes);
            let asked = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
            assert!(narinfo.matches(&asked.parse()?));
            assert!(narinfo.signature.is_some());
            for variant in &narinfo.variants {
                let name = variant.path()?.components().last().cloned();
                assert_eq!(name, Some(narinfo.store_path.basename()));
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 11);
    Ok(())
}

#[test]
fn what_the_fixtures_narinfos_say_is_what_their_maker_built() -> Outcome {
    let expected = fs::read_to_string(Path::new(FIXTURES).join("expected.tsv"))?;
    let mut seen = 0;
    for line in expected.lines().filter(|l| !l.starts_with('#')) {
        let [path, hash, size, references] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not four columns: {line}").into());
        };
        let path: StorePath = path.parse()?;
        let file = format!("{FIXTURES}/substitute-server/{}.narinfo", path.hash());
        let narinfo = Narinfo::parse(&fs::read(file)?)?;
        assert_eq!(narinfo.store_path, path);
        assert_eq!(
            format!("sha256:{}", base32::encode(&narinfo.nar_hash)),
            hash
        );
        assert_eq!(narinfo.nar_size, size.parse::<u64>()?);
        let basenames: Vec<_> = narinfo.references.iter().map(|r| r.basename()).collect();
        assert_eq!(basenames.join(" "), references);
        seen += 1;
    }
    assert_eq!(seen, 10);
    Ok(())
}

#[test]
fn the_order_of_2018_is_read_as_well() -> Outcome {
    let file = format!("{FIXTURES}/farm/y857mykfnc9vd1sc2lqz5g35l111fp71.narinfo");
    let narinfo = Narinfo::parse(&fs::read(file)?)?;
    assert_eq!(narinfo.nar_size, 2600);
    assert_eq!(narinfo.system.as_deref(), Some("x86_64-linux"));
    assert_eq!(
        narinfo.variants,
        [Variant {
            url: "nar/gzip/y857mykfnc9vd1sc2lqz5g35l111fp71-opensmtpd-test".to_owned(),
            compression: Compression::Gzip,
            file_size: Some(894),
        }]
    );
    Ok(())
}

#[test]
fn a_missing_file_size_does_not_shift_the_others() -> Outcome {
    let narinfo = parse_with(
        "URL: nar/gzip/a\nCompression: gzip\nURL: nar/a\nCompression: none\nFileSize: 168\n",
    )?;
    let sizes: Vec<_> = narinfo.variants.iter().map(|v| v.file_size).collect();
    assert_eq!(sizes, [None, Some(168)]);
    Ok(())
}

#[test]
fn unknown_fields_and_compressions_are_kept() -> Outcome {
    let tail = "URL: nar/xz/a\nCompression: xz\nFileHash: md5:1\nColour: green: dark\n";
    let narinfo = parse_with(tail)?;
    assert_eq!(narinfo.bytes(), format!("{HEAD}{tail}").as_bytes());
    assert_eq!(
        narinfo.variants[0].compression,
        Compression::Other("xz".to_owned())
    );
    Ok(())
}

#[test]
fn a_hash_in_hexadecimal_is_the_same_hash() -> Outcome {
    let hash = nar_hash("sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73")?;
    let hex = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(nar_hash(hex), Ok(hash));
    assert!(matches!(
        nar_hash("sha512:00"),
        Err(NarinfoError::HashFunction(_))
    ));
    assert!(matches!(
        nar_hash("sha256:00"),
        Err(NarinfoError::Hash(Base32Error::Length { .. }))
    ));
    Ok(())
}

#[test]
fn a_narinfo_that_is_not_whole_is_refused_for_its_reason() {
    let url = "URL: nar/a\nCompression: none\n";
    for (tail, error) in [
        ("", NarinfoError::Missing("URL")),
        (
            "URL: nar/a\n",
            NarinfoError::NoCompression("nar/a".to_owned()),
        ),
        (
            "Compression: none\n",
            NarinfoError::FollowsNoUrl("Compression"),
        ),
        ("FileSize: 1\n", NarinfoError::FollowsNoUrl("FileSize")),
        ("NarSize: 168\n", NarinfoError::Repeated("NarSize")),
        ("References: \n", NarinfoError::Repeated("References")),
        ("no field\n", NarinfoError::Line(5)),
        ("Signature: 1;a;b\r\n", NarinfoError::CarriageReturn),
        (
            "URL: nar/a\nFileSize: +1\n",
            NarinfoError::Size {
                field: "FileSize",
                value: "+1".to_owned(),
            },
        ),
    ] {
        assert_eq!(parse_with(tail), Err(error));
    }
    assert!(parse_with(&url.repeat(16)).is_ok());
    let many = parse_with(&url.repeat(17));
    assert_eq!(many, Err(NarinfoError::TooManyVariants));
    for (left_out, error) in [
        ("StorePath", NarinfoError::Missing("StorePath")),
        ("NarHash", NarinfoError::Missing("NarHash")),
        ("NarSize", NarinfoError::Missing("NarSize")),
        ("References", NarinfoError::Missing("References")),
    ] {
        let lines = HEAD.split_inclusive('\n');
        let rest: String = lines.filter(|l| !l.starts_with(left_out)).collect();
        assert_eq!(
            Narinfo::parse(format!("{rest}{url}").as_bytes()),
            Err(error)
        );
    }
    assert_eq!(Narinfo::parse(b"\xff"), Err(NarinfoError::NotUtf8));
    let large = vec![b'\n'; MAX_NARINFO_BYTES + 1];
    assert_eq!(
        Narinfo::parse(&large),
        Err(NarinfoError::TooLarge(large.len()))
    );
}

#[test]
fn a_narinfo_for_another_item_does_not_match() -> Outcome {
    let narinfo = parse_with("URL: nar/a\nCompression: none\n")?;
    assert!(narinfo.matches(&"21q7lx382p28sibkw2l721ybjxymkh1a".parse()?));
    assert!(!narinfo.matches(&"y857mykfnc9vd1sc2lqz5g35l111fp71".parse()?));
    Ok(())
}
