//! Upstreams that send so slowly that waiting for them would never end.

use crate::support::{Mirror, RawServer, Run, TestNode, Upstream, fixture_roots, run};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

on_both_nodes!(
    what_drips_is_dropped_and_asked_for_again,
    headers_that_drip_are_dropped_and_asked_for_again,
    what_only_ever_drips_is_named_in_the_end,
    what_is_slow_and_steady_is_waited_for,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";

/// Sends an answer byte by byte. Returns true in `is_sent` if the client had the
/// patience for all of it.
fn drip(client: &mut TcpStream, answer: &[u8], is_sent: &AtomicBool) -> io::Result<()> {
    for byte in answer {
        thread::sleep(Duration::from_millis(40));
        client.write_all(&[*byte])?;
    }
    is_sent.store(true, Ordering::SeqCst);
    Ok(())
}

fn answer(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Runs the program with a second in which to be quick.
fn impatient(mirror: &Mirror, arguments: &str) -> Run {
    let mut command = mirror.command(arguments);
    run(command
        .env("GUIX_IPFS_LOW_SPEED_TIME", "1")
        .env("GUIX_IPFS_READ_TIMEOUT", "1"))
}

fn what_drips_is_dropped_and_asked_for_again(node: &TestNode) {
    let narinfo = format!("{HELLO}.narinfo");
    for (number, path) in [NAR, narinfo.as_str(), "api/latestbuilds"]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::of_fixtures();
        let body = upstream.get(path);
        let is_sent = Arc::<AtomicBool>::default();
        let sent = Arc::clone(&is_sent);
        let server = RawServer::at_first(1, &upstream, path, move |_, client| {
            let head = answer(&body);
            let (head, body) = head.split_at(head.len() - body.len());
            client.write_all(head)?;
            drip(client, body, &sent)
        });
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--key drips-{number} --upstream {}", server.url);
        impatient(&mirror, &format!("sync {options}")).silently();
        assert!(!is_sent.load(Ordering::SeqCst), "{path}");
        assert_eq!(server.asked(), 2, "{path}");
        let root = mirror.run(&format!("resolve --key drips-{number}"));
        assert_eq!(
            root.exits(0).out,
            format!("/ipfs/{}\n", fixture_roots(0)[2])
        );
    }
}

fn headers_that_drip_are_dropped_and_asked_for_again(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let body = upstream.get(NAR);
    let is_sent = Arc::<AtomicBool>::default();
    let sent = Arc::clone(&is_sent);
    let server = RawServer::at_first(1, &upstream, NAR, move |_, client| {
        client.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: ")?;
        drip(client, &[b'x'; 250], &sent)?;
        client.write_all(b"\r\n")?;
        client.write_all(&answer(&body)["HTTP/1.1 200 OK\r\n".len()..])
    });
    let mirror = Mirror::new(node, &upstream);
    impatient(&mirror, &format!("add {HELLO} --upstream {}", server.url)).silently();
    assert!(!is_sent.load(Ordering::SeqCst));
    assert_eq!(server.asked(), 2);
}

fn what_only_ever_drips_is_named_in_the_end(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let body = upstream.get(NAR);
    let server = RawServer::at_first(3, &upstream, NAR, move |_, client| {
        drip(client, &answer(&body), &AtomicBool::default())
    });
    let mirror = Mirror::new(node, &upstream);
    let options = format!("--upstream {}", server.url);
    let run = impatient(&mirror, &format!("add {HELLO} {options}")).exits(3);
    run.says(HELLO).says("too slowly");
    assert_eq!(server.asked(), 3);
    mirror.run(&format!("sync {options}")).silently();
}

fn what_is_slow_and_steady_is_waited_for(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    // A field that nobody knows, longer than a second takes.
    let note = vec![b' '; 6000];
    let narinfo = upstream.get(&format!("{HELLO}.narinfo"));
    let long = [b"Note: ", &note[..], b"\n", &narinfo].concat();
    let server = RawServer::at_first(
        9,
        &upstream,
        &format!("{HELLO}.narinfo"),
        move |_, client| {
            let length = long.len();
            write!(
                client,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            )?;
            for piece in long.chunks(300) {
                thread::sleep(Duration::from_millis(100));
                client.write_all(piece)?;
            }
            Ok(())
        },
    );
    let mirror = Mirror::new(node, &upstream);
    impatient(&mirror, &format!("add {HELLO} --upstream {}", server.url)).silently();
    assert_eq!(server.asked(), 1);
}
