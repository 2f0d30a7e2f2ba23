//! Several upstreams, redirects, and servers of other kinds.

use crate::support::{Fault, Mirror, RawServer, TestNode, Upstream, fixture, fixture_roots};
use std::io::Write;
use std::thread;
use std::time::Duration;

on_both_nodes!(
    each_item_comes_from_the_first_upstream_that_has_it,
    what_one_upstream_spoils_is_asked_of_the_next,
    an_upstream_that_is_away_is_passed_over,
    a_redirected_nar_is_followed_and_a_redirected_narinfo_is_not,
    a_kept_connection_that_the_server_drops_is_replaced_at_once,
    a_narinfo_that_a_bucket_lacks_is_absent_and_one_that_it_hides_is_an_error,
    a_narinfo_without_file_sizes_is_taken,
    a_nar_that_is_being_baked_waits_for_the_next_run,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";
const GZIP: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";

fn upstreams(all: &[&Upstream]) -> String {
    let options = all.iter().map(|one| format!("--upstream {}", one.url()));
    options.collect::<Vec<_>>().join(" ")
}

fn nars(upstream: &Upstream) -> Vec<String> {
    let asked = upstream.asked().into_iter();
    asked.filter(|path| path.starts_with("nar/")).collect()
}

fn each_item_comes_from_the_first_upstream_that_has_it(node: &TestNode) {
    let (first, second) = (Upstream::of_fixtures(), Upstream::of_fixtures());
    first.remove(&format!("{HELLO}.narinfo"));
    first.remove("api/latestbuilds");
    let mirror = Mirror::new(node, &first);
    mirror
        .run(&format!("sync {}", upstreams(&[&first, &second])))
        .silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    let (from_first, from_second) = (nars(&first), nars(&second));
    assert!(!from_first.is_empty() && !from_second.is_empty());
    assert!(
        from_second.iter().all(|path| path.contains(HELLO)),
        "{from_second:?}"
    );
    assert!(
        !from_first.iter().any(|path| path.contains(HELLO)),
        "{from_first:?}"
    );
}

fn what_one_upstream_spoils_is_asked_of_the_next(node: &TestNode) {
    type Spoil = fn(&Upstream);
    let spoils: [(&str, Spoil); 6] = [
        ("a cut nar", |upstream| {
            upstream.edit(GZIP, |nar| nar[..9.min(nar.len())].to_vec())
        }),
        ("another nar", |upstream| {
            upstream.edit(GZIP, |mut nar| {
                nar[12] = 0xff;
                nar
            });
        }),
        ("no nar", |upstream| upstream.remove(GZIP)),
        ("a server in trouble", |upstream| {
            upstream.spoil(GZIP, &[Fault::Status(503); 9])
        }),
        ("a changed narinfo", |upstream| {
            upstream.edit_text(HELLO, "NarSize: 1", "NarSize: 11");
        }),
        ("no narinfo at all", |upstream| {
            upstream.set(&format!("{HELLO}.narinfo"), "<html>");
        }),
    ];
    let keys = format!("--trusted-keys {}", fixture("signing-key.pub").display());
    for (number, (what, spoil)) in spoils.into_iter().enumerate() {
        let (first, second) = (Upstream::of_fixtures(), Upstream::of_fixtures());
        spoil(&first);
        let mirror = Mirror::new(node, &first);
        let graft = ["add-link", "car"][number % 2];
        let options = format!("{keys} --graft {graft} {}", upstreams(&[&first, &second]));
        let run = mirror.run(&format!("sync --key {number} {options}"));
        eprintln!("{what}: {run:?}");
        run.silently();
        let root = mirror.run(&format!("resolve --key {number}")).exits(0).out;
        assert_eq!(
            root.trim(),
            format!("/ipfs/{}", fixture_roots(0)[2]),
            "{what}"
        );
        // Spoilt at both, it is left out and named.
        spoil(&first);
        spoil(&second);
        let run = mirror.run(&format!("add {HELLO} --key both-{number} {options}"));
        run.exits(3).says(HELLO);
    }
}

fn an_upstream_that_is_away_is_passed_over(node: &TestNode) {
    let (away, here) = (Upstream::of_fixtures(), Upstream::of_fixtures());
    let mirror = Mirror::new(node, &here);
    let gone = away.url();
    drop(away);
    mirror
        .run(&format!("sync --upstream {gone} --upstream {}", here.url()))
        .silently();
    let root = mirror.root();
    assert_eq!(root, fixture_roots(0)[2]);
    // What only the one that is away can have is for a later run.
    let unknown = "0".repeat(32);
    let options = format!("--upstream {} --upstream {gone}", here.url());
    let run = mirror.run(&format!("add {unknown} {options}"));
    run.exits(3).says(&unknown).says(&format!("{gone} cannot"));
    drop(here);
    for command in [
        "sync".to_owned(),
        format!("add {EMPTY}"),
        "add rig-tools".to_owned(),
    ] {
        mirror.run(&format!("{command} {options}")).exits(75);
    }
    assert_eq!(mirror.root(), root);
}

fn a_redirected_nar_is_followed_and_a_redirected_narinfo_is_not(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    upstream.set("moved", upstream.get(GZIP));
    let moved = RawServer::new(&upstream, GZIP, |client| {
        client.write_all(
            b"HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    });
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add {HELLO} --upstream {}", moved.url))
        .silently();
    let narinfo = format!("{EMPTY}.narinfo");
    let moved = RawServer::new(&upstream, &narinfo, |client| {
        client.write_all(
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    });
    let run = mirror.run(&format!("add {EMPTY} --upstream {}", moved.url));
    run.exits(3)
        .says(EMPTY)
        .says("http://elsewhere.example/")
        .says("clients do not follow");
    assert_eq!(mirror.list().len(), 1);
}

fn a_kept_connection_that_the_server_drops_is_replaced_at_once(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    upstream.set("moved", upstream.get(GZIP));
    let dropping = RawServer::new(&upstream, GZIP, |client| {
        client.write_all(b"HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n")?;
        // The next request arrives meanwhile, and nobody reads it.
        thread::sleep(Duration::from_millis(300));
        Ok(())
    });
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add {HELLO} --upstream {}", dropping.url))
        .silently();
    assert_eq!(dropping.asked(), 1);
}

fn a_narinfo_that_a_bucket_lacks_is_absent_and_one_that_it_hides_is_an_error(node: &TestNode) {
    let narinfo = format!("{HELLO}.narinfo");
    let last = Upstream::of_fixtures();
    for (status, is_absent) in [
        (403, true),
        (404, true),
        (410, true),
        (401, false),
        (407, false),
        (204, false),
        (206, false),
    ] {
        let upstream = Upstream::of_fixtures();
        let server = RawServer::at_first(usize::MAX, &upstream, &narinfo, move |_, client| {
            write!(client, "HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n")
        });
        let mirror = Mirror::new(node, &upstream);
        let options = format!("--key {status} --upstream {}", server.url);
        // Not built yet, as far as anybody knows: nothing to say.
        let sync = mirror.run(&format!("sync {options}"));
        let run = mirror.run(&format!("add {HELLO} {options}")).exits(3);
        match is_absent {
            true => {
                sync.silently();
                run.says("no upstream has it");
            }
            false => {
                let said = format!("answered {}/{narinfo} with status {status}", server.url);
                sync.exits(3).says(&said);
                run.says(&said);
            }
        }
        assert_eq!(server.asked(), 2, "{status}");
        // The next upstream is asked in each case.
        let command = format!("add {HELLO} {options} --upstream {}", last.url());
        mirror.run(&command).silently();
    }
}

fn a_narinfo_without_file_sizes_is_taken(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let narinfo = format!("{HELLO}.narinfo");
    upstream.edit(&narinfo, |narinfo| {
        let lines = narinfo.split_inclusive(|&byte| byte == b'\n');
        let lines = lines.filter(|line| !line.starts_with(b"FileSize"));
        lines.flatten().copied().collect()
    });
    let mirror = Mirror::new(node, &upstream);
    let keys = format!("--trusted-keys {}", fixture("signing-key.pub").display());
    let run = mirror
        .run(&format!("add {HELLO} {EMPTY} {keys} -v"))
        .exits(0);
    run.says("to mirror: 2 items, 8 files")
        .says("and 1 item of unknown size");
    let published = node.get(&format!("/ipfs/{}/{narinfo}", mirror.root()));
    assert_eq!(published.body, upstream.get(&narinfo));
}

fn a_nar_that_is_being_baked_waits_for_the_next_run(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let narinfo = format!("{HELLO}.narinfo");
    let baked = upstream.get(&narinfo);
    upstream.remove(&narinfo);
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    assert!(!mirror.list().iter().any(|path| path.contains(HELLO)));
    upstream.set(&narinfo, baked);
    // Its pause is not over, unless a person asks for it.
    mirror.run("sync").silently();
    assert!(!mirror.list().iter().any(|path| path.contains(HELLO)));
    mirror.run(&format!("add {HELLO}")).silently();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}
