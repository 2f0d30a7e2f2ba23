use std::fs;

use super::*;
use crate::guix::TrustedKeys;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const FARMS_OWN: &str = "farm/y857mykfnc9vd1sc2lqz5g35l111fp71.narinfo";
const HELLO: &str = "substitute-server/21q7lx382p28sibkw2l721ybjxymkh1a.narinfo";

fn keys(file: &str) -> Result<TrustedKeys, Box<dyn std::error::Error>> {
    Ok(TrustedKeys::parse(&fs::read(format!(
        "{FIXTURES}/{file}"
    ))?)?)
}

fn bytes(file: &str) -> std::io::Result<Vec<u8>> {
    fs::read(format!("{FIXTURES}/{file}"))
}

/// The narinfo with something else for its signature's s-expression.
fn with_sexp(
    file: &str,
    edit: impl Fn(&str) -> String,
) -> Result<Narinfo, Box<dyn std::error::Error>> {
    let text = String::from_utf8(bytes(file)?)?;
    let (head, rest) = text.split_once("Signature: 1;").ok_or("no signature")?;
    let (value, tail) = rest.split_once('\n').ok_or("no line")?;
    let (host, base64) = value.split_once(';').ok_or("no host")?;
    let sexp = String::from_utf8(BASE64.decode(base64)?)?;
    let base64 = BASE64.encode(edit(&sexp));
    let text = format!("{head}Signature: 1;{host};{base64}\n{tail}");
    Ok(Narinfo::parse(text.as_bytes())?)
}

#[test]
fn the_farms_own_narinfo_verifies_and_fails_with_any_byte_changed() -> Outcome {
    let farm = TrustedKeys::of_server("https://ci.guix.gnu.org");
    let whole = bytes(FARMS_OWN)?;
    let narinfo = Narinfo::parse(&whole)?;
    assert_eq!(farm.check(&narinfo), Ok(()));
    let signature =
        |narinfo: &Narinfo| Signature::parse(narinfo.signature.as_deref().unwrap_or(""));
    let signed = narinfo.signed().map_or(0, <[u8]>::len);
    let mut refused = 0;
    for at in 0..whole.len() {
        for flip in [0x01, 0x20] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            let Ok(changed) = Narinfo::parse(&changed) else {
                continue;
            };
            match farm.check(&changed) {
                Err(_) => refused += 1,
                // Only the host's name, which is nobody's word, and the spelling
                // of the s-expression may be others.
                Ok(()) => assert!(at > signed && signature(&changed) == signature(&narinfo)),
            }
        }
    }
    assert!(refused > whole.len(), "{refused}");
    Ok(())
}

#[test]
fn every_narinfo_of_the_fixtures_verifies_with_its_servers_key_and_no_other() -> Outcome {
    let own = keys("signing-key.pub")?;
    let farm = TrustedKeys::of_server("https://ci.guix.gnu.org");
    let mut seen = 0;
    for entry in fs::read_dir(format!("{FIXTURES}/substitute-server"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "narinfo") {
            let narinfo = Narinfo::parse(&fs::read(&path)?)?;
            assert_eq!(own.check(&narinfo), Ok(()), "{}", path.display());
            let untrusted = farm.check(&narinfo);
            assert_eq!(untrusted, Err(SignatureError::Untrusted(own.keys()[0])));
            seen += 1;
        }
    }
    assert_eq!(seen, 10);
    Ok(())
}

#[test]
fn each_way_to_be_wrong_is_told_from_the_others() -> Outcome {
    let own = keys("signing-key.pub")?;
    let key = own.keys()[0];
    let text = String::from_utf8(bytes(HELLO)?)?;
    let line = text
        .lines()
        .find(|line| line.starts_with("Signature:"))
        .ok_or("no line")?;
    let verdict = |text: &str| {
        Ok::<_, Box<dyn std::error::Error>>(own.check(&Narinfo::parse(text.as_bytes())?))
    };
    for (from, to, error) in [
        (line, "", SignatureError::Unsigned),
        (line, "Signature: ", SignatureError::Unsigned),
        (
            "Signature: 1;",
            "Signature: 2;",
            SignatureError::Version("2".to_owned()),
        ),
        (line, "Signature: 1", SignatureError::NotBase64),
        (line, "Signature: 1;vm;%", SignatureError::NotBase64),
        (
            line,
            "Signature: 1;vm;eA==",
            SignatureError::Malformed(SexpError::Character(0)),
        ),
        ("NarSize: 168", "NarSize: 169", SignatureError::Changed(key)),
        (
            "References: ",
            "X: Signature: 1;\nReferences: ",
            SignatureError::Misplaced,
        ),
    ] {
        let text = text.replacen(from, to, 1).replace("\n\n", "\n");
        assert_eq!(verdict(&text)?, Err(error), "{to}");
    }
    let after = format!("{text}Extra: unsigned\n");
    assert_eq!(
        verdict(&after)?,
        Ok(()),
        "what follows the signature is not its matter"
    );
    Ok(())
}

#[test]
fn a_look_alike_in_the_signature_is_refused() -> Outcome {
    let own = keys("signing-key.pub")?;
    let key = own.keys()[0];
    let other = TrustedKeys::of_server("https://ci.guix.gnu.org").keys()[0];
    let edits: [(&str, String, SexpError); 9] = [
        ("(data", "(data)(data".into(), SexpError::Repeated("data")),
        (
            "(flags",
            "(hash sha256 #00#)(flags".into(),
            SexpError::Repeated("hash"),
        ),
        (
            "(public-key",
            format!("(public-key (ecc (curve Ed25519)(q {other})))(public-key"),
            SexpError::Repeated("public-key"),
        ),
        ("(r ", "(r #01#)(r ".into(), SexpError::Repeated("r")),
        ("(curve", "(q #01#)(curve".into(), SexpError::Repeated("q")),
        (
            "(flags",
            "(x (hash sha256 #00#))(flags".into(),
            SexpError::Stray {
                name: "data",
                what: "(x …)".into(),
            },
        ),
        (
            "(flags rfc6979",
            "(flags eddsa".into(),
            SexpError::Value("flags"),
        ),
        ("sha256", "sha1".into(), SexpError::Value("hash")),
        (
            "(ecdsa",
            "(rsa".into(),
            SexpError::Stray {
                name: "sig-val",
                what: "(rsa …)".into(),
            },
        ),
    ];
    for (from, to, error) in edits {
        let narinfo = with_sexp(HELLO, |sexp| sexp.replacen(from, &to, 1))?;
        assert_eq!(
            own.check(&narinfo),
            Err(SignatureError::Malformed(error)),
            "{to}"
        );
    }
    let one_line = with_sexp(HELLO, |sexp| {
        sexp.split_whitespace().collect::<Vec<_>>().join(" ")
    })?;
    assert_eq!(own.check(&one_line), Ok(()));
    let many = with_sexp(HELLO, |sexp| {
        sexp.split_whitespace().collect::<Vec<_>>().join("\n\t")
    })?;
    assert_eq!(own.check(&many), Ok(()));
    let longer = with_sexp(HELLO, |sexp| sexp.replacen("(r #", "(r #00", 1))?;
    assert_eq!(own.check(&longer), Ok(()), "leading zeros change no number");
    for number in ["(r ", "(s "] {
        let wrong = with_sexp(HELLO, |sexp| {
            sexp.replacen(number, &format!("{number}#00#)(x "), 1)
        })?;
        assert!(own.check(&wrong).is_err());
        // 2^256 is far above the order.
        let large = with_sexp(HELLO, |sexp| {
            sexp.replacen(
                &format!("{number}#"),
                &format!("{number}#01{}", "00".repeat(32)),
                1,
            )
        })?;
        assert_eq!(own.check(&large), Err(SignatureError::Wrong(key)));
    }
    Ok(())
}

#[test]
fn a_number_and_its_other_representatives_are_told_apart() -> Outcome {
    let own = keys("signing-key.pub")?;
    let narinfo = Narinfo::parse(&bytes(HELLO)?)?;
    let value = narinfo.signature.as_deref().unwrap_or_default();
    let Signature { key, hash, r, s } = Signature::parse(value)?;
    assert_eq!(own.keys(), [key]);
    let order = &*ORDER;
    let zero = BigUint::ZERO;
    assert!(key.signed(&hash, &r, &s));
    // On an Edwards curve the negative of a point has another x, so that the
    // negative s is no second signature.
    assert!(!key.signed(&hash, &r, &(order - &s)));
    for (r, s) in [
        (&r + order, s.clone()),
        (r.clone(), &s + order),
        (zero.clone(), s.clone()),
        (r.clone(), zero),
    ] {
        assert!(!key.signed(&hash, &r, &s));
    }
    Ok(())
}

#[test]
fn x_is_that_of_the_base_point() {
    // RFC 8032, section 5.1.
    let known = "15112221349535400772501151409588531511454012693041857206046113283949847762202";
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    assert_eq!(x(&base).to_string(), known);
    assert_eq!(x(&-base) + x(&base), *PRIME);
}
