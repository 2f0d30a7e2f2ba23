//! A person at a terminal: what is shown there, and what is never shown raw.

use crate::support::{Fault, Mirror, RawServer, Run, Terminal, TestNode, Upstream, item, run};
use guix_ipfs::gateway::http::{Request, Response, Server};
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

on_both_nodes!(
    text_from_outside_is_escaped,
    a_run_that_is_interrupted_says_so,
    a_list_is_typed_undisturbed,
    json_at_a_terminal_is_alone,
);

/// Text that would clear a screen, forge a line, and turn the writing around.
const ATTACK: &str = "\x1b[2J\u{9b}31m\r\nforged\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\x7f";

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

/// Fails the test if anything but plain text in whole lines was said.
#[track_caller]
fn is_plain(run: &Run) {
    let is_odd = |c: char| c != '\n' && (c.is_control() || ATTACK.contains(c) && !c.is_ascii());
    let said = format!("{}{}", run.err, run.out);
    assert!(!said.contains(is_odd), "{said:?}");
    assert!(
        !said.lines().any(|line| line.starts_with("forged")),
        "{said}"
    );
    assert!(
        said.contains("\\u{202e}") || said.contains("\\u202e"),
        "{said}"
    );
}

fn text_from_outside_is_escaped(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    // Files, values and words of the command line.
    for (verb, words) in [
        ("sync", &["--from", ATTACK][..]),
        ("sync", &["--trusted-keys", ATTACK]),
        ("sync", &["--jobs", ATTACK]),
        ("sync", &["--graft", ATTACK]),
        ("sync", &["--upstream", ATTACK]),
        ("sync", &["--base", ATTACK]),
        ("add", &[ATTACK]),
        ("resolve", &[ATTACK]),
        ("resolve", &["--key", ATTACK]),
        ("resolve", &["--key", ATTACK, "--json"]),
        ("remove", &[ATTACK]),
        ("sync", &[ATTACK]),
    ] {
        is_plain(&run(mirror.command(verb).args(words)));
    }
    is_plain(&run(mirror.command("").arg(ATTACK)));
    is_plain(&run(mirror.command("sync").arg(format!("--{ATTACK}"))));
    is_plain(&run(mirror.command("sync").env("GUIX_IPFS_JOBS", ATTACK)));
    is_plain(&run(mirror.command("sync").env("GUIX_IPFS_API", ATTACK)));
    let mut help = mirror.command("sync --help");
    help.env("GUIX_IPFS_SYSTEM", ATTACK);
    let help = run(help.env("GUIX_IPFS_UPSTREAM", "http://me:secret@a")).exits(0);
    let is_hidden = !help.out.contains('\x1b') && !help.out.contains("secret");
    assert!(
        is_hidden && help.out.contains("GUIX_IPFS_UPSTREAM"),
        "{help:?}"
    );
    // The node's words.
    let message = serde_json::json!({"Message": ATTACK, "Code": 0, "Type": "error"});
    let hostile = Server::bind(0, move |_: &Request| {
        Response::new(500, "application/json", message.to_string())
    });
    let run_with = |api: &str| mirror.run(&format!("sync --api {api}"));
    is_plain(&run_with(&hostile.unwrap().url()));
    let version = serde_json::json!({"Version": format!("0.1.0{ATTACK}")});
    let hostile = Server::bind(0, move |_: &Request| {
        Response::new(200, "application/json", version.to_string())
    });
    let said = run_with(&hostile.unwrap().url());
    assert!(!said.err.contains('\x1b'), "{said:?}");
    // The upstream's: a location, and lines of a narinfo.
    let narinfo = format!("{HELLO}.narinfo");
    let location = |client: &mut std::net::TcpStream| {
        write!(
            client,
            "HTTP/1.1 302 Found\r\nLocation: http://a/\u{202e}\u{2066}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    let server = RawServer::new(&upstream, &narinfo, location);
    let add = |url: &str| mirror.run(&format!("add {HELLO} --upstream {url}"));
    is_plain(&add(&server.url));
    let attack = ATTACK.replace(['\r', '\n'], "");
    for (line, hostile) in [
        ("StorePath: ", format!("StorePath: {attack}")),
        ("URL: ", format!("URL: {attack}")),
        ("Compression: ", format!("Compression: {attack}")),
        ("NarSize: ", format!("NarSize: {attack}")),
        ("References: ", format!("References: {attack} ")),
    ] {
        let before = upstream.get(&narinfo);
        upstream.edit_text(HELLO, line, &hostile);
        let run = mirror.run(&format!("add {HELLO}"));
        assert_eq!(run.code, Some(3), "{line}: {run:?}");
        let has_control = |text: &str| text.contains(|c: char| c != '\n' && c.is_control());
        assert!(!has_control(&run.err), "{line}: {run:?}");
        // What is owed is kept with its reason.
        let long = mirror.run("resolve --long");
        assert!(!has_control(&long.out), "{line}: {long:?}");
        assert!(!long.out.contains('\u{202e}'), "{line}: {long:?}");
        upstream.set(&narinfo, before);
    }
    // With colours of the program's own, nothing else is one.
    let mut command = mirror.command("sync --from");
    command.arg(ATTACK);
    let (code, shown) = Terminal::start(&command).ends();
    assert_eq!(code, Some(1), "{shown:?}");
    assert!(shown.contains("\x1b["), "{shown:?}");
    assert!(
        !shown.contains("\x1b[2J") && !shown.contains('\u{202e}'),
        "{shown:?}"
    );
    assert!(
        shown.contains("\\u{1b}[2J\\u{9b}31m\\r\\nforged\\u{202e}"),
        "{shown:?}"
    );
}

fn a_run_that_is_interrupted_says_so(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let items = [item(0, "first", 2000), item(1, "second", 2000)];
    upstream.add_items(&items);
    let nar = items[1].nar();
    upstream.spoil(&nar, &[Fault::Stall(Duration::from_secs(100)); 4]);
    let hashes = [&*items[0].hash, &*items[1].hash].join(" ");
    let terminal = Terminal::start(&mirror.command(&format!("add {hashes}")));
    while !upstream.has_asked(&nar) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The other job is done with what it has.
    std::thread::sleep(Duration::from_millis(500));
    terminal.types("\x03");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(130), "{shown}");
    let (_, after) = shown
        .rsplit_once("interrupted; publishing what is complete")
        .unwrap();
    assert!(after.contains("mirrored 1 item, "), "{shown:?}");
    // The moving line is gone from the screen.
    let last = after.trim_end().rsplit('\n').next().unwrap();
    assert!(!last.contains("of 2 items"), "{shown:?}");
    // So is a list that is typed given up.
    let terminal = Terminal::start(&mirror.command("sync --from -"));
    terminal.waits_for(1, "Ctrl-D");
    terminal.types("\x03");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.trim_end().ends_with("interrupted"), "{shown:?}");
    // Before a run begins, there is nothing to publish.
    let deaf = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let api = format!("http://{}", deaf.local_addr().unwrap());
    let terminal = Terminal::start(&mirror.command(&format!("sync --api {api}")));
    let (_client, _) = deaf.accept().unwrap();
    terminal.types("\x03");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.trim_end().ends_with("interrupted"), "{shown:?}");
}

fn a_list_is_typed_undisturbed(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for verb in ["sync --from -", "add -"] {
        let terminal = Terminal::start(&mirror.command(verb));
        terminal.waits_for(1, "Ctrl-D on a line of its own");
        // Longer than a moving line takes to appear.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(terminal.shown().lines().count(), 1, "{}", terminal.shown());
        terminal.types(&format!("{HELLO}\n\x04"));
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(0), "{shown}");
    }
    assert!(mirror.list().iter().any(|path| path.contains(HELLO)));
}

fn json_at_a_terminal_is_alone(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let (code, shown) = Terminal::start(&mirror.command("sync --json")).ends();
    assert_eq!(code, Some(0), "{shown}");
    let sum: serde_json::Value = serde_json::from_str(shown.trim()).unwrap();
    assert_eq!(sum["added"].as_array().unwrap().len(), 8, "{shown}");
}
