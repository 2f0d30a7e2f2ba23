//! The answers that a `guix` on this machine gets from a gateway.

use crate::support::{Mirror, TestNode, Upstream, fixture};
use std::io::{Read, Write};
use std::net::TcpStream;

on_both_nodes!(
    everything_that_was_mirrored_comes_back_as_the_upstream_had_it,
    what_is_not_there_is_not_found,
    a_head_and_a_known_etag_are_answered_without_the_file,
);

/// A file name that must be percent-encoded, in a directory that must be.
const ODD: &str = "j27dn2bh38aqgg30cc6qhdhdik1gzpr6";

fn mirrored(node: &TestNode) -> (Upstream, Mirror, String) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    mirror.run(&format!("add {ODD}")).silently();
    let base = format!("/ipns/{}", node.key_id("guix-ipfs").unwrap());
    (upstream, mirror, base)
}

fn everything_that_was_mirrored_comes_back_as_the_upstream_had_it(node: &TestNode) {
    let (_upstream, mirror, base) = mirrored(node);
    let mut files = 0;
    for path in mirror.list() {
        let hash = &path["/gnu/store/".len()..][..32];
        let narinfo = node.get(&format!("{base}/{hash}.narinfo"));
        let upstreams = fixture(&format!("substitute-server/{hash}.narinfo"));
        assert_eq!(narinfo.body, std::fs::read(upstreams).unwrap(), "{path}");
        assert_eq!(narinfo.header("cache-control"), "public, max-age=300");
        for url in narinfo
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("URL: "))
        {
            let nar = node.get(&format!("{base}/{url}"));
            let decoded = percent_encoding::percent_decode_str(url).decode_utf8_lossy();
            let content = std::fs::read(fixture(&format!("substitute-server/{decoded}"))).unwrap();
            assert_eq!(nar.header("content-length"), content.len().to_string());
            assert!(
                nar.status == 200 && nar.body == content,
                "{url}: {}",
                nar.status
            );
            files += 1;
        }
    }
    assert_eq!(files, 25);
    let info = node.get(&format!("{base}/nix-cache-info")).text();
    assert_eq!(
        info,
        "StoreDir: /gnu/store\nWantMassQuery: 0\nPriority: 100\n"
    );
}

fn what_is_not_there_is_not_found(node: &TestNode) {
    let (_upstream, mirror, base) = mirrored(node);
    let root = mirror.root();
    for path in [
        format!("{base}/00000000000000000000000000000000.narinfo"),
        format!("/ipfs/{root}/nar/gzip/nothing"),
        format!("/ipfs/{root}/nix-cache-info/below-a-file"),
        "/somewhere/else".to_owned(),
    ] {
        assert_eq!(node.get(&path).status, 404, "{path}");
    }
    assert_eq!(node.get("/ipfs/no-cid/x").status, 400);
}

fn a_head_and_a_known_etag_are_answered_without_the_file(node: &TestNode) {
    let (_upstream, mirror, _) = mirrored(node);
    let path = format!("/ipfs/{}/nix-cache-info", mirror.root());
    let get = node.get(&path);
    assert_eq!(
        get.header("cache-control"),
        "public, max-age=29030400, immutable"
    );
    let etag = get.header("etag").to_owned();
    let cid = etag.trim_matches('"');
    assert_eq!(node.get(&format!("/ipfs/{cid}")).body, get.body);
    let head = request(node, &format!("HEAD {path} HTTP/1.1"), "");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase()
            .contains(&format!("content-length: {}", get.body.len()))
    );
    let known = request(
        node,
        &format!("GET {path} HTTP/1.1"),
        &format!("If-None-Match: {etag}\r\n"),
    );
    assert!(
        known.starts_with("HTTP/1.1 304") && known.ends_with("\r\n\r\n"),
        "{known}"
    );
}

fn request(node: &TestNode, line: &str, headers: &str) -> String {
    let address = node.gateway.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{line}\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
