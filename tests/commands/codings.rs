//! Answers with a `Content-Encoding`, though none was asked for.

use crate::support::{Mirror, RawServer, TestNode, Upstream, fixture_roots};
use serde_json::Value;
use std::io::Write;

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";
const LIST: &str = "api/latestbuilds";

/// Answers the first `count` requests for a file with this content and coding.
fn coded(
    count: usize,
    upstream: &Upstream,
    path: &str,
    coding: &'static str,
    content: Vec<u8>,
) -> RawServer {
    RawServer::at_first(count, upstream, path, move |_, client| {
        let length = content.len();
        write!(
            client,
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        )?;
        client.write_all(&content)
    })
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_compressed_narinfo_or_list_is_named_for_what_it_is() {
    let narinfo = format!("{HELLO}.narinfo");
    for (number, coding) in ["gzip", "br", "deflate", "zstd", "x-gzip", "identity, gzip"]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::of_fixtures();
        let mirror = Mirror::new(&TestNode::local(), &upstream);
        let named = coding.rsplit(' ').next().unwrap();
        let content = gzipped(&upstream.get(&narinfo));
        let server = coded(usize::MAX, &upstream, &narinfo, coding, content.clone());
        let run = mirror.run(&format!("add {HELLO} --json --upstream {}", server.url));
        let run = run.exits(3).says(&format!(
            "compressed {}/{narinfo} with {named:?}",
            server.url
        ));
        let sum: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(sum["broken"].as_array().unwrap().len(), 1, "{sum}");
        assert_eq!(server.asked(), 3, "{coding}");
        // It may come as it is the next time.
        let server = coded(1, &upstream, &narinfo, coding, content);
        mirror
            .run(&format!("add {HELLO} --upstream {}", server.url))
            .silently();

        let list = gzipped(&upstream.get(LIST));
        let server = coded(usize::MAX, &upstream, LIST, coding, list.clone());
        let command = format!("sync --key {number} --upstream {}", server.url);
        mirror
            .run(&command)
            .exits(75)
            .says(&format!("{LIST}?… with {named:?}"));
        let server = coded(1, &upstream, LIST, coding, list);
        let command = format!("sync --key {number} --upstream {}", server.url);
        mirror.run(&command).silently();
    }
}

#[test]
fn no_coding_and_identity_are_one() {
    for (number, coding) in ["identity", "", "Identity", ", identity"]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::of_fixtures();
        let mirror = Mirror::new(&TestNode::local(), &upstream);
        for path in [LIST, NAR, &format!("{HELLO}.narinfo")] {
            let server = coded(usize::MAX, &upstream, path, coding, upstream.get(path));
            let command = format!("sync --key {number} --upstream {}", server.url);
            mirror.run(&command).silently();
            let root = mirror.run(&format!("resolve --key {number}")).exits(0).out;
            assert_eq!(root, format!("/ipfs/{}\n", fixture_roots(0)[2]));
        }
    }
}

/// As Apache's `AddEncoding x-gzip .gz` does.
#[test]
fn a_nar_that_is_only_labelled_is_taken_as_it_is() {
    for (key, coding) in [("a", "gzip"), ("b", "x-gzip"), ("c", "br")] {
        let upstream = Upstream::of_fixtures();
        let mirror = Mirror::new(&TestNode::local(), &upstream);
        let server = coded(usize::MAX, &upstream, NAR, coding, upstream.get(NAR));
        let command = format!("add {HELLO} --key {key} --upstream {}", server.url);
        mirror.run(&command).silently();
        assert_eq!(server.asked(), 1);
    }
}

#[test]
fn a_nar_that_was_compressed_once_more_is_a_broken_transfer() {
    let none = "nar/hz8xc542z4ycr7z1b9b81g2aqh455gsk-rig-source-1.0.tar.gz";
    let source = "hz8xc542z4ycr7z1b9b81g2aqh455gsk";
    type Body = fn(&[u8]) -> Vec<u8>;
    let other: Body = |nar| [nar, b"and more"].concat();
    for (hash, path, body) in [
        (HELLO, NAR, gzipped as Body),
        (source, none, gzipped),
        (HELLO, NAR, other),
    ] {
        let upstream = Upstream::of_fixtures();
        let mirror = Mirror::new(&TestNode::local(), &upstream);
        let content = body(&upstream.get(path));
        let server = coded(usize::MAX, &upstream, path, "gzip", content.clone());
        let run = mirror.run(&format!("add {hash} --json --upstream {}", server.url));
        let run = run.exits(3).says("the server labels it \"gzip\"");
        let sum: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(sum["broken"].as_array().unwrap().len(), 1, "{sum}");
        assert_eq!(sum["refused"].as_array().unwrap().len(), 0, "{sum}");
        assert_eq!(server.asked(), 3);
        let server = coded(2, &upstream, path, "gzip", content);
        mirror
            .run(&format!("add {hash} --upstream {}", server.url))
            .silently();
    }
}
