//! Upstreams behind a proxy.

use crate::support::{
    Authority, HttpProxy, Mirror, Run, Squid, TestNode, TlsServer, Upstream, fixture_roots, run,
};
use std::net::TcpListener;

/// A name that only a proxy knows.
const BEHIND: &str = "http://upstream.test";
const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

/// Runs the program with variables, `NAME=VALUE` each.
fn with(mirror: &Mirror, command: &str, variables: &[&str]) -> Run {
    let pairs = variables.iter().map(|pair| pair.split_once('=').unwrap());
    run(mirror.command(command).envs(pairs))
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    free.local_addr().unwrap().to_string()
}

#[test]
fn plain_http_goes_through_a_proxy_without_a_tunnel() {
    let upstream = Upstream::of_fixtures();
    let proxy = HttpProxy::new(&upstream.url());
    for (number, variable) in [
        "http_proxy=http://",
        "http_proxy=",
        "all_proxy=",
        "ALL_PROXY=HTTP://",
    ]
    .into_iter()
    .enumerate()
    {
        let mirror = Mirror::new(&TestNode::local(), &upstream);
        let variable = format!("{variable}{}", proxy.address);
        let command = format!("sync --upstream {BEHIND} --key {number}");
        with(&mirror, &command, &[&variable]).silently();
        let root = mirror.run(&format!("resolve --key {number}")).exits(0).out;
        assert_eq!(root, format!("/ipfs/{}\n", fixture_roots(0)[2]));
        let heads = proxy.seen();
        assert!(heads.len() > 10, "{variable}: {heads:?}");
        for head in heads {
            assert!(head.starts_with("GET http://upstream.test/"), "{head}");
            let host = head.to_lowercase().contains("\r\nhost: upstream.test\r\n");
            assert!(host, "{head}");
        }
    }
}

#[test]
fn each_scheme_has_the_proxy_that_curl_would_take() {
    let upstream = Upstream::of_fixtures();
    let authority = Authority::new("A test's");
    let server = TlsServer::new(&upstream, &authority);
    let plain = HttpProxy::new(&upstream.url());
    let secure = HttpProxy::new(&server.url());
    let (http, https) = (&plain.address, &secure.address);
    let dead = nowhere();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let file = mirror.home().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let file = format!("SSL_CERT_FILE={}", file.display());
    for (url, variables, is_secure) in [
        (
            BEHIND,
            [format!("http_proxy={http}"), format!("https_proxy={dead}")],
            false,
        ),
        (
            BEHIND,
            [format!("http_proxy={http}"), format!("ALL_PROXY={dead}")],
            false,
        ),
        (
            BEHIND,
            [format!("HTTP_PROXY={dead}"), format!("all_proxy={http}")],
            false,
        ),
        (
            BEHIND,
            ["http_proxy=".to_owned(), format!("all_proxy={http}")],
            false,
        ),
        (
            "https://upstream.test",
            [format!("https_proxy={https}"), format!("http_proxy={dead}")],
            true,
        ),
        (
            "https://upstream.test",
            [format!("HTTPS_PROXY={https}"), format!("all_proxy={dead}")],
            true,
        ),
        (
            "https://upstream.test",
            [
                format!("all_proxy={https}"),
                "no_proxy=other.test".to_owned(),
            ],
            true,
        ),
    ] {
        let command = format!("add {HELLO} --upstream {url}");
        let variables = [&variables[0], &variables[1], file.as_str()];
        with(&mirror, &command, &variables).silently();
        mirror.run(&format!("remove {HELLO}")).exits(0);
        let (plain, secure) = (plain.lines(), secure.lines());
        assert_eq!(plain.is_empty(), is_secure, "{variables:?}");
        assert_eq!(secure.is_empty(), !is_secure, "{variables:?}");
        let is_tunnel = |line: &String| line == "CONNECT upstream.test:443 HTTP/1.1";
        assert!(secure.iter().all(is_tunnel), "{secure:?}");
    }
}

#[test]
fn a_host_of_no_proxy_is_asked_directly_and_no_proxy_is_blamed() {
    let upstream = Upstream::of_fixtures();
    let proxy = HttpProxy::new(&upstream.url());
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let http_proxy = format!("http_proxy=http://{}", proxy.address);
    for except in ["test", ".test", "upstream.test", "a,upstream.test:80", "*"] {
        let command = format!("add {HELLO} --upstream {BEHIND}");
        let run = with(
            &mirror,
            &command,
            &[&http_proxy, &format!("no_proxy={except}")],
        );
        let run = run
            .exits(75)
            .says("cannot reach the server of http://upstream.test/");
        assert!(!run.err.contains("proxy"), "{run:?}");
        assert_eq!(proxy.seen(), Vec::<String>::new());
    }
    // This machine is never asked through one.
    mirror.run(&format!("add {HELLO}")).silently();
    with(&mirror, "sync", &[&http_proxy]).silently();
    assert_eq!(proxy.seen(), Vec::<String>::new());
}

#[test]
fn a_proxy_that_is_away_is_named_without_its_password() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let dead = nowhere();
    for (variable, url) in [
        (format!("http_proxy=http://user:secret@{dead}"), BEHIND),
        (
            format!("https_proxy=user:secret@{dead}"),
            "https://upstream.test",
        ),
        (format!("ALL_PROXY=socks5h://user:secret@{dead}"), BEHIND),
    ] {
        let (name, _) = variable.split_once('=').unwrap();
        let run = with(&mirror, &format!("sync -v --upstream {url}"), &[&variable]);
        let run = run
            .exits(75)
            .says(&dead)
            .says(&format!("of ${name}"))
            .says("no_proxy");
        assert!(
            !run.err.contains("secret") && !run.err.contains("user:"),
            "{run:?}"
        );
    }
    for (variable, fault) in [
        (
            "http_proxy=ftp://user:secret@p",
            "its scheme is not one of http",
        ),
        (
            "http_proxy=http://user:secret@p:port",
            "its port is not a number",
        ),
        ("http_proxy=http://user:secret@", "it has no host"),
    ] {
        let run = with(&mirror, &format!("sync --upstream {BEHIND}"), &[variable]);
        let run = run
            .exits(1)
            .says("$http_proxy is not a valid proxy")
            .says(fault);
        assert!(!run.err.contains("secret"), "{run:?}");
    }
}

#[test]
fn a_proxy_for_members_gets_user_and_password_and_nobody_else_does() {
    let upstream = Upstream::of_fixtures();
    let authority = Authority::new("A test's");
    let server = TlsServer::new(&upstream, &authority);
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let file = mirror.home().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let file = format!("SSL_CERT_FILE={}", file.display());
    for (name, url, server) in [
        ("http_proxy", BEHIND, upstream.url()),
        ("https_proxy", "https://upstream.test", server.url()),
    ] {
        let proxy = HttpProxy::for_members(&server, "a user:pass:wörd");
        let command = format!("add {HELLO} -v --upstream {url}");
        for wrong in ["", "a%20user@", "a%20user:other@"] {
            let variable = format!("{name}=http://{wrong}{}", proxy.address);
            let run = with(&mirror, &command, &[&variable, &file]);
            let run = run
                .exits(1)
                .says("it requires a user and a password (status 407)");
            let run = run.says(&proxy.address).says("USER:PASSWORD@HOST:PORT");
            assert!(!run.err.contains("user:other"), "{run:?}");
        }
        proxy.seen();
        let variable = format!("{name}=http://a%20user:pass%3Aw%C3%B6rd@{}", proxy.address);
        let run = with(&mirror, &command, &[&variable, &file]).exits(0);
        assert!(
            !run.err.contains("a%20user") && !run.err.contains("pass%3A"),
            "{run:?}"
        );
        for head in proxy.seen() {
            assert_eq!(head.matches("Proxy-Authorization: ").count(), 1, "{head}");
        }
        mirror.run(&format!("remove {HELLO}")).exits(0);
    }
}

#[test]
#[ignore = "needs squid"]
fn both_schemes_work_through_squid() {
    let upstream = Upstream::of_fixtures();
    let authority = Authority::new("A test's");
    let server = TlsServer::new(&upstream, &authority);
    let squid = Squid::start(server.port);
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let file = mirror.home().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let file = format!("SSL_CERT_FILE={}", file.display());
    let proxy = format!("all_proxy=http://{}", squid.address);
    for (key, url) in [
        ("plain", Squid::url_of(&upstream)),
        ("secure", format!("https://upstream.test:{}", server.port)),
    ] {
        let command = format!("sync --upstream {url} --key {key}");
        with(&mirror, &command, &[&proxy, &file]).silently();
        let root = mirror.run(&format!("resolve --key {key}")).exits(0).out;
        assert_eq!(root, format!("/ipfs/{}\n", fixture_roots(0)[2]));
    }
    // What squid answers is not taken for the server's word: neither a 403, which
    // otherwise means that there is no such narinfo, nor a 503.
    let gone = Upstream::empty();
    let gone_url = Squid::url_of(&gone);
    drop(gone);
    for (url, said, code) in [
        (
            "http://forbidden.test".to_owned(),
            "status 403 (ERR_ACCESS_DENIED)",
            1,
        ),
        ("https://upstream.test".to_owned(), "status 403", 1),
        (gone_url, "(ERR_CONNECT_FAIL)", 75),
    ] {
        let run = with(&mirror, &format!("add {HELLO} --upstream {url}"), &[&proxy]);
        run.exits(code).says(&squid.address).says(said);
    }
}
