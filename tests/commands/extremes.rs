//! The largest numbers that an upstream can write: they are compared, never
//! counted with blindly.

use crate::support::{Mirror, RawServer, TestNode, Upstream};
use std::io::Write;

on_both_nodes!(
    the_largest_sizes_of_a_narinfo_are_refused_or_taken,
    the_largest_numbers_of_an_answers_head_are_survived,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";
const GZIP: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";
const MOST: &str = "18446744073709551615";

/// Sets the values of a field in HELLO's narinfo and in EMPTY's.
fn set(upstream: &Upstream, field: &str, value: &str) {
    for hash in [HELLO, EMPTY] {
        upstream.edit(&format!("{hash}.narinfo"), |narinfo| {
            let narinfo = String::from_utf8(narinfo).unwrap();
            let lines = narinfo.lines().map(|line| match line.split_once(": ") {
                Some((name, _)) if name == field => format!("{field}: {value}\n"),
                _ => format!("{line}\n"),
            });
            lines.collect::<String>().into_bytes()
        });
    }
}

fn the_largest_sizes_of_a_narinfo_are_refused_or_taken(node: &TestNode) {
    for (number, (field, value)) in [
        ("FileSize", MOST),
        ("NarSize", MOST),
        ("FileSize", "18446744073709551616"),
        ("NarSize", "9223372036854775808"),
        ("FileSize", "0"),
        ("NarSize", "0"),
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = Upstream::of_fixtures();
        set(&upstream, field, value);
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--key extreme-{number} -v");
        for limits in ["", "--max-bytes 1G --max-nar-size 1G", "--dry-run"] {
            let run = mirror.run(&format!("add {HELLO} {EMPTY} {options} {limits}"));
            assert!(matches!(run.code, Some(0 | 3)), "{field} {value}: {run:?}");
            assert!(!run.err.contains("panicked"), "{field} {value}: {run:?}");
        }
        let listed = mirror.run(&format!("resolve --list --key extreme-{number}"));
        assert_eq!(listed.exits(0).out, "", "{field} {value}");
    }
}

fn the_largest_numbers_of_an_answers_head_are_survived(node: &TestNode) {
    for (number, head) in [
        format!("200 OK\r\nContent-Length: {MOST}"),
        format!("200 OK\r\nContent-Length: {MOST}0"),
        "200 OK\r\nContent-Length: -1".to_owned(),
        "200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx".to_owned(),
        format!("503 Busy\r\nContent-Length: 0\r\nRetry-After: {MOST}"),
        format!("503 Busy\r\nContent-Length: 0\r\nRetry-After: {MOST}0"),
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = Upstream::of_fixtures();
        for (at, path) in [GZIP.to_owned(), format!("{HELLO}.narinfo")]
            .into_iter()
            .enumerate()
        {
            let head = head.clone();
            let server = RawServer::at_first(usize::MAX, &upstream, &path, move |_, client| {
                write!(client, "HTTP/1.1 {head}\r\n\r\nx")
            });
            let mirror = Mirror::new(node, &upstream);
            let key = format!("--key head-{number}-{at}");
            let run = mirror.run(&format!("add {HELLO} {key} --upstream {}", server.url));
            assert_eq!(run.code, Some(3), "{path} {number}: {run:?}");
            assert!(!run.err.contains("panicked"), "{path} {number}: {run:?}");
        }
    }
}
