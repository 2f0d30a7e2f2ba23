use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use super::*;
use crate::guix::CuirassError;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const TIMEOUT: Duration = Duration::from_millis(500);
const HASH: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

/// A server that gives each answer in turn, one a connection, and tells the
/// heads of the requests.
struct Server {
    base: String,
    requests: Receiver<String>,
}

fn serve(answers: Vec<Vec<u8>>) -> io::Result<Server> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let (sender, requests) = channel();
    thread::spawn(move || -> io::Result<()> {
        for answer in answers {
            let (mut stream, _) = listener.accept()?;
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone()?);
            while lines.read_line(&mut head)? > 2 {}
            let _ = sender.send(head);
            // A client may well have had enough before the end.
            let _ = stream.write_all(&answer);
        }
        Ok(())
    });
    Ok(Server { base, requests })
}

impl Server {
    fn upstream(&self) -> Result<Upstream, HttpError> {
        Upstream::new(&self.base, TIMEOUT, TIMEOUT)
    }

    fn request_lines(&self) -> Vec<String> {
        let heads = self.requests.try_iter();
        heads
            .map(|head| head.lines().next().unwrap_or_default().to_owned())
            .collect()
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn a_narinfo_that_is_there_is_given_as_it_is_and_a_404_is_none() -> Outcome {
    let server = serve(vec![
        answer("200 OK", "", b"StorePath: x\r\n"),
        answer("404 Not Found", "", b"We're baking it"),
    ])?;
    let upstream = server.upstream()?;
    let hash = HASH.parse()?;
    assert_eq!(
        upstream.narinfo(&hash)?.as_deref(),
        Some(&b"StorePath: x\r\n"[..])
    );
    assert_eq!(upstream.narinfo(&hash)?, None);
    let head = server.requests.recv()?;
    assert!(head.starts_with(&format!("GET /{HASH}.narinfo HTTP/1.1\r\n")));
    let agent = concat!("user-agent: guix-ipfs/", env!("CARGO_PKG_VERSION"));
    assert!(head.to_lowercase().contains(agent), "{head}");
    Ok(())
}

#[test]
fn a_redirected_narinfo_is_an_error_that_names_where_it_leads() -> Outcome {
    let to = "Location: http://elsewhere.example/x\r\n";
    let server = serve(vec![answer("302 Found", to, b"")])?;
    let error = server.upstream()?.narinfo(&HASH.parse()?).err();
    let Some(error @ HttpError::Redirected { .. }) = error else {
        return Err(format!("{error:?}").into());
    };
    assert!(error.to_string().contains("http://elsewhere.example/x"));
    assert!(!error.is_transient());
    Ok(())
}

#[test]
fn a_narinfo_that_is_too_large_or_cut_short_is_an_error() -> Outcome {
    let large = vec![b'x'; MAX_NARINFO_BYTES + 1];
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nStorePath: ";
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &large].concat();
    let server = serve(vec![answer("200 OK", "", &large), endless, cut.to_vec()])?;
    let upstream = server.upstream()?;
    let hash = HASH.parse()?;
    for _ in 0..2 {
        let error = upstream.narinfo(&hash).err();
        assert!(matches!(error, Some(HttpError::TooLarge { .. })));
    }
    let error = upstream.narinfo(&hash).err();
    assert!(matches!(error, Some(HttpError::Cut { .. })), "{error:?}");
    assert!(error.is_some_and(|e| e.is_transient()));
    Ok(())
}

#[test]
fn a_nar_streams_with_its_length_from_the_url_as_written() -> Outcome {
    let server = serve(vec![answer("200 OK", "", b"nar")])?;
    let mut download = server.upstream()?.nar("nar/gzip/x-gtk%2B-3%3F")?;
    let mut bytes = Vec::new();
    download.reader.read_to_end(&mut bytes)?;
    assert_eq!((download.length, &bytes[..]), (Some(3), &b"nar"[..]));
    assert_eq!(
        server.request_lines(),
        ["GET /nar/gzip/x-gtk%2B-3%3F HTTP/1.1"]
    );
    Ok(())
}

#[test]
fn a_nar_that_is_cut_short_never_ends_cleanly() -> Outcome {
    let by_length = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnar";
    let by_chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nnar";
    let server = serve(vec![by_length.to_vec(), by_chunk.to_vec()])?;
    let upstream = server.upstream()?;
    for _ in 0..2 {
        let mut download = upstream.nar("nar/x")?;
        let Err(error) = download.reader.read_to_end(&mut Vec::new()) else {
            return Err("the end was clean".into());
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let cause = HttpError::from_io(&error);
        assert!(cause.is_some_and(HttpError::is_transient));
        assert!(error.to_string().contains("/nar/x"), "{error}");
    }
    Ok(())
}

#[test]
fn redirects_of_a_nar_are_followed_and_not_for_ever() -> Outcome {
    let found = |to: &str| answer("302 Found", &format!("Location: {to}\r\n"), b"");
    let server = serve(vec![found("/other/x?y"), answer("200 OK", "", b"nar")])?;
    let mut text = String::new();
    let mut download = server.upstream()?.nar("nar/x")?;
    download.reader.read_to_string(&mut text)?;
    assert_eq!(text, "nar");
    assert_eq!(
        server.request_lines(),
        ["GET /nar/x HTTP/1.1", "GET /other/x?y HTTP/1.1"]
    );

    let circle = serve(vec![found("/nar/x"); 9])?;
    let error = circle.upstream()?.nar("nar/x").err();
    assert!(matches!(error, Some(HttpError::BadRedirect { .. })));
    assert_eq!(circle.request_lines().len(), 1 + MAX_REDIRECTS);
    Ok(())
}

#[test]
fn a_status_says_whether_to_try_again() -> Outcome {
    for (status, transient) in [
        ("404 Not Found", false),
        ("403 Forbidden", false),
        ("206 Partial Content", false),
        ("429 Too Many Requests", true),
        ("503 Service Unavailable", true),
    ] {
        let server = serve(vec![answer(status, "", b"")])?;
        let Err(error) = server.upstream()?.nar("nar/x") else {
            return Err(status.into());
        };
        assert_eq!(error.is_transient(), transient, "{status}");
        let missing = matches!(error, HttpError::Missing { .. });
        assert_eq!(missing, status.starts_with("404"));
    }
    Ok(())
}

#[test]
fn a_server_that_is_not_there_is_told_from_one_that_is_silent() -> Outcome {
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let upstream = Upstream::new(&format!("http://{gone}"), TIMEOUT, TIMEOUT)?;
    let error = upstream.narinfo(&HASH.parse()?).err();
    assert!(error.is_some_and(|e| e.is_unreachable() && e.is_transient()));

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let asked = Instant::now();
    let error = Upstream::new(&base, TIMEOUT, TIMEOUT)?
        .narinfo(&HASH.parse()?)
        .err();
    assert!(matches!(error, Some(HttpError::Silent { .. })), "{error:?}");
    assert!(asked.elapsed() < 10 * TIMEOUT);
    Ok(())
}

#[test]
fn a_server_that_speaks_no_tls_is_told_from_one_that_is_not_there() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("https://{}", listener.local_addr()?);
    let server = thread::spawn(move || -> io::Result<_> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(&answer("400 Bad Request", "", b""))?;
        Ok(stream)
    });
    let upstream = Upstream::new(&base, TIMEOUT, TIMEOUT)?;
    let error = upstream.narinfo(&HASH.parse()?).err();
    assert!(matches!(error, Some(HttpError::Tls { .. })), "{error:?}");
    assert!(server.join().is_ok_and(|stream| stream.is_ok()));
    Ok(())
}

#[test]
fn a_nar_that_stalls_fails_as_silent() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let upstream = Upstream::new(&base, TIMEOUT, TIMEOUT)?;
    let server = thread::spawn(move || -> io::Result<_> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnar")?;
        Ok(stream)
    });
    let mut download = upstream.nar("nar/x")?;
    let error = download.reader.read_to_end(&mut Vec::new()).err();
    assert!(matches!(
        error.as_ref().and_then(HttpError::from_io),
        Some(HttpError::Silent { .. })
    ));
    assert!(server.join().is_ok_and(|stream| stream.is_ok()));
    Ok(())
}

#[test]
fn the_latest_builds_are_asked_for_and_read() -> Outcome {
    let list = include_bytes!("../../fixtures/latestbuilds.json");
    let server = serve(vec![
        answer("200 OK", "", list),
        answer("200 OK", "", b"[]"),
        answer("404 Not Found", "", b""),
        answer("200 OK", "", b"<html>"),
    ])?;
    let upstream = server.upstream()?;
    let builds = upstream.latest_builds(30, Some("x86_64-linux"), None)?;
    assert_eq!(builds.len(), 7);
    let none = upstream.latest_builds_of_job(1, "gtk+.x86_64-linux", Some("guix"))?;
    assert!(none.is_empty());
    assert_eq!(
        server.request_lines(),
        [
            "GET /api/latestbuilds?nr=30&system=x86_64-linux HTTP/1.1",
            "GET /api/latestbuilds?nr=1&job=gtk%2B.x86_64-linux&jobset=guix HTTP/1.1",
        ]
    );
    let Err(error @ HttpError::NoBuildList { .. }) = upstream.latest_builds(1, None, None) else {
        return Err("a 404 is no list".into());
    };
    assert!(error.to_string().contains("--from FILE"));
    assert!(matches!(
        upstream.latest_builds(1, None, None),
        Err(HttpError::BuildList {
            source: CuirassError::Json(_),
            ..
        })
    ));
    Ok(())
}

#[test]
fn one_client_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Upstream>();
    shared::<HttpError>();
}
