//! Redirects, and the places that they must not lead to.

use crate::support::{HttpProxy, Mirror, RawServer, Run, TestNode, Upstream, run};
use std::io::Write;
use std::net::{TcpListener, ToSocketAddrs};

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";
const BEHIND: &str = "http://upstream.test";

/// A server that sends whoever asks for a nar elsewhere.
fn redirecting(upstream: &Upstream, location: &str) -> RawServer {
    let location = location.to_owned();
    RawServer::at_first(usize::MAX, upstream, NAR, move |_, client| {
        write!(
            client,
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    })
}

fn add(mirror: &Mirror, url: &str, variables: &[(&str, &str)]) -> Run {
    let command = format!("add {HELLO} --upstream {url}");
    run(mirror.command(&command).envs(variables.iter().copied()))
}

#[test]
fn a_public_upstream_leads_nobody_into_a_private_network() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    // Something on this machine that must never hear of it.
    let service = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    service.set_nonblocking(true).unwrap();
    let port = service.local_addr().unwrap().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "user:pw@127.0.0.1",
    ] {
        let server = redirecting(&upstream, &format!("http://{host}:{port}/latest/meta-data"));
        let proxy = HttpProxy::new(&server.url);
        let http_proxy = format!("http://{}", proxy.address);
        let run = add(&mirror, BEHIND, &[("http_proxy", &http_proxy)]);
        let run = run
            .exits(3)
            .says(&format!("{BEHIND}/{NAR} redirects to"))
            .says("private network");
        let host = host.rsplit('@').next().unwrap();
        run.says(&format!("http://{host}:{port}/latest/meta-data"));
        assert!(service.accept().is_err(), "{host}");
        let lines = proxy.lines();
        assert!(
            lines
                .iter()
                .all(|line| line.contains("http://upstream.test/")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_name_that_leads_into_a_private_network_is_found_out() {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let addresses = (host, 80)
        .to_socket_addrs()
        .map(Iterator::collect::<Vec<_>>);
    let is_loopback = addresses.is_ok_and(|all| all.iter().all(|it| it.ip().is_loopback()));
    if host.contains("localhost") || !is_loopback {
        println!("left out: {host:?} is no name for 127.0.0.1 here");
        return;
    }
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let named = upstream.url().replace("127.0.0.1", host);
    let server = redirecting(&upstream, &format!("{named}/{NAR}"));
    let proxy = HttpProxy::new(&server.url);
    let variables = [("http_proxy", proxy.address.as_str()), ("no_proxy", host)];
    let run = add(&mirror, BEHIND, &variables).exits(3);
    run.says(&format!("redirects to \"{named}/{NAR}\""))
        .says("its host is 127.0.0.1");
    assert!(!upstream.has_asked(NAR));
    // An upstream of that network may lead to others there.
    let server = redirecting(&upstream, &format!("{named}/{NAR}"));
    let near = server.url.replace("127.0.0.1", host);
    add(&mirror, &near, &variables).silently();
    assert!(upstream.has_asked(NAR));
}

#[test]
fn an_upstream_on_this_machine_may_lead_to_another() {
    let (upstream, other) = (Upstream::of_fixtures(), Upstream::of_fixtures());
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let port = other.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "2130706433"] {
        let server = redirecting(&upstream, &format!("http://{host}:{port}/{NAR}"));
        add(&mirror, &server.url, &[]).silently();
        mirror.run(&format!("remove {HELLO}")).exits(0);
        assert!(other.asked().contains(&NAR.to_owned()), "{host}");
    }
}

#[test]
fn a_public_upstream_may_lead_to_another_public_server() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    upstream.set("moved/here", upstream.get(NAR));
    let server = redirecting(&upstream, "http://other.test/moved/here?X-Signature=secret");
    let proxy = HttpProxy::new(&server.url);
    add(&mirror, BEHIND, &[("http_proxy", &proxy.address)]).silently();
    let there = "GET http://other.test/moved/here?X-Signature=secret HTTP/1.1".to_owned();
    assert!(proxy.lines().contains(&there));
}
