//! The likeliest mistakes: each is answered with a line that says what happened
//! and a line that says what to do.

use crate::support::{Mirror, Run, TestNode, Upstream, fixture, run};
use guix_ipfs::gateway::http::{Request, Response, Server};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory};
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;

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
    let what = format!("{} is no node's RPC, but perhaps its gateway", node.gateway);
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
    lock.lock().unwrap();
    writeln!(lock, "{}", std::process::id()).unwrap();
    let run = mirror.run("sync").exits(75);
    assert!(run.err.is_empty() && run.out.is_empty(), "{run:?}");
    let run = mirror.run("sync -v").exits(75);
    let what = format!("another run (process {}) is writing", std::process::id());
    run.says_what_and_what_to_do(&what, "try again later");
    // A child of another test may still share the open file.
    lock.unlock().unwrap();
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

fn the_upstream_speaks_no_tls(node: &TestNode) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let secure = format!("https://{}", listener.local_addr().unwrap());
    // As a server of plain HTTP answers what it does not understand.
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
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
    let run = mirror.run("sync --upstream ci.guix.gnu.org").exits(1);
    run.says_what_and_what_to_do("\"ci.guix.gnu.org\" cannot be asked for", "https://HOST");
}

fn no_upstream_has_a_hash(node: &TestNode) {
    let (mirror, _upstream) = mirror(node);
    let run = mirror.run(&format!("add {NOTHING}")).exits(3);
    run.says_what_and_what_to_do(&format!("{NOTHING}: no upstream has it"), "named rightly");
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
    run.says_what_and_what_to_do("($http_proxy names a proxy)", "the network is up");
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
