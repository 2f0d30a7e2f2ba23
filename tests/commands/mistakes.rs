//! The likeliest mistakes: each is answered with a line that says what happened
//! and a line that says what to do.

use crate::support::{Fault, Mirror, Run, TestNode, Upstream, fixture, run};
use guix_ipfs::gateway::http::{Request, Response, Server};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

/// An address at which nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";
/// A hash that no upstream has.
const NOTHING: &str = "00000000000000000000000000000000";

impl Run {
    /// Fails the test unless the run said just this: what happened, what to do.
    #[track_caller]
    fn says_what_and_what_to_do(&self, what: &str, way_out: &str) {
        let lines: Vec<&str> = self.err.lines().collect();
        let [first, second] = lines.as_slice() else {
            panic!("not two lines: {self:?}");
        };
        assert!(first.starts_with("guix-ipfs: "), "{self:?}");
        assert!(first.contains(what), "no {what:?} in {self:?}");
        assert!(second.starts_with("  "), "{self:?}");
        assert!(second.contains(way_out), "no {way_out:?} in {self:?}");
        assert!(self.out.is_empty(), "{self:?}");
    }
}

/// Something that answers every call for the RPC with this status and text.
fn answering(status: u16, kind: &'static str, text: &'static str) -> Server {
    Server::bind(0, move |_: &Request| {
        Response::new(status, kind, text.to_owned())
    })
    .unwrap()
}

fn with_api(api: &str) -> Mirror {
    Mirror::at(api, &Upstream::empty())
}

#[test]
fn no_node_answers() {
    let run = with_api(NOWHERE).run("sync").exits(75);
    run.says_what_and_what_to_do("no node answers at http://127.0.0.1:1", "ipfs daemon");
}

#[test]
fn the_node_is_too_old() {
    for agent in ["kubo/0.28.0/", "an agent of another name"] {
        let node = Server::bind(0, move |_: &Request| {
            let answer =
                format!(r#"{{"ID":"12D3Koo","AgentVersion":"{agent}","Version":"0.28.0"}}"#);
            Response::new(200, "application/json", answer)
        });
        let run = with_api(&node.unwrap().url()).run("sync").exits(1);
        run.says_what_and_what_to_do("Kubo 0.28 is too old", "update it to 0.29");
    }
}

#[test]
fn the_node_refuses_access() {
    let node = answering(403, "text/plain", "403 - Forbidden");
    let run = with_api(&node.url()).run("sync").exits(1);
    run.says_what_and_what_to_do("the node refuses access (HTTP 403)", "$GUIX_IPFS_API_AUTH");
}

#[test]
fn the_nodes_disk_is_full() {
    let text = r#"{"Message":"write blocks/x: no space left on device","Code":0,"Type":"error"}"#;
    let node = answering(500, "application/json", text);
    let run = with_api(&node.url()).run("sync").exits(1);
    run.says_what_and_what_to_do("no space left on device", "make room on the node's disk");
}

#[test]
fn what_is_named_is_no_address() {
    let run = with_api("/ip4/127.0.0.1").run("sync").exits(2);
    assert!(
        run.err.contains("not the address of a node's RPC"),
        "{run:?}"
    );
    assert!(run.err.contains("try /ip4/127.0.0.1/tcp/5001"), "{run:?}");
}

on_both_nodes!(
    a_name_does_not_resolve,
    a_key_is_not_there,
    nothing_is_known_of_a_name,
    a_website_is_under_the_key,
    another_writer_uses_the_key,
    the_published_root_is_not_whole_here,
    the_published_root_mixes_cid_versions,
    another_run_holds_the_lock,
    the_upstream_is_down,
    the_upstream_speaks_no_tls,
    the_upstream_has_no_list_of_builds,
    the_upstream_is_no_url,
    no_upstream_has_a_hash,
    no_farm_has_a_package,
    a_narinfo_is_not_signed,
    a_narinfo_is_signed_by_a_stranger,
    what_is_named_is_no_hash,
    the_list_cannot_be_read,
    a_proxy_is_in_the_way,
    an_init_comes_too_late,
    a_hash_is_mistyped,
    something_else_than_an_item_is_named,
    a_value_is_none_that_the_option_takes,
    a_value_is_empty,
    a_variable_holds_something_else,
    a_key_is_mistyped,
    a_name_is_mistyped,
    the_rpc_speaks_no_tls,
    only_a_local_store_is_there,
    sizes_are_not_known,
    an_upstream_falls_silent,
);

on_kubo_alone!(the_gateway_is_named_instead, the_node_has_no_peers);

/// A name that some node has.
const NAME: &str = "k51qzi5uqu5dgyg3xos212pqpfmzl7b4q72dpr4mp54n5vdoqllf8mkfc43cea";

fn mirror(node: &TestNode) -> (Mirror, Upstream) {
    let upstream = Upstream::of_fixtures();
    (Mirror::new(node, &upstream), upstream)
}

fn key(node: &TestNode) -> String {
    node.create_key("guix-ipfs")
}

/// Publishes something under the key as a stranger to this program would.
fn publish(node: &TestNode, root: &str) {
    node.publish("guix-ipfs", root);
}

/// Stores a directory without what stands below it.
fn directory(node: &TestNode, version: CidVersion, entries: &[(&str, Cid)]) -> Entry {
    let entries = entries.iter().map(|(name, cid)| {
        let entry = Entry {
            cid: *cid,
            size: 10,
        };
        ((*name).to_owned(), entry)
    });
    let directory = PlainDirectory {
        entries: entries.collect(),
    };
    let (block, entry) = directory.encode(version);
    node.store([(entry.cid, block)]);
    entry
}

fn a_name_does_not_resolve(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run(&format!("resolve {NAME}")).exits(1);
    run.says_what_and_what_to_do("does not resolve", "run again later");
}

fn a_key_is_not_there(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("resolve").exits(1);
    run.says_what_and_what_to_do("no key named \"guix-ipfs\"", "guix-ipfs init");
}

fn the_gateway_is_named_instead(node: &TestNode) {
    let run = with_api(&node.gateway).run("sync").exits(1);
    let what = format!(
        "{} is not a node's RPC; it may be its gateway",
        node.gateway
    );
    run.says_what_and_what_to_do(&what, "ipfs config Addresses.API");
}

fn nothing_is_known_of_a_name(node: &TestNode) {
    let name = key(node);
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("sync").exits(1);
    run.says_what_and_what_to_do(
        &format!("nothing is known of /ipns/{name}"),
        "guix-ipfs init",
    );
}

fn a_website_is_under_the_key(node: &TestNode) {
    key(node);
    let page = node.add(b"<h1>My page</h1>");
    let site = directory(node, CidVersion::V0, &[("index.html", page)]);
    publish(node, &site.cid.to_string());
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("sync").exits(1);
    run.says_what_and_what_to_do("not a directory of substitutes", "--key NAME");
}

fn another_writer_uses_the_key(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    mirror.run("sync").silently();
    let ours = mirror.root();
    let info = node.add(b"StoreDir: /gnu/store\n");
    let theirs = directory(node, CidVersion::V0, &[("nix-cache-info", info)]);
    publish(node, &theirs.cid.to_string());
    let run = mirror.run("sync").exits(1);
    run.says_what_and_what_to_do("another writer uses the key", &format!("--base {ours}"));
}

fn the_published_root_is_not_whole_here(node: &TestNode) {
    key(node);
    let nowhere: Cid = "QmQy6xmJhrcC5QLboAcGFcAE1tC8CrwDVkrHdEYJkLscrQ"
        .parse()
        .unwrap();
    let info = node.add(b"StoreDir: /gnu/store\n");
    let entries = [("nar", nowhere), ("nix-cache-info", info)];
    let root = directory(node, CidVersion::V0, &entries);
    publish(node, &root.cid.to_string());
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("sync").exits(1);
    let way_out = format!("ipfs pin add /ipfs/{}", root.cid);
    run.says_what_and_what_to_do("is not whole on this node", &way_out);
}

fn the_published_root_mixes_cid_versions(node: &TestNode) {
    key(node);
    let nar = directory(node, CidVersion::V0, &[]);
    let info = node.add_as(CidVersion::V1, b"StoreDir: /gnu/store\n");
    let entries = [("nar", nar.cid), ("nix-cache-info", info)];
    let root = directory(node, CidVersion::V1, &entries).cid;
    publish(node, &root.to_string());
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("sync").exits(1);
    run.says_what_and_what_to_do("mixes CIDv0 and CIDv1 (nar", &format!("--base {root}"));
    mirror.run(&format!("sync --base {root}")).silently();
}

fn another_run_holds_the_lock(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    mirror.run("init").silently();
    let peer = &node.node().description().peer_id;
    let name = node.key_id("guix-ipfs").unwrap();
    let state = mirror.home().join(".local/state/guix-ipfs");
    let path = state.join(format!("{peer}-{name}.lock"));
    let mut lock = File::options().write(true).open(path).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    writeln!(lock, "{}", std::process::id()).unwrap();
    let run = mirror.run("sync").exits(75);
    assert!(run.err.is_empty() && run.out.is_empty(), "{run:?}");
    let run = mirror.run("sync -v").exits(75);
    let what = format!("another run (process {}) is writing", std::process::id());
    run.says_what_and_what_to_do(&what, "try again later");
    // A child of another test may still share the open file.
    flock(&lock, FlockOperation::Unlock).unwrap();
    mirror.run("sync").silently();
}

fn the_upstream_is_down(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run(&format!("sync --upstream {NOWHERE}")).exits(75);
    run.says_what_and_what_to_do(
        "cannot reach the server of http://127.0.0.1:1",
        "--upstream",
    );
}

/// A server of plain HTTP, and its answer to what it does not understand.
fn without_tls() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    format!("http://{address}")
}

fn the_upstream_speaks_no_tls(node: &TestNode) {
    let secure = without_tls().replacen("http", "https", 1);
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run(&format!("sync --upstream {secure}")).exits(1);
    run.says_what_and_what_to_do("no secure connection to the server", "the port speaks TLS");
}

fn the_upstream_has_no_list_of_builds(node: &TestNode) {
    let upstream = Upstream::empty();
    let run = Mirror::new(node, &upstream).run("sync").exits(1);
    run.says_what_and_what_to_do("no list of latest builds", "--from FILE");
}

fn the_upstream_is_no_url(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    for url in [
        "ci.guix.gnu.org",
        "ftp://ci.guix.gnu.org",
        "http://",
        "https://a/?b",
    ] {
        let run = mirror.run(&format!("sync --upstream {url}")).exits(2);
        // A query can be a secret.
        let shown = url.replace("?b", "?…");
        run.says(&format!(
            "invalid value '{shown}' for '--upstream <URL>': it "
        ))
        .says("give a server as https://HOST");
    }
}

fn no_upstream_has_a_hash(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run(&format!("add {NOTHING}")).exits(3);
    run.says_what_and_what_to_do(
        &format!("{NOTHING}: no upstream has it"),
        "check its spelling",
    );
}

fn no_farm_has_a_package(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("add no-such-package").exits(3);
    run.says_what_and_what_to_do("no-such-package: no build farm lists", "guix show");
}

/// An item of the fixtures.
const ITEM: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";

fn a_narinfo_is_not_signed(node: &TestNode) {
    let (mirror, upstream) = mirror(node);
    upstream.edit_text(ITEM, "Signature: ", "Unsigned: ");
    let own = fixture("signing-key.pub");
    let run = mirror.run(&format!("add {ITEM} --trusted-keys {}", own.display()));
    let run = run.exits(3);
    run.says_what_and_what_to_do("its narinfo is not signed", "a server that signs");
}

fn a_narinfo_is_signed_by_a_stranger(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let farm = fixture("farm/ci.guix.gnu.org.pub");
    let run = mirror.run(&format!("add {ITEM} --trusted-keys {}", farm.display()));
    run.exits(3)
        .says_what_and_what_to_do("which is not trusted", "--trusted-keys");
}

fn what_is_named_is_no_hash(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("add /gnu/store/nonsense").exits(2);
    assert!(run.err.contains("not a store hash"), "{run:?}");
    assert!(run.err.contains("try '--help'"), "{run:?}");
}

fn the_list_cannot_be_read(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run("sync --from /nowhere").exits(1);
    run.says_what_and_what_to_do("cannot read the store paths of /nowhere", "standard input");
}

fn a_proxy_is_in_the_way(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let mut sync = mirror.command("sync --upstream http://farm.example");
    let run = run(sync.env("http_proxy", "http://me:secret@127.0.0.1:1")).exits(75);
    let what = "cannot reach the proxy http://127.0.0.1:1 of $http_proxy";
    run.says_what_and_what_to_do(what, "that the proxy is up");
    assert!(!run.err.contains("secret"), "{run:?}");
}

fn an_init_comes_too_late(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    mirror.run("init").silently();
    let run = mirror.run("init").exits(1);
    run.says_what_and_what_to_do("already points to", "guix-ipfs sync");
}

fn the_node_has_no_peers(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let mut sync = mirror.command("sync");
    let run = run(sync.env_remove("GUIX_IPFS_ALLOW_OFFLINE")).exits(1);
    run.says_what_and_what_to_do("reach nobody else", "--allow-offline");
}

/// Items of the farm's list, with a size for none.
fn sizes_are_not_known(node: &TestNode) {
    let (mirror, upstream) = mirror(node);
    let narinfo = format!("{ITEM}.narinfo");
    upstream.edit(&narinfo, |text| {
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("FileSize"));
        lines
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .into_bytes()
    });
    let run = mirror.run(&format!("add -v {ITEM}"));
    let run = run.exits(0);
    let line = run.err.lines().find(|line| line.starts_with("to mirror"));
    let line = line.unwrap();
    assert!(line.ends_with("files, of unknown size"), "{run:?}");
    assert_eq!(line.matches("1 item").count(), 1, "{run:?}");
}

fn an_upstream_falls_silent(node: &TestNode) {
    let (mirror, upstream) = mirror(node);
    let text = String::from_utf8(upstream.get(&format!("{ITEM}.narinfo"))).unwrap();
    let nar = text
        .lines()
        .find_map(|line| line.strip_prefix("URL: "))
        .unwrap();
    let silence = Fault::Stall(Duration::from_secs(60));
    upstream.spoil(nar, &[silence; 4]);
    let run = mirror.run(&format!("add {ITEM} --read-timeout 1")).exits(3);
    assert_eq!(run.err.matches(nar).count(), 1, "{run:?}");
    assert!(!run.err.contains("per read"), "{run:?}");
    run.says("nothing arrived within --read-timeout");
}

fn a_hash_is_mistyped(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    for (word, fault) in [
        (&ITEM[1..], "31 characters, but a store hash has 32"),
        (
            &format!("{ITEM}x"),
            "33 characters, but a store hash has 32",
        ),
        (&ITEM.to_uppercase(), &format!("try {ITEM}")),
        (&ITEM.replacen('f', "e", 1), "it has the letter e"),
        (&format!("{}-rig-empty", &ITEM[1..]), "31 characters"),
        (
            &format!("/gnu/store/{}-rig-empty", &ITEM[1..]),
            "31 characters",
        ),
        (
            &format!("{}-rig-empty", ITEM.to_uppercase()),
            "lowercase letters",
        ),
        (
            &format!("https://a.example/{}.narinfo", &ITEM[1..]),
            "31 characters",
        ),
    ] {
        let run = mirror.run(&format!("add {word}")).exits(2);
        run.says(&format!("invalid value '{word}'")).says(fault);
    }
    let run = mirror.run(&format!("remove {}", &ITEM[1..])).exits(2);
    run.says("31 characters");
    // These are long names of packages.
    for package in [
        "python-sphinxcontrib-svg2pdfconverter",
        "emacs-exwm-no-x-toolkit28",
    ] {
        let run = mirror.run(&format!("add {package}")).exits(3);
        run.says("no build farm lists");
    }
}

fn something_else_than_an_item_is_named(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    for (word, says) in [
        ("x.drv".to_owned(), "a derivation is a recipe"),
        (format!("{ITEM}-hello.drv"), "a derivation is a recipe"),
        (
            format!("/gnu/store/{ITEM}-hello.drv"),
            "a derivation is a recipe",
        ),
        (
            format!("/gnu/store/{ITEM}-hello/bin/hello"),
            &*format!("name the item, /gnu/store/{ITEM}-hello"),
        ),
        (
            "https://a.example/nar/gzip/x".to_owned(),
            "not the URL of a HASH.narinfo",
        ),
    ] {
        mirror.run(&format!("add {word}")).exits(2).says(says);
    }
    let run = mirror.run("add hello-2.12").exits(3);
    run.says_what_and_what_to_do("hello-2.12: no build farm lists", "hello@2.12");
}

fn a_value_is_none_that_the_option_takes(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let peer = "12D3KooWBuZfgeC5U27PovNA8x1kFAZ94vhoHqCAtgFGe5eJQMny";
    for (options, says) in [
        ("--base x", "'x' for '--base <CID>': not the CID of a root"),
        ("--base /ipns/x", "not the CID of a root"),
        ("--graft cars", "[possible values: auto, add-link, car]"),
        (
            "--compression gz",
            "[possible values: gzip, lzip, zstd, none]",
        ),
        (&format!("--key {NAME}"), "this is an IPNS name"),
        (&format!("--key {peer}"), "this is an IPNS name"),
    ] {
        mirror.run(&format!("sync {options}")).exits(2).says(says);
    }
    let keys = node.node().keys().unwrap();
    assert!(keys.iter().all(|key| key.name != NAME), "{keys:?}");
}

/// As a script leaves it whose variable is not set.
fn a_value_is_empty(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let before = node.node().keys().unwrap().len();
    for (verb, option) in [
        ("sync", "--key"),
        ("init", "--key"),
        ("sync", "--system"),
        ("add hello", "--system"),
        ("sync", "--jobset"),
    ] {
        let run = run(mirror.command(verb).args([option, ""])).exits(2);
        run.says(&format!("a value is required for '{option}"));
    }
    assert_eq!(node.node().keys().unwrap().len(), before);
    let run = with_api("embedded:").run("sync").exits(2);
    run.says("names no folder").says("embedded:DIR");
}

fn a_variable_holds_something_else(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    for (variable, value, option) in [
        ("GUIX_IPFS_JOBS", "abc", "--jobs <N>"),
        ("GUIX_IPFS_LATEST", "0", "--latest <N>"),
        ("GUIX_IPFS_UPSTREAM", "http://a  b", "--upstream <URL>"),
        ("GUIX_IPFS_COMPRESSION", "zip", "--compression <NAME>"),
        ("GUIX_IPFS_MAX_TIME", "long", "--max-time <DURATION>"),
        ("GUIX_IPFS_KEY", NAME, "--key <KEY>"),
    ] {
        let run = run(mirror.command("sync").env(variable, value)).exits(2);
        run.says(&format!("for '${variable} ({option})'"));
    }
    let api = "http://me:secret@host:port";
    let run = run(mirror.command("sync").env("GUIX_IPFS_API", api)).exits(2);
    let run = run.says("$GUIX_IPFS_API (--api): ");
    assert!(!run.err.contains("secret"), "{run:?}");
    let typed = mirror.run("sync --jobs abc").exits(2);
    typed.says("invalid value 'abc' for '--jobs <N>'");
}

fn a_key_is_mistyped(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    mirror.run("init").silently();
    mirror.run("init --key weekly").silently();
    // One that publishes no mirror is not proposed.
    node.create_key("guix-ipf");
    for (key, advice) in [
        ("guix-ifps", "did you mean `--key guix-ipfs`?"),
        ("weely", "did you mean `--key weekly`?"),
        ("nightly", "--key guix-ipfs, --key weekly"),
    ] {
        for verb in [
            "resolve",
            "verify",
            "remove 00000000000000000000000000000000",
        ] {
            let run = mirror.run(&format!("{verb} --key {key}")).exits(1);
            run.says_what_and_what_to_do(&format!("no key named {key:?}"), advice);
        }
    }
    let run = mirror.run("resolve guix-ifps").exits(2);
    run.says_what_and_what_to_do(
        "\"guix-ifps\" is neither an IPNS name nor a key",
        "did you mean guix-ipfs?",
    );
}

fn a_name_is_mistyped(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    for (name, advice) in [
        (&NAME[..61], "this one has 61 characters"),
        (&format!("{NAME}x"), "this one has 63 characters"),
        (&NAME[3..], "a name looks like k51"),
        (
            "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
            "write a root as /ipfs/bafy",
        ),
    ] {
        let run = mirror.run(&format!("resolve {name}")).exits(2);
        run.says_what_and_what_to_do("neither an IPNS name nor a key", advice);
    }
}

fn the_rpc_speaks_no_tls(node: &TestNode) {
    let url = match node.is_kubo() {
        true => node.api.clone(),
        false => without_tls(),
    };
    let secure = url.replacen("http:", "https:", 1);
    let run = with_api(&secure).run("sync").exits(1);
    run.says_what_and_what_to_do(
        &format!("no secure connection to {secure}"),
        &format!("try --api {url}"),
    );
}

fn only_a_local_store_is_there(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    std::fs::write(mirror.home().join("api"), "/ip4/127.0.0.1/tcp/1").unwrap();
    let alone = || {
        let mut command = mirror.command("resolve");
        command.env_remove("GUIX_IPFS_API");
        run(command.env("IPFS_PATH", mirror.home())).exits(75)
    };
    alone().says_what_and_what_to_do("no node answers", "start one with `ipfs daemon`");
    mirror.run("init --api embedded").silently();
    alone().says_what_and_what_to_do("no node answers", "name it with --api embedded");
}
