use super::client::MAX_REDIRECTS;
use super::{BuildQuery, ConnectionLimits, Download, HttpError, UpstreamClient};
use crate::guix::fixtures::{self, Outcome};
use crate::guix::{Build, MAX_NARINFO_BYTES};
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::stop::Stop;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(500);
const ANY: BuildQuery<'_> = BuildQuery {
    count: 30,
    system: None,
    jobset: None,
    job: None,
};
const HASH: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

/// A server that gives each answer in turn, one a connection, and collects the heads of
/// the requests.
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
    fn narinfo(&self) -> Result<Option<Vec<u8>>, HttpError> {
        narinfo(&self.base)
    }

    fn nar(&self, url: &str) -> Result<Download, HttpError> {
        client(&self.base)?.nar(url, None)
    }

    fn builds(&self, query: BuildQuery<'_>) -> Result<Vec<Build>, HttpError> {
        client(&self.base)?
            .latest_builds(&query, &Stop::default())
            .map(|answer| answer.builds)
    }

    fn request_lines(&self) -> Vec<String> {
        let heads = self.requests.try_iter();
        let lines = heads.map(|head| head.lines().next().unwrap_or_default().to_owned());
        lines.collect()
    }
}

fn client(base: &str) -> Result<UpstreamClient, HttpError> {
    let limits = ConnectionLimits {
        connect: TIMEOUT,
        read: TIMEOUT,
        low_speed: Duration::from_secs(30),
    };
    UpstreamClient::new(base, limits)
}

fn narinfo(base: &str) -> Result<Option<Vec<u8>>, HttpError> {
    let hash = HASH.parse().expect("a store hash");
    client(base)?.narinfo(&hash, &Stop::default())
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn a_narinfo_is_given_as_it_is_and_a_404_is_none() -> Outcome {
    let server = serve(vec![
        answer("200 OK", "", b"StorePath: x\r\n"),
        answer("404 Not Found", "", b"We're baking it"),
    ])?;
    assert_eq!(server.narinfo()?.as_deref(), Some(&b"StorePath: x\r\n"[..]));
    assert_eq!(server.narinfo()?, None);
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
    let error = server.narinfo().err();
    let Some(error @ HttpError::Redirected { .. }) = error else {
        return Err(format!("{error:?}").into());
    };
    assert!(error.to_string().contains("http://elsewhere.example/x"));
    assert_eq!(error.retry(), Retry::Never);
    Ok(())
}

#[test]
fn a_narinfo_that_is_too_large_is_an_error() -> Outcome {
    let large = vec![b'x'; MAX_NARINFO_BYTES + 1];
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &large].concat();
    let server = serve(vec![answer("200 OK", "", &large), endless])?;
    for _ in 0..2 {
        let error = server.narinfo().err();
        assert!(matches!(error, Some(HttpError::TooLarge { .. })));
    }
    Ok(())
}

#[test]
fn a_narinfo_is_asked_for_three_times() -> Outcome {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nStorePath: ";
    let whole = answer("200 OK", "", b"StorePath: x");
    let busy = answer("503 Service Unavailable", "", b"");
    let server = serve(vec![cut.to_vec(), busy, whole])?;
    assert!(server.narinfo()?.is_some());
    let server = serve(vec![cut.to_vec(); 4])?;
    let error = server.narinfo().err();
    assert!(matches!(error, Some(HttpError::Cut { .. })), "{error:?}");
    assert_eq!(server.request_lines().len(), 3);
    Ok(())
}

#[test]
fn a_nar_streams_with_its_length_from_the_url_as_written() -> Outcome {
    let server = serve(vec![answer("200 OK", "", b"nar")])?;
    let download = server.nar("nar/gzip/x-gtk%2B-3%3F")?;
    assert_eq!(download.length, Some(3));
    assert_eq!(io::read_to_string(download.reader)?, "nar");
    let asked = "GET /nar/gzip/x-gtk%2B-3%3F HTTP/1.1";
    assert_eq!(server.request_lines(), [asked]);
    Ok(())
}

#[test]
fn a_nar_that_is_cut_short_never_ends_cleanly() -> Outcome {
    let by_length = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnar";
    let by_chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nnar";
    let server = serve(vec![by_length.to_vec(), by_chunk.to_vec()])?;
    for _ in 0..2 {
        let mut download = server.nar("nar/x")?;
        let Err(error) = download.reader.read_to_end(&mut Vec::new()) else {
            return Err("the end was clean".into());
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let cause = HttpError::of_read(&error);
        assert_eq!(cause.map(Diagnosis::retry), Some(Retry::Soon));
        assert!(error.to_string().contains("/nar/x"), "{error}");
    }
    Ok(())
}

#[test]
fn redirects_of_a_nar_are_followed_and_not_for_ever() -> Outcome {
    let found = |to: &str| answer("302 Found", &format!("Location: {to}\r\n"), b"");
    let whole = answer("200 OK", "", b"nar");
    let server = serve(vec![found("../other/./x y"), found("?z"), whole])?;
    let download = server.nar("nar/x")?;
    assert_eq!(io::read_to_string(download.reader)?, "nar");
    let asked = ["/nar/x", "/other/x%20y", "/other/x%20y?z"];
    let asked = asked.map(|path| format!("GET {path} HTTP/1.1"));
    assert_eq!(server.request_lines(), asked);

    let circle = serve(vec![found("/nar/x"); 9])?;
    let error = circle.nar("nar/x").err();
    assert!(matches!(error, Some(HttpError::BadRedirect { .. })));
    assert_eq!(circle.request_lines().len(), 1 + MAX_REDIRECTS);
    Ok(())
}

/// The error of a nar whose request is answered like this.
fn refusal(status: &str, headers: &str) -> Outcome<HttpError> {
    let server = serve(vec![answer(status, headers, b"")])?;
    Ok(server.nar("nar/x").err().ok_or(status)?)
}

#[test]
fn a_status_says_whether_to_try_again() -> Outcome {
    let hour = Retry::After(Duration::from_secs(3600));
    for (status, headers, retry) in [
        ("404 Not Found", "", Retry::Never),
        ("403 Forbidden", "", Retry::Never),
        ("206 Partial Content", "", Retry::Never),
        ("501 Not Implemented", "Retry-After: 1\r\n", Retry::Never),
        ("429 Too Many Requests", "Retry-After: 3600\r\n", hour),
        ("503 Service Unavailable", "", Retry::Soon),
    ] {
        let error = refusal(status, headers)?;
        assert_eq!(error.retry(), retry, "{status}");
        let is_missing = matches!(error, HttpError::Missing { .. });
        assert_eq!(is_missing, status.starts_with("40"), "{status}");
    }
    Ok(())
}

#[test]
fn a_server_that_cannot_be_reached_is_asked_once() -> Outcome {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let begun = Instant::now();
    let Err(error) = narinfo(&format!("http://{free}")) else {
        return Err("something answered".into());
    };
    // The pauses before two more tries would be longer.
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(error.is_unreachable());
    assert_eq!(error.retry(), Retry::Soon);
    assert!(error.advice().unwrap_or_default().contains("--upstream"));
    Ok(())
}

#[test]
fn an_odd_retry_after_is_passed_over_and_a_long_one_is_for_another_run() -> Outcome {
    let soon = Retry::Soon;
    let now = Retry::After(Duration::ZERO);
    let most = Retry::After(Duration::from_secs(u64::MAX));
    for (value, retry) in [
        ("", soon),
        ("-1", soon),
        ("1.5", soon),
        ("1e3", soon),
        ("soon", soon),
        ("99999999999999999999", soon),
        ("18446744073709551615", most),
        (" 7 ", Retry::After(Duration::from_secs(7))),
        ("Thu, 01 Jan 1970 00:00:00 GMT", now),
        ("Thursday, 01-Jan-70 00:00:00 GMT", now),
        ("Thu, 32 Jan 2099 00:00:00 GMT", soon),
    ] {
        let error = refusal("503 Busy", &format!("Retry-After: {value}\r\n"))?;
        assert_eq!(error.retry(), retry, "{value}");
    }
    let header = "Retry-After: 18446744073709551615\r\n";
    let server = serve(vec![answer("429 Slow Down", header, b""); 2])?;
    assert!(server.narinfo().is_err());
    assert!(server.builds(ANY).is_err());
    assert_eq!(server.request_lines().len(), 2);
    Ok(())
}

#[test]
fn a_password_is_no_part_of_a_servers_name() -> Outcome {
    let named = client("https://user:secret@h.example/guix/")?;
    assert_eq!(named.base(), "https://h.example/guix");
    let shown = format!("{named:?}");
    let is_shown = shown.contains("user") || shown.contains("secret");
    assert!(!is_shown, "{shown}");
    let error = client("https://user:secret@").err();
    let shown = format!("{error:?}");
    assert!(!shown.contains("secret"), "{shown}");
    Ok(())
}

/// The URL of a server that begins to answer its one client, and then is silent.
fn stalling(scheme: &str, answer: &'static [u8]) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("{scheme}://{}", listener.local_addr()?);
    thread::spawn(move || -> io::Result<TcpStream> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(answer)?;
        thread::sleep(20 * TIMEOUT);
        Ok(stream)
    });
    Ok(base)
}

#[test]
fn a_silent_server_is_dropped_after_the_read_limit() -> Outcome {
    let base = stalling("http", b"")?;
    let begun = Instant::now();
    let error = client(&base)?.nar("nar/x", None).err();
    assert!(matches!(error, Some(HttpError::Silent { .. })), "{error:?}");
    assert!(begun.elapsed() < 10 * TIMEOUT);
    Ok(())
}

#[test]
fn a_server_without_tls_is_told_from_one_that_is_not_there() -> Outcome {
    let base = stalling("https", b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
    let error = narinfo(&base).err();
    assert!(matches!(error, Some(HttpError::Tls { .. })), "{error:?}");
    Ok(())
}

#[test]
fn a_nar_that_stalls_fails_as_silent() -> Outcome {
    let base = stalling("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnar")?;
    let mut download = client(&base)?.nar("nar/x", None)?;
    let error = download.reader.read_to_end(&mut Vec::new()).err();
    let cause = error.as_ref().and_then(HttpError::of_read);
    assert!(matches!(cause, Some(HttpError::Silent { .. })));
    Ok(())
}

#[test]
fn the_latest_builds_are_asked_for_until_they_come() -> Outcome {
    let list = fixtures::read("latestbuilds.json")?;
    let server = serve(vec![
        answer("503 Service Unavailable", "", b""),
        [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &list[..100]].concat(),
        answer("200 OK", "", &list),
        answer("200 OK", "", b"[]"),
    ])?;
    let builds = server.builds(BuildQuery {
        system: Some("x86_64-linux"),
        ..ANY
    })?;
    assert_eq!(builds.len(), 7);
    let none = server.builds(BuildQuery {
        count: 1,
        job: Some("gtk+.x86_64-linux"),
        jobset: Some("guix"),
        ..ANY
    })?;
    assert!(none.is_empty());
    let all = "GET /api/latestbuilds?nr=30&system=x86_64-linux HTTP/1.1";
    let job = "GET /api/latestbuilds?nr=1&job=gtk%2B.x86_64-linux&jobset=guix HTTP/1.1";
    assert_eq!(server.request_lines(), [all, all, all, job]);
    Ok(())
}

#[test]
fn a_server_without_a_list_of_builds_is_asked_once() -> Outcome {
    let server = serve(vec![
        answer("404 Not Found", "", b""),
        answer("200 OK", "", b"<html>"),
    ])?;
    let Err(error @ HttpError::NoBuildList { .. }) = server.builds(ANY) else {
        return Err("a 404 is not a list".into());
    };
    assert!(error.advice().unwrap_or_default().contains("--from FILE"));
    let error = server.builds(ANY).err();
    assert!(matches!(error, Some(HttpError::BuildList { .. })));
    Ok(())
}

#[test]
fn one_client_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<UpstreamClient>();
    shared::<HttpError>();
}
