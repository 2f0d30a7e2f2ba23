//! Downloads whose connection breaks: they go on where it broke, if the server
//! takes part in that, and begin anew where it does not.

use crate::support::{Asked, Item, Mirror, PartServer, Sent, TestNode, Upstream, item};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

on_both_nodes!(
    a_nar_that_is_cut_again_and_again_is_fetched_once,
    what_cannot_be_continued_begins_anew,
    parts_that_do_not_make_the_nar_are_fetched_anew_as_a_whole,
    a_server_that_sends_a_byte_a_connection_is_given_up,
    a_busy_server_is_continued_when_it_says,
    a_download_that_is_silent_or_slow_continues_where_it_was,
    a_signal_ends_the_pause_before_a_download_continues,
);

/// More than the tries of one file.
const CUTS: usize = 5;
/// Bytes of a connection that count as progress.
const PIECE: usize = 260 << 10;
const STRONG: &str = "ETag: \"one\"\r\n";
const DATED: &str = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
                     Date: Fri, 02 Jan 2026 00:00:00 GMT\r\n";

/// The nars of some items, by their paths.
type Nars = Arc<BTreeMap<String, Vec<u8>>>;

/// Serves items of which the nars come by `answer`.
fn serve(
    items: &[Item],
    answer: impl Fn(&Asked, &[u8]) -> Sent + Send + Sync + 'static,
) -> (Upstream, PartServer) {
    let upstream = Upstream::empty();
    upstream.add_items(items);
    let nars = items.iter().map(|item| {
        let nar = item.nar();
        (nar.clone(), item.files[&nar].clone())
    });
    let nars: Nars = Arc::new(nars.collect());
    let server = PartServer::new(&upstream, move |asked| {
        // A redirect leads to the same file.
        let path = asked.path.replace("nar/other/", "nar/gzip/");
        answer(asked, &nars[&path])
    });
    (upstream, server)
}

/// Adds all items at once from the server.
fn add(server: &PartServer, items: &[Item]) -> String {
    let hashes: Vec<_> = items.iter().map(|item| item.hash.as_str()).collect();
    let (hashes, url) = (hashes.join(" "), &server.url);
    format!("add {hashes} --jobs 32 --upstream {url}")
}

/// The file, or the rest that is asked for, cut after `comes` bytes.
fn honest(asked: &Asked, file: &[u8], comes: usize, headers: &str) -> Sent {
    match asked.from {
        Some(from) => Sent::rest(file, from, comes, headers),
        None => Sent::whole(file, comes, headers),
    }
}

fn a_nar_that_is_cut_again_and_again_is_fetched_once(node: &TestNode) {
    // With an ETag, with a date, and behind a redirect that is never the same.
    let items: Vec<_> = (0..3)
        .map(|number| item(number, "cut", CUTS * PIECE + 1000))
        .collect();
    let (dated, moved) = (items[1].nar(), items[2].nar());
    let (upstream, server) = serve(&items, move |asked, file| {
        let (headers, validator) = match asked.path == dated {
            true => (DATED, "Thu, 01 Jan 2026 00:00:00 GMT"),
            false => (STRONG, "\"one\""),
        };
        if asked.path == moved {
            let other = asked.path.replace("nar/gzip/", "/nar/other/");
            let to = format!("Location: {other}?signed={}\r\n", asked.before);
            return Sent::status("302 Found", &to);
        }
        let given = asked.validator.as_deref();
        assert_eq!(given, asked.from.map(|_| validator));
        honest(asked, file, PIECE, headers)
    });
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&add(&server, &items)).silently();
    node.published(&mirror.root()).judge();
    assert_eq!(mirror.list().len(), 3);
    for item in &items {
        let (nar, other) = (item.nar(), item.nar().replace("/gzip/", "/other/"));
        let size = item.files[&nar].len();
        assert_eq!(server.sent(&nar) + server.sent(&other), size, "{nar}");
        assert_eq!(server.asked(&nar).len(), CUTS + 1, "{nar}");
    }
}

fn what_cannot_be_continued_begins_anew(node: &TestNode) {
    type Answer = fn(&[u8], usize) -> Sent;
    /// The headers of the first answer, and the answer to the request for the rest.
    type Kind = (&'static str, Option<Answer>);
    let kinds: [Kind; 16] = [
        // Ranges are ignored, or the file is another now.
        (STRONG, Some(|file, _| Sent::whole(file, 100, STRONG))),
        (
            STRONG,
            Some(|file, _| Sent::whole(file, 100, "ETag: \"two\"\r\n")),
        ),
        (DATED, Some(|file, _| Sent::whole(file, 100, DATED))),
        // The rest is of another file.
        (
            STRONG,
            Some(|file, from| Sent::rest(file, from, 1 << 20, "ETag: \"two\"\r\n")),
        ),
        (
            STRONG,
            Some(|file, from| Sent::rest(file, from, 1 << 20, "ETag: W/\"one\"\r\n")),
        ),
        (
            STRONG,
            Some(|file, from| Sent::rest(&[file, b"!"].concat(), from, 1 << 20, STRONG)),
        ),
        // Another part than asked for, or one that is not named.
        (
            STRONG,
            Some(|file, from| Sent::rest(file, from - 1, 1 << 20, STRONG)),
        ),
        (
            STRONG,
            Some(|file, from| Sent::rest(file, from + 1, 1 << 20, STRONG)),
        ),
        (
            STRONG,
            Some(|file, from| {
                let mut sent = Sent::rest(file, from, 1 << 20, STRONG);
                sent.headers = sent.headers.replace("Content-Range", "X-Range");
                sent
            }),
        ),
        (
            STRONG,
            Some(|file, from| {
                let mut sent = Sent::rest(file, from, 1 << 20, STRONG);
                let total = format!("/{}\r\n", file.len());
                sent.headers = sent.headers.replace(&total, "/*\r\n");
                sent
            }),
        ),
        (
            STRONG,
            Some(|file, from| Sent::rest(file, from, 1 << 20, "Content-Encoding: gzip\r\n")),
        ),
        (
            STRONG,
            Some(|_, _| Sent::status("416 Range Not Satisfiable", "Content-Range: bytes */9\r\n")),
        ),
        // Not asked for the rest at all.
        ("", None),
        ("ETag: W/\"one\"\r\n", None),
        ("ETag: \"one\"\r\nAccept-Ranges: none\r\n", None),
        // Changed as it was sent, for all that is known.
        (
            "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nDate: Thu, 01 Jan 2026 00:00:01 GMT\r\n",
            None,
        ),
    ];
    let items: Vec<_> = (0..=kinds.len() as u64)
        .map(|number| item(number, "anew", 20_000))
        .collect();
    let nars: Vec<_> = items.iter().map(Item::nar).collect();
    let (upstream, server) = serve(&items, move |asked, file| {
        let number = nars.iter().position(|nar| *nar == asked.path).unwrap();
        // The last one comes without a length.
        let (headers, rest) = kinds.get(number).copied().unwrap_or((STRONG, None));
        match (asked.from, asked.before) {
            (Some(from), _) => rest.unwrap()(file, from),
            (None, 0) => {
                let mut sent = Sent::whole(file, 9000, headers);
                if number == kinds.len() {
                    sent.headers = format!("Transfer-Encoding: chunked\r\n{STRONG}");
                    sent.body = [b"2328\r\n", &sent.body[..], b"\r\n"].concat();
                }
                sent
            }
            (None, _) => Sent::whole(file, usize::MAX, headers),
        }
    });
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&add(&server, &items)).silently();
    node.published(&mirror.root()).judge();
    for (number, item) in items.iter().enumerate() {
        let rest = (number < 12).then_some(Some(9000));
        let expected: Vec<_> = [Some(None), rest, Some(None)]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(server.asked(&item.nar()), expected, "{number}");
    }
}

fn parts_that_do_not_make_the_nar_are_fetched_anew_as_a_whole(node: &TestNode) {
    let items: Vec<_> = (0..3).map(|number| item(number, "parts", 20_000)).collect();
    let nars: Vec<_> = items.iter().map(Item::nar).collect();
    let (upstream, server) = serve(&items, move |asked, file| {
        let number = nars.iter().position(|nar| *nar == asked.path).unwrap();
        let mut other = file.to_vec();
        other[5000] ^= 1;
        match (number, asked.before) {
            // The beginning of another version, under the same ETag.
            (_, 0) => Sent::whole(&other, 9000, STRONG),
            (_, 1) => Sent::rest(file, asked.from.unwrap(), usize::MAX, STRONG),
            // It is the same version each time, and another than promised.
            (1, _) => Sent::whole(&other, usize::MAX, STRONG),
            // Cut once more.
            (2, 2) => Sent::whole(file, 9000, STRONG),
            _ => Sent::whole(file, usize::MAX, STRONG),
        }
    });
    let mirror = Mirror::new(node, &upstream);
    let run = mirror.run(&add(&server, &items)).exits(3);
    let run = run.says(&items[1].hash);
    assert!(!run.err.contains(&items[0].hash), "{run:?}");
    assert!(!run.err.contains(&items[2].hash), "{run:?}");
    node.published(&mirror.root()).judge();
    let asked = items.iter().map(|item| server.asked(&item.nar()));
    let rest = Some(9000);
    assert_eq!(
        asked.collect::<Vec<_>>(),
        [
            vec![None, rest, None],
            vec![None, rest, None],
            vec![None, rest, None, None],
        ]
    );
}

fn a_server_that_sends_a_byte_a_connection_is_given_up(node: &TestNode) {
    let items: Vec<_> = (0..3).map(|number| item(number, "byte", 20_000)).collect();
    let nars: Vec<_> = items.iter().map(Item::nar).collect();
    let (upstream, server) = serve(&items, move |asked, file| {
        match nars.iter().position(|nar| *nar == asked.path).unwrap() {
            0 => honest(asked, file, 1, STRONG),
            1 => honest(asked, file, 2000, STRONG),
            _ if asked.from.is_some() => Sent::status("503 Busy", ""),
            _ => honest(asked, file, 9000, STRONG),
        }
    });
    let mirror = Mirror::new(node, &upstream);
    let run = mirror.run(&add(&server, &items)).exits(3);
    for (item, last) in items.iter().zip([2, 4000, 9000]) {
        let asked = server.asked(&item.nar());
        assert_eq!((asked.len(), asked[2]), (3, Some(last)));
        assert!(run.err.contains(&item.hash), "{run:?}");
    }
    // Owed, and not refused.
    let owed = mirror.run("resolve --long").exits(0).out;
    assert!(owed.contains(&items[0].hash), "{owed}");
}

fn a_busy_server_is_continued_when_it_says(node: &TestNode) {
    let items = [item(1, "busy", 20_000)];
    let (upstream, server) = serve(&items, |asked, file| match asked.before {
        0 => Sent::whole(file, 9000, STRONG),
        1 => Sent::status("503 Busy", "Retry-After: 3\r\n"),
        _ => honest(asked, file, usize::MAX, STRONG),
    });
    let mirror = Mirror::new(node, &upstream);
    let begun = Instant::now();
    mirror.run(&add(&server, &items)).silently();
    assert!(begun.elapsed() >= Duration::from_secs(3));
    let rest = Some(9000);
    assert_eq!(server.asked(&items[0].nar()), [None, rest, rest]);
}

fn a_download_that_is_silent_or_slow_continues_where_it_was(node: &TestNode) {
    let options = ["--read-timeout 1", "--low-speed-time 1"];
    for (number, option) in options.iter().enumerate() {
        let items = [item(number as u64, "silent", 20_000)];
        let (upstream, server) = serve(&items, move |asked, file| match asked.before {
            0 => Sent {
                drip: file[9000..][..100 * number].to_vec(),
                silence: Duration::from_secs(2),
                ..Sent::whole(file, 9000, STRONG)
            },
            _ => honest(asked, file, usize::MAX, STRONG),
        });
        let mirror = Mirror::new(node, &upstream);
        let add = add(&server, &items);
        let key = format!("--key silent-{number}");
        mirror.run(&format!("{add} {option} {key}")).silently();
        let asked = server.asked(&items[0].nar());
        assert_eq!(asked.len(), 2, "{option}");
        assert!((9000..9100).contains(&asked[1].unwrap()), "{asked:?}");
    }
}

fn a_signal_ends_the_pause_before_a_download_continues(node: &TestNode) {
    let items = [item(1, "pause", 20_000)];
    let (upstream, server) = serve(&items, |asked, file| match asked.from {
        None => Sent::whole(file, 9000, STRONG),
        Some(_) => Sent::status("503 Busy", "Retry-After: 50\r\n"),
    });
    let mirror = Mirror::new(node, &upstream);
    let mut command = mirror.command(&add(&server, &items));
    let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while server.asked(&items[0].nar()).len() < 2 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    crate::support::signal(&running, "-TERM");
    assert_eq!(running.wait().unwrap().code(), Some(143));
    assert!(begun.elapsed() < Duration::from_secs(10));
    let mut said = String::new();
    let mut stderr = running.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}
