//! Gateways as their clients meet them.

use super::http::{Content, Request, Response, Server};
use super::serve;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Changes, patch};
use crate::node::local::LocalNode;
use crate::node::{Node, PublishOptions};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Sends this text, and returns all that comes back.
fn send(server: &Server, text: &str) -> String {
    let mut stream = TcpStream::connect(&server.url()["http://".len()..]).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn ask(server: &Server, line: &str, headers: &str) -> String {
    send(
        server,
        &format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"),
    )
}

fn status(answer: &str) -> &str {
    &answer["HTTP/1.1 ".len()..][..3]
}

/// A gateway over a directory in which each of these names is a file that holds its
/// name.
fn gateway(names: &[String]) -> (tempfile::TempDir, Arc<dyn Node>, Server, Cid) {
    let folder = tempfile::tempdir().unwrap();
    let node: Arc<dyn Node> = Arc::new(LocalNode::open(folder.path()).unwrap());
    let entry = |name: &String| {
        let added = node.add_file(CidVersion::V1, &mut name.as_bytes()).unwrap();
        (name.clone(), Some(added.into()))
    };
    let changes: Changes = names.iter().map(entry).collect();
    let mut put = |cid, block: Vec<u8>| node.put_block(&cid, &block);
    let root = patch(&&*node, None, changes, CidVersion::V1, &mut put).unwrap();
    let server = serve(Arc::clone(&node), 0).unwrap();
    (folder, node, server, root.cid)
}

#[test]
fn a_file_comes_by_cid_and_by_name_with_what_caches_need() {
    let (_folder, node, server, root) = gateway(&["a b.narinfo".to_owned()]);
    let key = node.keys().unwrap().remove(0);
    let options = PublishOptions {
        lifetime: Duration::from_secs(60),
        allow_offline: false,
        sequence: None,
    };
    node.publish(&key, &root, &options).unwrap();
    for (path, cache) in [
        (format!("/ipfs/{root}/a%20b.narinfo"), "29030400, immutable"),
        (format!("/ipns/{}//a%20b.narinfo", key.id), "300"),
        (
            format!("/ipns/{}/a%20b.narinfo", node.description().peer_id),
            "300",
        ),
    ] {
        let answer = ask(&server, &format!("GET {path}"), "");
        assert!(
            status(&answer) == "200" && answer.ends_with("\r\n\r\na b.narinfo"),
            "{answer}"
        );
        assert!(answer.contains(&format!("Cache-Control: public, max-age={cache}\r\n")));
        assert!(answer.contains("Content-Type: text/plain") && answer.contains("Length: 11\r\n"));
        let head = ask(&server, &format!("HEAD {path}"), "");
        assert_eq!(head, answer.replace("\r\n\r\na b.narinfo", "\r\n\r\n"));
        let (_, etag) = answer.split_once("ETag: ").unwrap();
        let etag = etag.split("\r\n").next().unwrap();
        let known = format!("If-None-Match: \"x\", W/{etag}\r\n");
        let known = ask(&server, &format!("GET {path}"), &known);
        assert!(
            status(&known) == "304" && known.ends_with("\r\n\r\n"),
            "{known}"
        );
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    let (_folder, node, server, root) = gateway(&["file".to_owned()]);
    let unknown = "bafkreie5u4ppkjiunhjhz2w5ozeuzpmpbhcrj3cjrvkpbvjj6fhf6kz5ku";
    let unpublished = &node.description().peer_id;
    for (line, expected) in [
        (format!("GET /ipfs/{root}/other"), "404"),
        (format!("GET /ipfs/{root}/file/below"), "404"),
        (format!("GET /ipfs/{root}/.."), "404"),
        (format!("GET /ipfs/{unknown}"), "404"),
        (format!("GET /ipns/{unpublished}/file"), "404"),
        ("GET /somewhere/else".to_owned(), "404"),
        ("GET /ipfs/no-cid/x".to_owned(), "400"),
        (format!("GET /ipfs/{root}/%ff"), "400"),
        (format!("POST /ipfs/{root}/file"), "405"),
    ] {
        assert_eq!(status(&ask(&server, &line, "")), expected, "{line}");
    }
    let line = format!("GET /ipfs/{root}/file");
    for page in [
        "Origin: http://evil.example",
        "Referer: http://evil.example/x",
        "Origin: null",
    ] {
        assert_eq!(status(&ask(&server, &line, &format!("{page}\r\n"))), "403");
    }
    let elsewhere = format!("{line} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(status(&send(&server, &elsewhere)), "403");
    let own = "Origin: http://127.0.0.1:8080\r\n";
    assert_eq!(status(&ask(&server, &line, own)), "200");
}

#[test]
fn a_directory_is_listed_whether_plain_or_sharded() {
    let odd = r#"<a>&"b"?.narinfo"#.to_owned();
    let many = (0..5000).map(|i| format!("{i:060}"));
    for names in [vec![odd.clone()], many.chain([odd]).collect()] {
        let (_folder, _node, server, root) = gateway(&names);
        let answer = ask(&server, &format!("GET /ipfs/{root}/"), "");
        assert!(status(&answer) == "200" && answer.contains("Content-Type: text/html"));
        assert!(answer.ends_with("</ul>\n\r\n0\r\n\r\n"), "{answer}");
        assert_eq!(answer.matches("<li>").count(), names.len());
        let odd = "%3Ca%3E%26%22b%22%3F.narinfo";
        let line = format!(
            "<li><a href=\"/ipfs/{root}/{odd}\">&lt;a&gt;&amp;&quot;b&quot;?.narinfo</a> 16 bytes\n"
        );
        assert!(answer.contains(&line));
        assert_eq!(
            status(&ask(&server, &format!("GET /ipfs/{root}/{odd}"), "")),
            "200"
        );
        let head = ask(&server, &format!("HEAD /ipfs/{root}"), "");
        assert!(
            status(&head) == "200" && head.ends_with("\r\n\r\n"),
            "{head}"
        );
    }
}

fn echo() -> Server {
    Server::bind(0, |request: &Request| {
        Response::text(
            200,
            &format!("{} {}?{}", request.method, request.path, request.query),
        )
    })
    .unwrap()
}

#[test]
fn a_connection_serves_requests_until_one_has_a_body() {
    let server = echo();
    let get = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    let answer = send(&server, &format!("{get}{post}{get}"));
    assert_eq!(answer.matches("GET /a?b\n").count(), 1, "{answer}");
    assert!(answer.ends_with("POST /c?\n") && answer.contains("Connection: close"));
}

#[test]
fn floods_and_malformed_heads_are_refused() {
    let server = echo();
    for (headers, expected) in [
        (format!("A: {}\r\n", "a".repeat(20_000)), "431"),
        ("A: b\r\n".repeat(100), "431"),
        ("Host: y\r\n".to_owned(), "400"),
        ("no header\r\n".to_owned(), "400"),
    ] {
        assert_eq!(status(&ask(&server, "GET /", &headers)), expected);
    }
}

#[test]
fn an_answer_that_fails_on_the_way_does_not_look_whole() {
    let server = Server::bind(0, |request: &Request| Response {
        status: 200,
        headers: Vec::new(),
        content: match request.path.as_str() {
            "/sized" => Content::Sized(10, Box::new(&b"short"[..])),
            _ => Content::Stream(Box::new(|out| {
                out.write_all(b"some")?;
                Err(io::Error::other("failed"))
            })),
        },
    })
    .unwrap();
    for path in ["/sized", "/stream"] {
        let get = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = send(&server, &format!("{get}{get}"));
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"));
    }
}
