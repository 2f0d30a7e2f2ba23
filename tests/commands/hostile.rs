//! Attacks of an upstream: each is refused with its reason, and nothing of it
//! is linked.

use crate::support::{Mirror, RawServer, TestNode, Upstream};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::net::TcpStream;

on_both_nodes!(
    what_an_upstream_answers_is_refused_with_its_reason,
    what_an_upstream_sends_without_an_end_is_refused_with_its_reason,
    names_that_are_no_plain_paths_are_refused,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";
const GZIP: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";

/// An attack of an upstream, and a part of the message about it.
type Trick = (&'static str, fn(&Upstream), &'static str);

const TRICKS: [Trick; 8] = [
    (
        "a narinfo of more than a MiB",
        |upstream| {
            upstream.edit(&narinfo(HELLO), |mut narinfo| {
                narinfo.extend_from_slice(b"Note: ");
                narinfo.resize((1 << 20) + 1, b'x');
                narinfo
            });
        },
        "larger than 1048576 bytes",
    ),
    (
        "a narinfo with more nars than there are compressions",
        |upstream| {
            upstream.edit(&narinfo(HELLO), |mut narinfo| {
                for number in 0..20 {
                    write!(narinfo, "URL: nar/{number}/x\nCompression: none\n").unwrap();
                }
                narinfo
            });
        },
        "more than 16 URLs",
    ),
    (
        "a narinfo with CRLF line ends",
        |upstream| upstream.edit_text(HELLO, "\n", "\r\n"),
        "carriage returns",
    ),
    (
        "a bomb",
        |upstream| {
            let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
            bomb.write_all(&vec![0; 8 << 20]).unwrap();
            upstream.set(GZIP, bomb.finish().unwrap());
            without_file_sizes(upstream);
        },
        "longer than its NarSize of 168 bytes",
    ),
    (
        "a FileSize that is too small",
        |upstream| upstream.edit(GZIP, |nar| [nar, b"and more".to_vec()].concat()),
        "longer than its FileSize",
    ),
    (
        "a FileSize that is too large",
        |upstream| upstream.edit_text(HELLO, "FileSize: ", "FileSize: 9"),
        "its FileSize is 9",
    ),
    (
        "one path in two spellings",
        |upstream| {
            upstream.edit(&narinfo(HELLO), |mut narinfo| {
                let again = GZIP.replace("rig", "%72ig");
                write!(narinfo, "URL: {again}\nCompression: gzip\n").unwrap();
                narinfo
            });
        },
        "for two nars at once",
    ),
    (
        "a nar where a directory belongs",
        |upstream| {
            upstream.edit(&narinfo(HELLO), |mut narinfo| {
                narinfo.extend_from_slice(b"URL: nar/gzip\nCompression: gzip\n");
                narinfo
            });
        },
        "nar/gzip is the directory of a compression",
    ),
];

fn narinfo(hash: &str) -> String {
    format!("{hash}.narinfo")
}

fn without_file_sizes(upstream: &Upstream) {
    upstream.edit(&narinfo(HELLO), |narinfo| {
        let lines = narinfo.split_inclusive(|&byte| byte == b'\n');
        let lines = lines.filter(|line| !line.starts_with(b"FileSize"));
        lines.flatten().copied().collect()
    });
}

/// The root that holds nothing hostile: that of EMPTY alone.
fn clean_root(node: &TestNode) -> String {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("add {EMPTY} --key clean")).silently();
    mirror.run("resolve --key clean").exits(0).out
}

fn what_an_upstream_answers_is_refused_with_its_reason(node: &TestNode) {
    let clean = clean_root(node);
    for (number, (what, play, said)) in TRICKS.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        play(&upstream);
        let mirror = Mirror::new(node, &upstream);
        let graft = ["add-link", "car"][number % 2];
        let options = format!("--key trick-{number} --graft {graft}");
        let run = mirror.run(&format!("add {HELLO} {EMPTY} {options}"));
        eprintln!("{what}, {graft}: {run:?}");
        run.exits(3).says(HELLO).says(said);
        let resolved = mirror.run(&format!("resolve --key trick-{number}"));
        assert_eq!(resolved.exits(0).out, clean, "{what}");
    }
}

/// Bytes that go on for ever.
fn for_ever(client: &mut TcpStream, head: &[u8], again: &[u8]) -> io::Result<()> {
    client.write_all(head)?;
    let again = again.repeat(1000);
    loop {
        client.write_all(&again)?;
    }
}

fn what_an_upstream_sends_without_an_end_is_refused_with_its_reason(node: &TestNode) {
    let clean = clean_root(node);
    let tricks: [(&str, String, crate::support::RawAnswer, &str); 4] = [
        (
            "a flood of headers",
            narinfo(HELLO),
            |client| for_ever(client, b"HTTP/1.1 200 OK\r\n", b"X-Flood: water\r\n"),
            "is malformed",
        ),
        (
            "an endless header",
            narinfo(HELLO),
            |client| for_ever(client, b"HTTP/1.1 200 OK\r\nX-Flood: ", b"water"),
            "is malformed",
        ),
        (
            "an endless narinfo",
            narinfo(HELLO),
            |client| for_ever(client, b"HTTP/1.1 200 OK\r\n\r\n", b"StorePath: x\n"),
            "larger than 1048576 bytes",
        ),
        (
            "an endless nar that holds nothing",
            GZIP.to_owned(),
            |client| {
                let empty = GzEncoder::new(Vec::new(), Compression::best()).finish()?;
                for_ever(client, b"HTTP/1.1 200 OK\r\n\r\n", &empty)
            },
            "more than a nar of its NarSize can take",
        ),
    ];
    for (number, (what, path, answer, said)) in tricks.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        without_file_sizes(&upstream);
        let server = RawServer::new(&upstream, &path, answer);
        let mirror = Mirror::new(node, &upstream);
        let key = format!("--key endless-{number}");
        let options = format!("{key} --upstream {}", server.url);
        let run = mirror.run(&format!("add {HELLO} {EMPTY} {options}"));
        eprintln!("{what}: {run:?}");
        run.exits(3).says(HELLO).says(said);
        let root = mirror.run(&format!("resolve {key}")).exits(0).out;
        assert_eq!(root, clean, "{what}");
    }
}

fn names_that_are_no_plain_paths_are_refused(node: &TestNode) {
    let long = format!("nar/gzip/{}", "x".repeat(256));
    let names = [
        ("nar/gzip/a%2Fb", "contains a slash once decoded"),
        ("nar/gzip/../../x", "'.' or '..'"),
        ("nar/%2E%2e/x", "'.' or '..'"),
        ("nar/gzip/a%00", "control character"),
        ("nar/gzip/a%0Ab", "control character"),
        ("nar/gzip/a%7F", "control character"),
        (long.as_str(), "256 bytes once decoded"),
        ("nar/gzip/a%252Fb", "percent-encoded twice"),
        ("nar/gzip/%FF", "not UTF-8 once decoded"),
        ("nar/gzip//x", "empty component"),
        ("nix-cache-info", "does not begin with nar/"),
        ("http://elsewhere.example/nar/x", "is absolute"),
        ("//elsewhere.example/nar/x", "is absolute"),
        ("file:nar/x", "is absolute"),
        ("nar/gzip/a?b", "has a query"),
    ];
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("add {EMPTY}")).silently();
    let root = mirror.root();
    let original = upstream.get(&narinfo(HELLO));
    for (name, said) in names {
        upstream.set(&narinfo(HELLO), original.clone());
        upstream.edit_text(HELLO, GZIP, name);
        let run = mirror.run(&format!("add {HELLO}"));
        run.exits(3).says(HELLO).says(said);
        assert_eq!(mirror.root(), root, "{name}");
    }
    let asked = upstream.asked();
    let nars = asked.iter().filter(|path| path.starts_with("nar/"));
    assert!(nars.clone().all(|path| path.contains(EMPTY)), "{asked:?}");
}
