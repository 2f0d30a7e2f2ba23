use super::*;
use crate::guix::TrustedKeys;
use crate::guix::fixtures::{FARMS_OWN, HELLO, Outcome, keys, narinfo, narinfos, read};

/// A narinfo with its signature's s-expression edited.
fn with_sexp(edit: impl Fn(&str) -> String) -> Outcome<Narinfo> {
    let text = String::from_utf8(read(HELLO)?)?;
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
    let whole = read(FARMS_OWN)?;
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
                // Only the host's name, which is not signed, and the spelling of the
                // s-expression may differ.
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
    let narinfos = narinfos("substitute-server")?;
    assert_eq!(narinfos.len(), 10);
    for (hash, narinfo) in narinfos {
        assert_eq!(own.check(&narinfo), Ok(()), "{hash}");
        let untrusted = SignatureError::Untrusted(own.keys()[0]);
        assert_eq!(farm.check(&narinfo), Err(untrusted), "{hash}");
    }
    Ok(())
}

#[test]
fn each_way_to_be_wrong_is_told_from_the_others() -> Outcome {
    use SignatureError::{Changed, Malformed, Misplaced, NotBase64, Unsigned, Version};
    let own = keys("signing-key.pub")?;
    let key = own.keys()[0];
    let text = String::from_utf8(read(HELLO)?)?;
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with("Signature:"));
    let line = line.ok_or("no line")?;
    let check = |text: &str| Outcome::Ok(own.check(&Narinfo::parse(text.as_bytes())?));
    let not_a_list = Malformed(SexpError::Character(0));
    for (from, to, error) in [
        (line, "", Unsigned),
        (line, "Signature: ", Unsigned),
        ("Signature: 1;", "Signature: 2;", Version("2".to_owned())),
        (line, "Signature: 1", NotBase64),
        (line, "Signature: 1;vm;%", NotBase64),
        (line, "Signature: 1;vm;eA==", not_a_list),
        ("NarSize: 168", "NarSize: 169", Changed(key)),
        ("References: ", "X: Signature: 1;\nReferences: ", Misplaced),
    ] {
        let text = text.replacen(from, to, 1).replace("\n\n", "\n");
        assert_eq!(check(&text)?, Err(error), "{to}");
    }
    // Lines after the signature are not signed.
    assert_eq!(check(&format!("{text}Extra: unsigned\n"))?, Ok(()));
    Ok(())
}

#[test]
fn a_look_alike_in_the_signature_is_refused() -> Outcome {
    use SexpError::{Repeated, Stray, Value};
    let own = keys("signing-key.pub")?;
    let key = own.keys()[0];
    let other = TrustedKeys::of_server("https://ci.guix.gnu.org").keys()[0];
    let other = format!("(public-key (ecc (curve Ed25519)(q {other})))(public-key");
    let stray_hash = "(x (hash sha256 #00#))(flags";
    let edits = [
        ("(data", "(data)(data", Repeated("data")),
        ("(flags", "(hash sha256 #00#)(flags", Repeated("hash")),
        ("(public-key", &other, Repeated("public-key")),
        ("(r ", "(r #01#)(r ", Repeated("r")),
        ("(curve", "(q #01#)(curve", Repeated("q")),
        ("(flags", stray_hash, Stray("data", "(x …)".to_owned())),
        ("(flags rfc6979", "(flags eddsa", Value("flags")),
        ("sha256", "sha1", Value("hash")),
        ("(ecdsa", "(rsa", Stray("sig-val", "(rsa …)".to_owned())),
    ];
    for (from, to, error) in edits {
        let narinfo = with_sexp(|sexp| sexp.replacen(from, to, 1))?;
        let error = SignatureError::Malformed(error);
        assert_eq!(own.check(&narinfo), Err(error), "{to}");
    }
    for space in [" ", "\n\t"] {
        let spaced = with_sexp(|sexp| sexp.split_whitespace().collect::<Vec<_>>().join(space))?;
        assert_eq!(own.check(&spaced), Ok(()));
    }
    let longer = with_sexp(|sexp| sexp.replacen("(r #", "(r #00", 1))?;
    assert_eq!(own.check(&longer), Ok(()), "leading zeros change no number");
    for number in ["(r #", "(s #"] {
        let wrong = with_sexp(|sexp| sexp.replacen(number, &format!("{number}00#)(x #"), 1))?;
        assert!(own.check(&wrong).is_err());
        // 2^256 is far above the order.
        let large = format!("{number}01{}", "00".repeat(32));
        let large = with_sexp(|sexp| sexp.replacen(number, &large, 1))?;
        assert_eq!(own.check(&large), Err(SignatureError::Wrong(key)));
    }
    Ok(())
}

#[test]
fn a_number_and_its_other_representatives_are_told_apart() -> Outcome {
    let own = keys("signing-key.pub")?;
    let narinfo = narinfo(HELLO)?;
    let value = narinfo.signature.as_deref().unwrap_or_default();
    let Signature { key, hash, r, s } = Signature::parse(value)?;
    assert_eq!(own.keys(), [key]);
    let order = &*ORDER;
    let zero = BigUint::ZERO;
    assert!(key.signed(&hash, &r, &s));
    // On an Edwards curve the negative of a point has another x, so that the negative s
    // is not a second signature.
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
fn the_base_point_and_its_negative_have_their_own_x() -> Outcome {
    // RFC 8032, section 5.1.
    let known = "15112221349535400772501151409588531511454012693041857206046113283949847762202";
    let x: BigUint = known.parse()?;
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    for (point, x) in [(base, x.clone()), (-base, &*PRIME - x)] {
        let r = &x % &*ORDER;
        assert!(has_x(&point, &r));
        assert!(!has_x(&-point, &r));
        assert!(!has_x(&point, &(r + 1u8)));
    }
    Ok(())
}
