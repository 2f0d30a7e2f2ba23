//! Users and passwords in URLs: sent to their server, and shown nowhere.

use crate::support::{HttpProxy, Mirror, RawServer, Run, TestNode, Upstream, run};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::Write;

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";

/// Parts of what nobody is to read.
const SECRETS: [&str; 4] = ["somebody", "p%40ss", "p@ss", "SIGNED"];

fn with_credentials(url: &str) -> String {
    url.replace("http://", "http://somebody:p%40ss@")
}

impl Run {
    /// Fails the test if the run said a secret.
    #[track_caller]
    fn keeps_secrets(self) -> Self {
        for secret in SECRETS {
            let said = self.out.contains(secret) || self.err.contains(secret);
            assert!(!said, "{secret} in {self:?}");
        }
        self
    }
}

#[test]
fn user_and_password_are_sent_to_the_server_and_to_no_other() {
    let upstream = Upstream::of_fixtures();
    upstream.set("moved", upstream.get(NAR));
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    for (location, is_own) in [
        ("/moved", true),
        ("http://upstream.test/moved", true),
        ("http://upstream.test:80/moved", true),
        ("http://other.test/moved", false),
        ("http://upstream.test:81/moved", false),
        ("http://upstream.test.example/moved", false),
    ] {
        let server = RawServer::at_first(usize::MAX, &upstream, NAR, move |_, client| {
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n");
            write!(client, "{answer}Content-Length: 0\r\n\r\n")
        });
        let proxy = HttpProxy::new(&server.url);
        let url = with_credentials("http://upstream.test");
        let mut command = mirror.command(&format!("add {HELLO} -v --upstream {url}"));
        run(command.env("http_proxy", &proxy.address))
            .exits(0)
            .keeps_secrets();
        mirror.run(&format!("remove {HELLO}")).exits(0);
        let secret = BASE64_STANDARD.encode("somebody:p@ss");
        let line = format!("authorization: Basic {secret}\r\n").to_lowercase();
        for head in proxy.seen() {
            let is_sent = head.to_lowercase().contains(&line);
            let is_moved = head
                .lines()
                .next()
                .is_some_and(|line| line.contains("/moved"));
            assert_eq!(is_sent, is_own || !is_moved, "{location} {head}");
            assert!(!head.lines().next().unwrap().contains('@'), "{head}");
        }
    }
}

#[test]
fn no_secret_of_a_url_is_shown() {
    let upstream = Upstream::of_fixtures();
    let url = with_credentials(&upstream.url());
    let node = TestNode::local();
    let mirror = Mirror::new(&node, &upstream);
    let with = |command: &str| run(mirror.command(command).env("GUIX_IPFS_UPSTREAM", &url));
    with("sync -v --no-closure --latest 2")
        .exits(0)
        .keeps_secrets();
    with(&format!("add -v {url}/{HELLO}.narinfo"))
        .exits(0)
        .keeps_secrets();
    let long = with("resolve --long").exits(0).keeps_secrets().out;
    assert!(long.contains(&upstream.url()), "{long}");
    for command in [
        "sync --json",
        "resolve --long --json",
        "verify --deep -v",
        "sync --help",
    ] {
        with(command).exits(0).keeps_secrets();
    }
    // Errors: of the list, of a narinfo, of a nar, of what is no URL.
    upstream.set("api/latestbuilds", "<html>");
    with("sync")
        .exits(1)
        .keeps_secrets()
        .says("/api/latestbuilds");
    upstream.edit(NAR, |nar| nar[..nar.len() / 2].to_vec());
    with(&format!("remove --force {HELLO}")).exits(0);
    with(&format!("add {HELLO}"))
        .exits(3)
        .keeps_secrets()
        .says(NAR);
    upstream.set(&format!("{HELLO}.narinfo"), "<html>");
    with(&format!("add {HELLO} --json"))
        .exits(3)
        .keeps_secrets();
    with("resolve --long").exits(0).keeps_secrets();
    let unknown = format!("{url}/{}.narinfo", "0".repeat(32));
    with(&format!("add {unknown}")).exits(3).keeps_secrets();
    for wrong in [
        "somebody:p%40ss@host",
        "ftp://somebody:p%40ss@host",
        "https://somebody:p%40ss@host?SIGNED",
        "https://somebody:p@ss/word@host",
        "https://somebody:p@ss?word@host",
        "https://somebody:p%40ss@",
    ] {
        let run = mirror
            .run(&format!("sync --upstream {wrong}"))
            .keeps_secrets();
        assert!(matches!(run.code, Some(1 | 2)), "{run:?}");
        let run = mirror.run(&format!("add {wrong}/{HELLO}.narinfo"));
        let run = run.keeps_secrets();
        assert!(matches!(run.code, Some(1 | 2)), "{run:?}");
    }
    // Not every @ follows a secret.
    mirror.run("add hello@2@3 --no-closure").says("hello@2@3");
    drop(upstream);
    with("sync").exits(75).keeps_secrets();
}

#[test]
fn a_new_password_is_no_new_server() {
    let upstream = Upstream::of_fixtures();
    let proxy = HttpProxy::new(&upstream.url());
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let with = |command: &str| run(mirror.command(command).env("http_proxy", &proxy.address));
    with("sync --upstream http://upstream.test").silently();
    proxy.seen();
    for user in ["somebody:p%40ss@", "other:word@", ""] {
        with(&format!("sync --upstream http://{user}upstream.test")).silently();
        // The first look at a list asks for 1000 builds, and narinfos.
        let usual = "GET http://upstream.test/api/latestbuilds?nr=30&system=x86_64-linux HTTP/1.1";
        assert_eq!(proxy.lines(), [usual], "{user}");
    }
}

#[test]
fn a_signed_url_that_a_server_leads_to_is_shown_without_its_signature() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let narinfo = format!("{HELLO}.narinfo");
    for (path, location, shown) in [
        (NAR, "/gone?X-Amz-Signature=SIGNED", "/gone?…"),
        (NAR, "ftp://somebody:p@ss@host/x?SIGNED", "ftp://host/x?…"),
        (
            NAR,
            "http://somebody:p@ss@127.0.0.1:1/x?SIGNED#f",
            "http://127.0.0.1:1/x?…",
        ),
        (
            narinfo.as_str(),
            "https://somebody@cdn.example/x?SIGNED",
            "https://cdn.example/x?…",
        ),
    ] {
        let location = location.to_owned();
        let server = RawServer::at_first(usize::MAX, &upstream, path, move |_, client| {
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n");
            write!(client, "{answer}Content-Length: 0\r\n\r\n")
        });
        let run = mirror.run(&format!("add {HELLO} --upstream {}", server.url));
        run.exits(3).keeps_secrets().says(shown);
        mirror.run("resolve --long").exits(0).keeps_secrets();
    }
}
