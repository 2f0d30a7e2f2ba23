//! The list of latest builds, when it is spoiled on its way or holds odd things.

use crate::support::{Mirror, RawServer, TestNode, Upstream, fixture_roots};
use std::io::{self, Write};
use std::net::TcpStream;

on_both_nodes!(
    a_list_of_builds_that_is_spoiled_is_asked_for_again,
    a_list_of_builds_that_never_comes_is_for_another_time,
    odd_builds_of_a_list_are_passed_over,
    a_list_of_builds_longer_than_asked_for_is_cut,
    a_list_without_a_single_build_is_named,
);

const LIST: &str = "api/latestbuilds";

/// A way of spoiling the list.
type Spoiled = fn(&mut TcpStream, &[u8]) -> io::Result<()>;

const SPOILED: [(&str, Spoiled); 7] = [
    ("503", |client, _| {
        client.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    }),
    ("429", |client, _| {
        client.write_all(b"HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n")
    }),
    ("no answer", |_, _| Ok(())),
    ("half an answer's head", |client, _| {
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")
    }),
    ("cut, with a length", |client, list| {
        let length = list.len();
        write!(
            client,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
        )?;
        client.write_all(&list[..length / 2])
    }),
    ("cut, without a length", |client, list| {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        client.write_all(&list[..list.len() / 2])
    }),
    ("empty, without a length", |client, _| {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")
    }),
];

fn a_list_of_builds_that_is_spoiled_is_asked_for_again(node: &TestNode) {
    for (number, (how, spoiled)) in SPOILED.into_iter().enumerate() {
        let upstream = Upstream::of_fixtures();
        let list = upstream.get(LIST);
        let server =
            RawServer::at_first(1, &upstream, LIST, move |_, client| spoiled(client, &list));
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--key list-{number} --upstream {}", server.url);
        mirror.run(&format!("sync {options}")).silently();
        assert_eq!(server.asked(), 2, "{how}");
        let root = mirror.run(&format!("resolve --key list-{number}"));
        assert_eq!(
            root.exits(0).out,
            format!("/ipfs/{}\n", fixture_roots(0)[2])
        );
    }
}

fn a_list_of_builds_that_never_comes_is_for_another_time(node: &TestNode) {
    for (how, spoiled) in [SPOILED[0], SPOILED[5]] {
        let upstream = Upstream::of_fixtures();
        let list = upstream.get(LIST);
        let server = RawServer::at_first(usize::MAX, &upstream, LIST, move |_, client| {
            spoiled(client, &list)
        });
        let mirror = Mirror::new(node, &upstream);
        let run = mirror.run(&format!("sync --upstream {}", server.url));
        run.exits(75).says(LIST);
        assert_eq!(server.asked(), 3, "{how}");
    }
}

fn odd_builds_of_a_list_are_passed_over(node: &TestNode) {
    for (number, odd) in [
        "null",
        "3, \"a build\", [], [null, {\"a\": [1]}]",
        "{\"id\": NaN, \"buildstatus\": 0}, {\"a\": -Infinity, \"b\": [\"]\", \"\\\\\\\"}\"]}",
        "{\"buildstatus\": 0, \"buildoutputs\": {\"out\": nan}}, undefined",
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = Upstream::of_fixtures();
        upstream.edit(LIST, |list| {
            let list = String::from_utf8(list).unwrap();
            let (_, rest) = list.split_once('[').unwrap();
            let (builds, _) = rest.rsplit_once(']').unwrap();
            format!("[{odd},{builds},{odd}]").into_bytes()
        });
        let mirror = Mirror::new(node, &upstream);
        mirror.run(&format!("sync --key odd-{number}")).silently();
        let root = mirror.run(&format!("resolve --key odd-{number}"));
        assert_eq!(
            root.exits(0).out,
            format!("/ipfs/{}\n", fixture_roots(0)[2])
        );
    }
}

fn a_list_of_builds_longer_than_asked_for_is_cut(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync --latest 1 --no-closure").silently();
    let tools = "/gnu/store/y023qcgjv7nsp8snwi2q1569mig8hyjj-rig-tools-1.2.3";
    assert_eq!(mirror.list(), [tools]);
}

fn a_list_without_a_single_build_is_named(node: &TestNode) {
    for list in ["[1, 2]", "[null]", "{\"error\": \"no\"}", "null"] {
        let upstream = Upstream::of_fixtures();
        upstream.set(LIST, list);
        let mirror = Mirror::new(node, &upstream);
        mirror.run("sync").exits(1).says("is not a list of builds");
        upstream.set(LIST, "[]");
        let run = mirror.run("sync").exits(0);
        run.says("no build farm lists a successful build for x86_64-linux");
        mirror.run("sync").silently();
    }
}
