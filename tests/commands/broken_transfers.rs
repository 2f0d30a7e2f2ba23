//! Transfers that break off, and pages that stand in the place of files: they are
//! asked for again, and never taken for files that differ.

use crate::support::{Mirror, RawServer, TestNode, Upstream, fixture_roots};
use serde_json::Value;
use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

on_both_nodes!(
    a_nar_that_does_not_come_whole_is_asked_for_again,
    a_narinfo_that_does_not_come_whole_is_asked_for_again,
    what_never_comes_whole_is_tried_three_times_and_not_refused,
    a_whole_file_that_is_another_is_refused_at_once,
    a_nar_that_the_server_lacks_is_broken_and_not_refused,
    a_connection_that_stays_open_ends_with_the_nar,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
/// Not worth compressing: its narinfo lists `none` alone.
const SOURCE: &str = "hz8xc542z4ycr7z1b9b81g2aqh455gsk";
const UNPACKED: &str = "nar/hz8xc542z4ycr7z1b9b81g2aqh455gsk-rig-source-1.0.tar.gz";
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Down for maintenance</body></html>\n";

fn nar(compression: &str) -> String {
    format!("nar/{compression}/{HELLO}-rig-hello.txt")
}

fn narinfo(hash: &str) -> String {
    format!("{hash}.narinfo")
}

fn without_file_sizes(upstream: &Upstream, hash: &str) {
    upstream.edit(&narinfo(hash), |narinfo| {
        let lines = narinfo.split_inclusive(|&byte| byte == b'\n');
        let lines = lines.filter(|line| !line.starts_with(b"FileSize"));
        lines.flatten().copied().collect()
    });
}

/// A body whose end nothing but the end of the connection marks.
fn unmarked(client: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    client.write_all(body)
}

/// A body with its length.
fn marked(client: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    )?;
    client.write_all(body)
}

fn half(content: &[u8]) -> Vec<u8> {
    content[..content.len() / 2].to_vec()
}

fn a_nar_that_does_not_come_whole_is_asked_for_again(node: &TestNode) {
    type Body = fn(&[u8]) -> Vec<u8>;
    let page: Body = |_| PAGE.to_vec();
    let long_page: Body = |_| PAGE.repeat(3000);
    let cut: Body = half;
    let lacks_a_byte: Body = |nar| nar[..nar.len() - 1].to_vec();
    let empty: Body = |_| Vec::new();
    let broken: [(&str, String, Body); 10] = [
        (HELLO, nar("gzip"), cut),
        (HELLO, nar("lzip"), lacks_a_byte),
        (HELLO, nar("zstd"), page),
        (HELLO, nar("gzip"), long_page),
        (HELLO, nar("lzip"), empty),
        (SOURCE, UNPACKED.to_owned(), cut),
        (SOURCE, UNPACKED.to_owned(), lacks_a_byte),
        (SOURCE, UNPACKED.to_owned(), page),
        (SOURCE, UNPACKED.to_owned(), long_page),
        (SOURCE, UNPACKED.to_owned(), empty),
    ];
    for (number, (hash, path, body)) in broken.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        if number % 2 == 0 {
            without_file_sizes(&upstream, hash);
        }
        let body = body(&upstream.get(&path));
        let server = RawServer::at_first(1, &upstream, &path, move |_, client| match number % 3 {
            0 => marked(client, &body),
            _ => unmarked(client, &body),
        });
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--upstream {} --key again-{number}", server.url);
        mirror.run(&format!("add {hash} {options}")).silently();
        assert_eq!(server.asked(), 2, "{number} {path}");
    }
}

fn a_narinfo_that_does_not_come_whole_is_asked_for_again(node: &TestNode) {
    type Answer = fn(&mut TcpStream, &[u8]) -> io::Result<()>;
    let broken: [Answer; 6] = [
        |client, _| marked(client, PAGE),
        |client, _| marked(client, b""),
        |client, _| unmarked(client, b"502 Bad Gateway\n"),
        |client, narinfo| unmarked(client, &half(narinfo)),
        // Before a line's end, so that all lines are there.
        |client, narinfo| unmarked(client, &narinfo[..narinfo.len() - 2]),
        |client, narinfo| unmarked(client, &narinfo[..5]),
    ];
    for (number, answer) in broken.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        let content = upstream.get(&narinfo(HELLO));
        let server = RawServer::at_first(1, &upstream, &narinfo(HELLO), move |_, client| {
            answer(client, &content)
        });
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--upstream {} --key again-{number}", server.url);
        mirror.run(&format!("add {HELLO} {options}")).silently();
        assert_eq!(server.asked(), 2, "{number}");
    }
}

fn what_never_comes_whole_is_tried_three_times_and_not_refused(node: &TestNode) {
    let files = [
        (nar("gzip"), "Content-Length"),
        (UNPACKED.to_owned(), ""),
        (narinfo(HELLO), "page"),
    ];
    for (number, (path, kind)) in files.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        let content = upstream.get(&path);
        let server =
            RawServer::at_first(usize::MAX, &upstream, &path, move |_, client| match kind {
                "page" => marked(client, PAGE),
                "" => unmarked(client, &half(&content)),
                _ => marked(client, &half(&content)),
            });
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--upstream {} --key never-{number} --json", server.url);
        for verb in ["sync".to_owned(), format!("add {HELLO} {SOURCE}")] {
            let run = mirror.run(&format!("{verb} {options}")).exits(3);
            let sum: Value = serde_json::from_str(&run.out).unwrap();
            assert_eq!(sum["broken"].as_array().unwrap().len(), 1, "{sum}");
            assert_eq!(sum["refused"].as_array().unwrap().len(), 0, "{sum}");
            assert_eq!(server.asked(), 3, "{path}");
            // A run at once makes a pause.
            mirror.run(&format!("sync {options}")).exits(0);
            assert_eq!(server.asked(), 0, "{path}");
        }
    }
}

fn a_whole_file_that_is_another_is_refused_at_once(node: &TestNode) {
    type Change = fn(&Upstream);
    let others: [(&str, String, Change); 5] = [
        (HELLO, nar("gzip"), |upstream| {
            upstream.edit_text(HELLO, "NarHash: sha256:0", "NarHash: sha256:1");
        }),
        (SOURCE, UNPACKED.to_owned(), |upstream| {
            upstream.edit_text(SOURCE, "NarHash: sha256:1", "NarHash: sha256:0");
        }),
        (HELLO, nar("gzip"), |upstream| {
            upstream.edit_text(HELLO, "NarSize: 168", "NarSize: 176");
        }),
        (HELLO, nar("gzip"), |upstream| {
            upstream.edit_text(HELLO, "FileSize: 131", "FileSize: 132");
        }),
        (HELLO, nar("gzip"), |upstream| {
            without_file_sizes(upstream, HELLO);
            upstream.edit(&nar("gzip"), |nar| [nar, b"and more".to_vec()].concat());
        }),
    ];
    for (number, (hash, path, change)) in others.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        change(&upstream);
        let mirror = Mirror::new(node, &upstream);
        upstream.asked();
        let run = mirror.run(&format!("add {hash} --json --key another-{number}"));
        let sum: Value = serde_json::from_str(&run.exits(3).out).unwrap();
        assert_eq!(
            sum["refused"].as_array().unwrap().len(),
            1,
            "{number} {sum}"
        );
        let asked = upstream.asked();
        let tries = asked.iter().filter(|asked| **asked == path).count();
        assert_eq!(tries, 1, "{number} {asked:?}");
    }
}

fn a_nar_that_the_server_lacks_is_broken_and_not_refused(node: &TestNode) {
    for status in [404, 410, 403] {
        let upstream = Upstream::of_fixtures();
        let server = RawServer::at_first(usize::MAX, &upstream, &nar("lzip"), move |_, client| {
            write!(client, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n")
        });
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--upstream {} --key lacks-{status}", server.url);
        let run = mirror
            .run(&format!("add {HELLO} --json {options}"))
            .exits(3);
        let sum: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(sum["broken"].as_array().unwrap().len(), 1, "{sum}");
        run.says("the server does not have")
            .says(&format!("status {status}"));
        assert_eq!(server.asked(), 1, "{status}");
    }
}

/// As `guix publish` does without `--cache`.
fn a_connection_that_stays_open_ends_with_the_nar(node: &TestNode) {
    let files = [
        (SOURCE, UNPACKED.to_owned(), true),
        (SOURCE, UNPACKED.to_owned(), false),
        (HELLO, nar("gzip"), true),
        (HELLO, nar("gzip"), false),
        (HELLO, nar("lzip"), false),
        (HELLO, nar("zstd"), false),
    ];
    for (number, (hash, path, is_sized)) in files.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        if !is_sized {
            without_file_sizes(&upstream, hash);
        }
        let content = upstream.get(&path);
        let server = RawServer::at_first(usize::MAX, &upstream, &path, move |_, client| {
            // In two pieces, of which the second has the stream's end alone.
            let (first, last) = content.split_at(content.len() - 3);
            unmarked(client, first)?;
            thread::sleep(Duration::from_millis(50));
            client.write_all(last)?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        });
        let mirror = Mirror::new(node, &upstream);
        let options = format!(
            "--upstream {} --key open-{number} --read-timeout 2",
            server.url
        );
        mirror.run(&format!("add {hash} {options}")).silently();
        assert_eq!(server.asked(), 1, "{path}");
        if is_sized {
            let whole = mirror.run(&format!("sync --key open-{number}"));
            whole.silently();
            let root = mirror
                .run(&format!("resolve --key open-{number}"))
                .exits(0)
                .out;
            assert_eq!(root, format!("/ipfs/{}\n", fixture_roots(0)[2]));
        } else {
            mirror
                .run(&format!("verify --deep --key open-{number}"))
                .exits(0);
        }
    }
}
