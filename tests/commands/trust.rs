//! Whose word is believed: narinfos must be signed where a key is known.

use crate::support::{Mirror, TestNode, Upstream, fixture, fixture_roots};

on_both_nodes!(
    what_a_trusted_key_signed_is_mirrored_and_nothing_else,
    keys_are_read_from_every_kind_of_file,
    keys_of_other_kinds_are_passed_over_and_said_once,
    what_is_not_checked_is_said_at_init_and_by_resolve,
    keys_that_nobody_asks_for_need_not_be_read,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";
/// The key of the fixtures, `signing-key.pub`.
const KEY: &str = "#07AA2C7F570F1AE90858044589335CFA5A864703993825F0F902AAF347DA4447#";

fn keys(file: &str) -> String {
    format!("--trusted-keys {}", fixture(file).display())
}

fn what_a_trusted_key_signed_is_mirrored_and_nothing_else(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let own = keys("signing-key.pub");
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("sync {own}")).silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);

    let farm = keys("farm/ci.guix.gnu.org.pub");
    let untrusted = format!("its narinfo is signed by the key {KEY}, which is not trusted");
    let run = mirror.run(&format!("add {HELLO} --key farm {farm}"));
    run.exits(3).says(HELLO).says(&untrusted);

    let changed = format!("its narinfo was changed after the key {KEY} signed it");
    let wrong = format!("its signature was not made by the key {KEY}, as it claims");
    let signature_of_empty = upstream.get(&format!("{EMPTY}.narinfo"));
    let signature_of_empty = signature(&signature_of_empty);
    let original = upstream.get(&format!("{HELLO}.narinfo"));
    let own_signature = signature(&original);
    let edits: [(&str, &str, &str); 4] = [
        ("NarSize: 168", "NarSize: 169", &changed),
        ("rig-hello.txt", "rig-hallo.txt", &changed),
        (&own_signature, "Signature: ", "its narinfo is not signed"),
        (&own_signature, &signature_of_empty, &changed),
    ];
    for (number, (from, to, said)) in edits.into_iter().enumerate() {
        upstream.set(&format!("{HELLO}.narinfo"), original.clone());
        upstream.edit_text(HELLO, from, to);
        let key = format!("--key edit-{number}");
        let run = mirror.run(&format!("add {HELLO} {EMPTY} {key} {own}"));
        run.exits(3).says(HELLO).says(said);
        let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
        assert_eq!(listed, format!("/gnu/store/{EMPTY}-rig-empty\n"));
    }
    // A base64 digit of the signature's numbers.
    upstream.set(&format!("{HELLO}.narinfo"), original);
    let digit = number_changed(&own_signature);
    upstream.edit_text(HELLO, &own_signature, &digit);
    let run = mirror.run(&format!("add {HELLO} --key edit-r {own}"));
    run.exits(3).says(HELLO).says(&wrong);
}

/// The `Signature:` line of a narinfo.
fn signature(narinfo: &[u8]) -> String {
    let text = String::from_utf8(narinfo.to_vec()).unwrap();
    let mut lines = text.lines();
    lines
        .find(|line| line.starts_with("Signature:"))
        .unwrap()
        .to_owned()
}

/// A signature line whose r is another number.
fn number_changed(line: &str) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let (head, value) = line.rsplit_once(';').unwrap();
    let sexp = String::from_utf8(base64.decode(value).unwrap()).unwrap();
    let at = sexp.find("(r #").unwrap() + 10;
    let digit = if sexp.as_bytes()[at] == b'0' {
        "1"
    } else {
        "0"
    };
    let sexp = format!("{}{digit}{}", &sexp[..at], &sexp[at + 1..]);
    format!("{head};{}", base64.encode(sexp))
}

fn keys_are_read_from_every_kind_of_file(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let own = std::fs::read_to_string(fixture("signing-key.pub")).unwrap();
    let farm = std::fs::read_to_string(fixture("farm/ci.guix.gnu.org.pub")).unwrap();
    let file = mirror.home().join("keys");
    let option = format!("--trusted-keys {}", file.display());
    for (number, text) in [
        format!("{farm}\n{own}"),
        format!("(acl (entry {farm} (tag (guix import))) (entry {own} (tag (guix import))))"),
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&file, text).unwrap();
        let key = format!("--key kind-{number}");
        mirror
            .run(&format!("add {EMPTY} {key} {option}"))
            .silently();
    }
    let farm_and_own = format!(
        "{} {}",
        keys("farm/ci.guix.gnu.org.pub"),
        keys("signing-key.pub")
    );
    mirror
        .run(&format!("add {EMPTY} --key both {farm_and_own}"))
        .silently();
    for (text, said) in [
        ("", "there is no public key in it"),
        ("(public-key (rsa (n #00#)))", "1 × RSA"),
        ("not a key", "expected (public-key"),
    ] {
        std::fs::write(&file, text).unwrap();
        let run = mirror.run(&format!("sync {option}"));
        run.exits(1)
            .says("cannot read trusted keys from")
            .says(said);
    }
    std::fs::remove_file(&file).unwrap();
    let run = mirror.run(&format!("sync {option}"));
    run.exits(1)
        .says("cannot read trusted keys from")
        .says("No such file");
}

fn keys_of_other_kinds_are_passed_over_and_said_once(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let own = std::fs::read_to_string(fixture("signing-key.pub")).unwrap();
    let rsa = std::fs::read_to_string(fixture("acl/rsa.pub")).unwrap();
    let entry = |key: &str| format!("  (entry {key} (tag (guix import)))\n");
    let nist = "(public-key (ecc (curve \"NIST P-256\") (q #04AA#)))";
    let broken = "(public-key (ecc (curve Ed25519) (q #04AA#)))";
    let acl = |keys: &[&str]| {
        let entries: String = keys.iter().map(|key| entry(key)).collect();
        format!("\u{feff}; by hand: \"(acl\n(acl ; all of it\n{entries})").replace('\n', "\r\n")
    };
    let file = mirror.home().join("acl");
    let option = format!("--trusted-keys {}", file.display());
    for (number, (text, said)) in [
        (acl(&[&rsa, &own]), "keys ignored: 1 × RSA"),
        (
            acl(&[&own, nist, &rsa, nist]),
            "keys ignored: 2 × NIST P-256, 1 × RSA",
        ),
        (acl(&[broken, &own]), "keys ignored: 1 × broken key"),
        (format!("{rsa}{own}"), "keys ignored: 1 × RSA"),
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&file, text).unwrap();
        let key = format!("--key passed-over-{number}");
        mirror
            .run(&format!("add {EMPTY} {key} {option}"))
            .silently();
        let run = mirror.run(&format!("add {EMPTY} -v {key} {option}"));
        let run = run
            .exits(0)
            .says(&format!("{}: ", file.display()))
            .says(said);
        assert_eq!(run.err.matches("keys ignored").count(), 1, "{run:?}");
        let farm = keys("farm/ci.guix.gnu.org.pub");
        let run = mirror.run(&format!("add {HELLO} {key} {farm}"));
        run.exits(3).says("which is not trusted");
    }
    for (text, said) in [
        (acl(&[&rsa, nist]), "1 × NIST P-256, 1 × RSA"),
        (acl(&[&own]).replace("))", ")"), "is not closed"),
    ] {
        std::fs::write(&file, text).unwrap();
        let run = mirror.run(&format!("sync {option}")).exits(1);
        run.says("cannot read trusted keys from").says(said);
    }
}

fn what_is_not_checked_is_said_at_init_and_by_resolve(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let unchecked = format!(
        "signatures of {} are not checked, hashes are",
        upstream.url()
    );
    let run = mirror.run("init -v").exits(0).says(&unchecked);
    assert_eq!(run.err.matches("signatures of").count(), 1, "{run:?}");
    let long = mirror.run("resolve --long").exits(0).out;
    assert!(long.contains(&unchecked), "{long}");
    let sync = mirror.run("sync -v").exits(0);
    assert!(!sync.err.contains("signatures of"), "{sync:?}");
    let own = keys("signing-key.pub");
    let long = mirror.run(&format!("resolve --long {own}")).exits(0).out;
    let checked = format!("signatures of {} are checked by {KEY}", upstream.url());
    assert!(long.contains(&checked), "{long}");
    let official = mirror.run("resolve --long --upstream https://ci.guix.gnu.org");
    let farm = "are checked by #8D156F295D24B0D9A86FA5741A840FF2D24F60F7B6C4134814AD55625971B394#";
    assert!(official.out.contains(farm), "{official:?}");
}

fn keys_that_nobody_asks_for_need_not_be_read(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync --no-closure").silently();
    let root = format!("/ipfs/{}\n", fixture_roots(0)[1]);
    let empty = mirror.home().join("empty");
    std::fs::write(&empty, "").unwrap();
    for keys in ["/nowhere", "/", empty.to_str().unwrap()] {
        let keys = format!("--trusted-keys {keys}");
        assert_eq!(mirror.run(&format!("resolve {keys}")).exits(0).out, root);
        let listed = mirror.run(&format!("resolve --list {keys}")).exits(0).out;
        assert_eq!(listed.lines().collect::<Vec<_>>(), mirror.list());
        for command in ["resolve --long", "sync"] {
            let run = mirror.run(&format!("{command} {keys}")).exits(1);
            run.says("cannot read trusted keys from");
        }
    }
}
