use super::error::NarinfoError;
use super::parse::nar_hash;
use super::{MAX_NARINFO_BYTES, Narinfo, Variant};
use crate::guix::base32::{self, Base32Error};
use crate::guix::fixtures::{FARMS_OWN, HELLO, Outcome, narinfo, narinfos, read};
use crate::guix::{Compression, StorePath};

const HEAD: &str = "StorePath: /gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-x
NarHash: sha256:0j3ai8fasjg9h7nrwbjp54xzpsgdbfbkxwxihzb13b2hr4zw1qdk
NarSize: 168
References: 
";

fn parse_with(tail: &str) -> Result<Narinfo, NarinfoError> {
    Narinfo::parse(format!("{HEAD}{tail}").as_bytes())
}

fn variant(url: &str, compression: Compression, file_size: u64) -> Variant {
    Variant {
        url: url.to_owned(),
        compression,
        file_size: Some(file_size),
    }
}

#[test]
fn every_narinfo_of_a_real_server_parses_and_keeps_its_bytes() -> Outcome {
    for (folder, count) in [("substitute-server", 10), ("farm", 1)] {
        let narinfos = narinfos(folder)?;
        assert_eq!(narinfos.len(), count);
        for (hash, narinfo) in narinfos {
            assert_eq!(narinfo.bytes(), read(&format!("{folder}/{hash}.narinfo"))?);
            assert!(narinfo.matches(&hash.parse()?));
            assert!(narinfo.signature.is_some());
            for variant in &narinfo.variants {
                let path = variant.path()?;
                let basename = narinfo.store_path.basename();
                assert_eq!(path.components().last(), Some(&basename));
                assert_eq!(path.owner(), Some(narinfo.store_path.hash()));
            }
        }
    }
    Ok(())
}

#[test]
fn the_fixtures_narinfos_describe_the_items_that_were_built() -> Outcome {
    let expected = String::from_utf8(read("expected.tsv")?)?;
    let lines = expected.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.clone().count(), 10);
    for line in lines {
        let [path, hash, size, references] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not four columns: {line}").into());
        };
        let path: StorePath = path.parse()?;
        let narinfo = narinfo(&format!("substitute-server/{}.narinfo", path.hash()))?;
        assert_eq!(narinfo.store_path, path);
        let nar_hash = base32::encode(&narinfo.nar_hash);
        assert_eq!(format!("sha256:{nar_hash}"), hash);
        assert_eq!(narinfo.nar_size, size.parse::<u64>()?);
        let basenames: Vec<_> = narinfo.references.iter().map(|r| r.basename()).collect();
        assert_eq!(basenames.join(" "), references);
    }
    Ok(())
}

#[test]
fn the_order_of_2018_is_read_as_well() -> Outcome {
    let narinfo = narinfo(FARMS_OWN)?;
    assert_eq!(narinfo.nar_size, 2600);
    let url = "nar/gzip/y857mykfnc9vd1sc2lqz5g35l111fp71-opensmtpd-test";
    let expected = variant(url, Compression::Gzip, 894);
    assert_eq!(narinfo.variants, [expected]);
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
    let xz = Compression::Other("xz".to_owned());
    assert_eq!(narinfo.variants[0].compression, xz);
    Ok(())
}

#[test]
fn a_hash_in_hexadecimal_is_the_same_hash() -> Outcome {
    let hash = nar_hash("sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73")?;
    let hex = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(nar_hash(hex), Ok(hash));
    let function = "sha512:00".to_owned();
    let error = NarinfoError::HashFunction(function.clone());
    assert_eq!(nar_hash(&function), Err(error));
    let (expected, got) = (52, 2);
    let error = NarinfoError::Hash(Base32Error::Length { expected, got });
    assert_eq!(nar_hash("sha256:00"), Err(error));
    Ok(())
}

#[test]
fn a_narinfo_that_is_not_whole_is_refused_for_its_reason() {
    use NarinfoError::{CarriageReturn, FollowsNoUrl, Line, Missing, NoCompression, Repeated};
    for (tail, error) in [
        ("", Missing("URL")),
        ("URL: nar/a\n", NoCompression("nar/a".to_owned())),
        ("Compression: none\n", FollowsNoUrl("Compression")),
        ("FileSize: 1\n", FollowsNoUrl("FileSize")),
        ("NarSize: 168\n", Repeated("NarSize")),
        ("References: \n", Repeated("References")),
        ("no field\n", Line(5)),
        ("Signature: 1;a;b\r\n", CarriageReturn),
    ] {
        assert_eq!(parse_with(tail), Err(error));
    }
    for size in ["+1", "-1", "", "1e3", "18446744073709551616"] {
        let error = NarinfoError::Size("FileSize", size.to_owned());
        let narinfo = parse_with(&format!("URL: nar/a\nFileSize: {size}\n"));
        assert_eq!(narinfo, Err(error));
    }
    let url = "URL: nar/a\nCompression: none\n";
    assert!(parse_with(&url.repeat(16)).is_ok());
    let many = parse_with(&url.repeat(17));
    assert_eq!(many, Err(NarinfoError::TooManyVariants));
    for field in ["StorePath", "NarHash", "NarSize", "References"] {
        let lines = HEAD.split_inclusive('\n');
        let rest: String = lines.filter(|line| !line.starts_with(field)).collect();
        let narinfo = Narinfo::parse(format!("{rest}{url}").as_bytes());
        assert_eq!(narinfo, Err(Missing(field)));
    }
    assert_eq!(Narinfo::parse(b"\xff"), Err(NarinfoError::NotUtf8));
    let large = vec![b'\n'; MAX_NARINFO_BYTES + 1];
    let error = NarinfoError::TooLarge(large.len());
    assert_eq!(Narinfo::parse(&large), Err(error));
}

#[test]
fn a_narinfo_for_another_item_does_not_match() -> Outcome {
    let narinfo = parse_with("URL: nar/a\nCompression: none\n")?;
    assert!(narinfo.matches(&"21q7lx382p28sibkw2l721ybjxymkh1a".parse()?));
    assert!(!narinfo.matches(&"y857mykfnc9vd1sc2lqz5g35l111fp71".parse()?));
    Ok(())
}

#[test]
fn the_lines_of_unwanted_variants_go_and_all_others_stay() -> Outcome {
    let whole = narinfo(HELLO)?;
    let (gzip, zstd, lzip) = (Compression::Gzip, Compression::Zstd, Compression::Lzip);
    let unchanged = [gzip.clone(), lzip.clone(), zstd.clone(), Compression::None];
    assert_eq!(whole.clone().preferring(&unchanged).bytes(), whole.bytes());
    for wanted in [
        vec![gzip.clone()],
        vec![zstd.clone(), lzip],
        vec![zstd, Compression::None],
    ] {
        let kept = whole.clone().preferring(&wanted);
        assert_eq!(kept.signed(), whole.signed());
        assert_eq!(kept.signature, whole.signature);
        let variants = whole.variants.iter();
        let variants = variants.filter(|variant| wanted.contains(&variant.compression));
        assert!(kept.variants.iter().eq(variants));
        let lines = |narinfo: &Narinfo| String::from_utf8_lossy(narinfo.bytes()).lines().count();
        let dropped = whole.variants.len() - kept.variants.len();
        assert_eq!(lines(&whole) - lines(&kept), 3 * dropped);
    }
    Ok(())
}

#[test]
fn fields_of_no_variant_stay_wherever_they_stand() -> Outcome {
    let signed = format!("{HEAD}Signature: 1;a;b\n");
    let gzip = "URL: nar/gzip/x\nCompression: gzip\nFileHash: sha256:1\n";
    let zstd = "URL: nar/zstd/x\nFileSize: 3\nCompression: zstd\n";
    let text = format!("{signed}{gzip}Note: a\n{zstd}Note: b");
    let narinfo = Narinfo::parse(text.as_bytes())?;
    let kept = narinfo.clone().preferring(&[Compression::Zstd]);
    let expected = format!("{signed}Note: a\n{zstd}Note: b");
    assert_eq!(kept.bytes(), expected.as_bytes());
    let kept = narinfo.preferring(&[Compression::Gzip]);
    let expected = format!("{signed}{gzip}Note: a\nNote: b");
    assert_eq!(kept.bytes(), expected.as_bytes());
    Ok(())
}

#[test]
fn a_narinfo_without_what_is_wanted_or_without_lines_to_drop_stays_as_it_is() -> Outcome {
    let narinfo = narinfo(HELLO)?;
    let none = narinfo.clone().preferring(&[Compression::None]);
    assert_eq!(none, narinfo);
    let text = String::from_utf8(narinfo.bytes().to_vec())?;
    let (signed, rest) = text.split_once("Signature:").ok_or("no signature")?;
    let (signature, urls) = rest.split_once('\n').ok_or("no line")?;
    let wanted = [Compression::Gzip];
    for text in [
        format!("{urls}{signed}Signature:{signature}\n"),
        format!("{signed}{urls}"),
    ] {
        let narinfo = Narinfo::parse(text.as_bytes())?;
        assert_eq!(narinfo.clone().preferring(&wanted), narinfo);
    }
    Ok(())
}

/// The same narinfo with a delta nar as its only variant.
fn replaced(narinfo: &Narinfo) -> Option<Narinfo> {
    narinfo.with_only_variant("nar/delta1/x", Compression::Zstd, 70)
}

#[test]
fn one_variant_takes_the_place_of_all_and_nothing_else_changes() -> Outcome {
    let listed = "URL: nar/delta1/x\nCompression: zstd\nFileSize: 70\n";
    let signed = format!("{HEAD}Signature: 1;a;b\n");
    let gzip = "URL: nar/gzip/x\nCompression: gzip\nFileHash: sha256:1\n";
    let zstd = "URL: nar/zstd/x\nFileSize: 3\nCompression: zstd";
    for (before, after) in [
        (
            format!("{signed}{gzip}{zstd}\n"),
            format!("{signed}{listed}"),
        ),
        // The last line may lack its end.
        (format!("{signed}{gzip}{zstd}"), format!("{signed}{listed}")),
        (
            format!("{signed}Note: a\n{gzip}Note: b\n{zstd}\nNote: c"),
            format!("{signed}Note: a\n{listed}Note: b\nNote: c"),
        ),
        // Nothing of it is signed.
        (format!("{gzip}{HEAD}"), format!("{listed}{HEAD}")),
    ] {
        let narinfo = Narinfo::parse(before.as_bytes())?;
        let replaced = replaced(&narinfo).ok_or("it is not replaced")?;
        assert_eq!(String::from_utf8_lossy(replaced.bytes()), after);
        assert_eq!(replaced.signed(), narinfo.signed());
        let variant = variant("nar/delta1/x", Compression::Zstd, 70);
        assert_eq!(replaced.variants, [variant]);
    }
    Ok(())
}

#[test]
fn a_signed_variant_is_not_replaced() -> Outcome {
    let url = "URL: nar/gzip/x\nCompression: gzip\n";
    let size = "FileSize: 3\n";
    for text in [
        // The order of 2018.
        format!("{HEAD}{url}{size}Signature: 1;a;b\n"),
        // One that is signed beside one that is not.
        format!("{HEAD}{url}Signature: 1;a;b\nURL: nar/x\nCompression: none\n"),
        // A field of a variant without its URL.
        format!("{HEAD}FileHash: sha256:1\nSignature: 1;a;b\n{url}"),
        // Clients cut the signed part in the middle of this line.
        format!("{HEAD}Note: Signature: 1;a;b\n{url}"),
    ] {
        let narinfo = Narinfo::parse(text.as_bytes())?;
        assert_eq!(replaced(&narinfo), None, "{text}");
    }
    assert_eq!(replaced(&narinfo(FARMS_OWN)?), None);
    Ok(())
}
