//! The page for people, `index.html` in the root.

use crate::support::{
    Files, Mirror, Proxy, TestNode, Upstream, item, root_of, run, tree_of, write_tree,
};
use guix_ipfs::ipfs::cid::CidVersion::{self, V0, V1};
use std::process::Command;

on_both_nodes!(
    a_page_is_there_where_it_is_wanted_and_changes_only_with_the_root,
    a_page_is_kept_until_it_is_unwanted,
    every_verb_keeps_the_page,
    a_root_with_a_page_is_what_ipfs_add_gives,
    a_large_mirror_has_a_page_that_goes_without_a_trace,
    a_gateway_shows_the_page_of_a_directory,
    no_file_of_an_upstream_takes_the_place_of_the_page,
    a_page_that_is_lost_is_written_again,
    a_ledger_that_is_lost_takes_no_page_along,
    two_writers_at_once_write_the_page_of_both,
    a_mirror_takes_its_page_to_another_node,
);

on_kubo_alone!(a_run_with_nothing_new_makes_as_few_calls_beside_a_page);

#[test]
#[ignore = "needs chromium on PATH"]
fn a_browser_finds_items_on_local() {
    looked_up_in_a_browser(&TestNode::local());
}

#[test]
#[ignore = "needs chromium on PATH, and a real Kubo"]
fn a_browser_finds_items_on_kubo() {
    looked_up_in_a_browser(&TestNode::kubo());
}

#[test]
#[ignore = "needs tidy on PATH"]
fn the_page_is_valid_html() {
    let upstream = Upstream::of_fixtures();
    let node = TestNode::local();
    let mirror = Mirror::new(&node, &upstream);
    for command in ["init --page", "sync"] {
        mirror.run(command).silently();
        let file = mirror.home().join(PAGE);
        std::fs::write(&file, page(&node, &mirror).unwrap()).unwrap();
        let checked = run(Command::new("tidy").args(["-errors", "-quiet"]).arg(&file));
        assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    }
}

const PAGE: &str = "index.html";

/// The page of the published root.
fn page(node: &TestNode, mirror: &Mirror) -> Option<String> {
    let mut files = node.published(&mirror.root()).files;
    let page = files.remove(PAGE)?;
    Some(String::from_utf8(page).unwrap())
}

/// The published tree, which must be sound, with and without its page; its root must be
/// that of all the files made at once.
#[track_caller]
fn judged(node: &TestNode, mirror: &Mirror, version: CidVersion) -> Files {
    let root = mirror.root();
    let mut published = node.published(&root);
    assert_eq!(root, root_of(&published.files, version));
    let page = published.files.remove(PAGE);
    assert!(page.is_some_and(|page| page.starts_with(b"<!DOCTYPE html>")));
    published.judge();
    published.judge_closures();
    published.files
}

fn a_page_is_there_where_it_is_wanted_and_changes_only_with_the_root(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    assert_eq!(page(node, &mirror), None);
    let without = judged_without(node, &mirror);

    // Nothing is new but the wish for a page.
    mirror.run("sync --page").silently();
    let first = page(node, &mirror).unwrap();
    assert_eq!(judged(node, &mirror, V0), without);
    let name = node.key_id("guix-ipfs").unwrap();
    assert!(first.contains(&format!("/ipns/{name}")));
    assert!(first.contains(&format!("<b>{}</b>", mirror.list().len())));
    assert!(first.contains("Nothing was added since"), "{first}");

    let root = mirror.root();
    for again in [
        "sync --page",
        "sync",
        "add 21q7lx382p28sibkw2l721ybjxymkh1a --page",
    ] {
        mirror.run(again).silently();
        assert_eq!(mirror.root(), root, "{again}");
    }
    let new = item(1, "new-1.0", 2000);
    upstream.add_items([&new]);
    mirror.run(&format!("add {}", new.hash)).silently();
    let second = page(node, &mirror).unwrap();
    assert!(second.contains(&format!("href=\"{}.narinfo\"", new.hash)));
    assert!(second.contains("new-1.0") && second.contains("2.0 KiB"));
    let narinfos = mirror.list().len();
    assert!(second.contains(&format!("<b>{narinfos}</b>")));
}

fn judged_without(node: &TestNode, mirror: &Mirror) -> Files {
    let published = node.published(&mirror.root());
    published.judge();
    published.files
}

fn a_page_is_kept_until_it_is_unwanted(node: &TestNode) {
    let upstream = Upstream::empty();
    let items = [1, 2, 3].map(|number| item(number, "i", 100));
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let with = |variable: &str, arguments: &str| {
        run(mirror.command(arguments).env("GUIX_IPFS_PAGE", variable))
    };
    let add = |number: usize| format!("add {}", items[number].hash);
    with("1", &add(0)).silently();
    assert!(page(node, &mirror).unwrap().contains(&items[0].hash));
    // A variable that is off or empty is no word against it.
    for (number, off) in [(1, "0"), (2, "")] {
        with(off, &add(number)).silently();
        assert!(page(node, &mirror).unwrap().contains(&items[number].hash));
    }
    // A word on the command line goes before the variable, and nothing else changes.
    with("1", &format!("{} --no-page", add(0))).silently();
    assert_eq!(mirror.root(), root_of(&tree_of(&items), V0));
    mirror.run(&format!("{} --no-page", add(0))).silently();
    mirror.run(&add(0)).silently();
    assert_eq!(page(node, &mirror), None);
    mirror.run(&format!("{} --page", add(0))).silently();
    assert!(page(node, &mirror).is_some());
    assert_eq!(node.pins_named("guix-ipfs/").len(), 1);
}

fn every_verb_keeps_the_page(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..4).map(|number| item(number, "i", 20_000)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init --page").silently();
    assert!(page(node, &mirror).unwrap().contains("<b>0</b>"));
    let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
    mirror.run(&format!("add {}", hashes.join(" "))).silently();
    assert_eq!(judged(node, &mirror, V0), tree_of(&items));

    // One that is taken out is not among the additions any more.
    mirror.run(&format!("remove {}", hashes[3])).silently();
    assert_eq!(judged(node, &mirror, V0), tree_of(&items[..3]));
    let after = page(node, &mirror).unwrap();
    assert!(after.contains("<b>3</b>") && !after.contains(hashes[3]));

    // One whose narinfo is lost comes back, and is no addition.
    mirror.run("verify").exits(0);
    let lost = node.cid_at(&mirror.root(), &items[0].nar());
    node.lose(&lost);
    mirror.run("verify --repair").exits(0);
    assert_eq!(judged(node, &mirror, V0), tree_of(&items[..3]));
    mirror.run("verify --deep").exits(0);
    assert_eq!(mirror.list().len(), 3);

    // Room is left for the page.
    for (most, kept) in [(200_000, 3), (110_000, 2)] {
        mirror.run(&format!("prune --max-size {most}")).exits(0);
        judged(node, &mirror, V0);
        let files = node.published(&mirror.root()).files;
        assert!(files.values().map(Vec::len).sum::<usize>() < most);
        assert_eq!(mirror.list().len(), kept);
    }
    mirror
        .run("remove --no-page 00000000000000000000000000000000")
        .exits(3);
    assert_eq!(page(node, &mirror), None);
}

fn a_root_with_a_page_is_what_ipfs_add_gives(node: &TestNode) {
    for version in [V0, V1] {
        for graft in ["add-link", "car"] {
            let upstream = Upstream::empty();
            let items: Vec<_> = (0..3).map(|number| item(number, "i", 300_000)).collect();
            upstream.add_items(&items);
            let mirror = Mirror::new(node, &upstream);
            let number = u8::from(version == V1);
            let key = format!("--key {graft}-{number}");
            mirror
                .run(&format!("init --page --cid-version {number} {key}"))
                .silently();
            for item in &items {
                mirror
                    .run(&format!("add {} --graft {graft} {key}", item.hash))
                    .silently();
            }
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            let root = root.trim().trim_start_matches("/ipfs/");
            let mut files = node.published(root).files;
            assert_eq!(root, root_of(&files, version));
            if node.is_kubo() {
                let folder = tempfile::tempdir().unwrap();
                write_tree(&files, folder.path());
                let path = folder.path().to_str().unwrap();
                let option = format!("--cid-version={number}");
                let added = node.ipfs("add", &["-r", "-Q", "--pin=false", &option, path]);
                assert_eq!(added.trim(), root);
            }
            assert!(files.remove(PAGE).is_some());
            assert_eq!(files, tree_of(&items));
        }
    }
}

/// A sharded root.
fn a_large_mirror_has_a_page_that_goes_without_a_trace(node: &TestNode) {
    let items: Vec<_> = (0..3600).map(|number| item(number, "i", 10)).collect();
    let tree = tree_of(&items);
    let root = node.store_tree(&tree, V0);
    node.publish("guix-ipfs", &root);
    let upstream = Upstream::empty();
    let new = item(9999, "new", 100);
    upstream.add_items([&new]);
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("add {} --page", new.hash)).silently();
    let mut files = node.published(&mirror.root()).files;
    assert_eq!(mirror.root(), root_of(&files, V0));
    let page = String::from_utf8(files.remove(PAGE).unwrap()).unwrap();
    assert!(page.contains("<b>3,601</b>") && page.contains(&new.hash));
    mirror
        .run(&format!("remove {} --no-page", new.hash))
        .silently();
    assert_eq!(mirror.root(), root);
}

fn a_gateway_shows_the_page_of_a_directory(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync --page").silently();
    let page = page(node, &mirror).unwrap();
    let name = node.key_id("guix-ipfs").unwrap();
    for folder in [format!("/ipns/{name}"), format!("/ipfs/{}", mirror.root())] {
        let redirect = node.get(&folder);
        assert_eq!(redirect.status / 100, 3, "{}", redirect.status);
        assert_eq!(redirect.header("location"), format!("{folder}/"));
        for path in [format!("{folder}/"), format!("{folder}/{PAGE}")] {
            let shown = node.get(&path);
            assert_eq!((shown.status, shown.text()), (200, page.clone()));
            let kind = shown.header("content-type");
            assert!(kind.starts_with("text/html"), "{kind}");
        }
        // Other directories are listed, and files are as they were.
        assert!(node.get(&format!("{folder}/nar/")).text().contains("gzip"));
        let hash = &mirror.list()[0][11..43];
        let narinfo = node.get(&format!("{folder}/{hash}.narinfo"));
        assert_eq!(narinfo.status, 200);
    }
}

fn no_file_of_an_upstream_takes_the_place_of_the_page(node: &TestNode) {
    for url in [
        PAGE,
        "./index.html",
        "index.html/x",
        "nar/../index.html",
        "index%2Ehtml",
    ] {
        let upstream = Upstream::empty();
        let thief = item(1, "thief", 1000);
        upstream.add_items([&thief]);
        upstream.edit_text(&thief.hash, &thief.nar(), url);
        upstream.set(url, thief.files[&thief.nar()].clone());
        let mirror = Mirror::new(node, &upstream);
        let refused = mirror.run(&format!("add {} --page", thief.hash));
        refused.exits(3).says("cannot be mirrored");
        let files = node.published(&mirror.root()).files;
        assert_eq!(files.len(), 2, "{url}");
        assert!(files[PAGE].starts_with(b"<!DOCTYPE html>"));
    }
}

fn a_page_that_is_lost_is_written_again(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let upstream = Upstream::empty();
    let items = [1, 2].map(|number| item(number, "i", 1000));
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let add = |number: usize| mirror.run(&format!("add {} --page", items[number].hash));
    add(0).silently();
    let root = mirror.root();
    node.lose(&node.cid_at(&root, PAGE));
    mirror.run("verify").exits(3).says(PAGE);
    mirror.run("verify --repair").exits(0);
    assert_eq!(mirror.root(), root);
    mirror.run("verify").exits(0);
    // Or with the next change.
    node.lose(&node.cid_at(&root, PAGE));
    add(1).silently();
    assert_eq!(judged(node, &mirror, V0), tree_of(&items));
    mirror.run("verify").exits(0);
}

/// The journal of the mirror under `guix-ipfs`.
fn journal(node: &TestNode) -> String {
    let name = format!("guix-ipfs/{}", node.key_id("guix-ipfs").unwrap());
    let journals = node.pins_named(&name);
    assert_eq!(journals.len(), 1);
    journals[0].clone()
}

fn a_ledger_that_is_lost_takes_no_page_along(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..4).map(|number| item(number, "i", 1000)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let add = |number: usize| mirror.run(&format!("add {}", items[number].hash));
    mirror.run("init --page").silently();
    add(0).silently();
    // The additions alone: nobody waits for a repair.
    node.lose(&node.cid_at(&journal(node), "ledger/page"));
    mirror.run("verify").exits(3).says("the ledger's page");
    add(1).silently();
    mirror.run("verify").exits(0);
    let after = page(node, &mirror).unwrap();
    assert!(after.contains(&items[1].hash) && !after.contains(&items[0].hash));
    for (number, part) in [(2, "ledger/page"), (3, "ledger")] {
        node.lose(&node.cid_at(&journal(node), part));
        mirror.run("verify --repair").exits(0);
        mirror.run("verify").exits(0);
        add(number).silently();
        assert_eq!(judged(node, &mirror, V0), tree_of(&items[..=number]));
        let after = page(node, &mirror).unwrap();
        assert!(after.contains(&items[number].hash), "{part}: {after}");
    }
}

fn two_writers_at_once_write_the_page_of_both(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..6).map(|number| item(number, "i", 1000)).collect();
    upstream.add_items(&items);
    // Each has a lock folder of its own.
    let mirrors = [(); 2].map(|()| Mirror::new(node, &upstream));
    mirrors[0].run("init --page").silently();
    for (round, pair) in items.chunks(2).enumerate() {
        std::thread::scope(|scope| {
            for (mirror, item) in mirrors.iter().zip(pair) {
                scope.spawn(|| mirror.run(&format!("add {}", item.hash)).silently());
            }
        });
        let done = &items[..2 * round + 2];
        assert_eq!(judged(node, &mirrors[0], V0), tree_of(done));
        let page = page(node, &mirrors[0]).unwrap();
        assert!(done.iter().all(|item| page.contains(&item.hash)), "{page}");
        assert!(page.contains(&format!("<b>{}</b>", done.len())));
        // Neither lets go of what keeps the other's root.
        let name = format!("guix-ipfs/{}", node.key_id("guix-ipfs").unwrap());
        let journals = node.pins_named(&name).into_iter();
        let mut roots = journals.map(|it| node.cid_at(&it, "root").to_string());
        assert!(roots.any(|root| root == mirrors[0].root()));
    }
}

fn a_mirror_takes_its_page_to_another_node(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let items = [1, 2].map(|number| item(number, "i", 1000));
    upstream.add_items(&items);
    let mirror = Mirror::new(&origin, &upstream);
    mirror
        .run(&format!("add {} --page", items[0].hash))
        .silently();
    let root = mirror.root();
    mirror.run(&format!("move --to {}", node.api)).exits(0);
    let mirror = mirror.with_api(&node.api);
    assert_eq!(mirror.root(), root);
    mirror.run(&format!("add {}", items[1].hash)).silently();
    assert_eq!(judged(node, &mirror, V0), tree_of(&items));
    let page = page(node, &mirror).unwrap();
    assert!(items.iter().all(|item| page.contains(&item.hash)));
}

fn a_run_with_nothing_new_makes_as_few_calls_beside_a_page(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("sync --page").silently();
    proxy.calls();
    for again in ["sync --page", "sync"] {
        mirror.run(again).silently();
        let calls = proxy.calls();
        assert!(calls.len() < 12, "{calls:?}");
    }
}

/// The document at `url`, as a browser has it once all scripts have run, and the
/// faults that the browser found.
fn in_a_browser(url: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let shown = run(Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--dump-dom",
            "--virtual-time-budget=20000",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url));
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let faults = shown.err.lines().filter(|line| line.contains("CONSOLE"));
    (shown.out, faults.collect())
}

fn looked_up_in_a_browser(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let older = mirror.list()[0][11..43].to_owned();
    let items = [
        item(1, "mine-1.0", 2000),
        item(2, "mine-2.0", 2000),
        item(3, "odd", 9),
    ];
    upstream.add_items(&items);
    let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
    mirror
        .run(&format!("add --page {}", hashes.join(" ")))
        .silently();
    let name = node.key_id("guix-ipfs").unwrap();
    let port = node.gateway.rsplit_once(':').unwrap().1;
    let at = format!("http://127.0.0.1:{port}");
    let found = "role=\"status\" class=\"found\"";
    let absent = "role=\"status\" class=\"absent\"";
    let [one, two, odd] = &items;
    let nobody = "0".repeat(32);
    let words = [
        (older.clone(), found, format!("/gnu/store/{older}-")),
        (
            format!("/gnu/store/{older}-x"),
            found,
            format!("/gnu/store/{older}-"),
        ),
        (
            format!("{}.narinfo", odd.hash),
            found,
            format!("/gnu/store/{}-odd", odd.hash),
        ),
        (
            "odd".to_owned(),
            found,
            format!("href=\"/ipns/{name}/{}\"", odd.nar()),
        ),
        (
            "mine@2.0".to_owned(),
            found,
            format!("/gnu/store/{}-mine-2.0", two.hash),
        ),
        ("MINE".to_owned(), found, format!("href=\"#{}\"", one.hash)),
        (
            nobody.clone(),
            absent,
            format!("{nobody} is not in this mirror"),
        ),
        (
            "emacs".to_owned(),
            absent,
            "is among the latest additions".to_owned(),
        ),
        (
            "%3Cimg%20src=x%3E".to_owned(),
            absent,
            "“&lt;img src=x&gt;”".to_owned(),
        ),
    ];
    // The gateways differ in nothing but whether it is there.
    let words = words
        .iter()
        .filter(|(word, ..)| !node.is_kubo() || [&older, &nobody].contains(&word));
    for (word, result, part) in words {
        let (document, faults) = in_a_browser(&format!("{at}/ipns/{name}/#{word}"));
        assert!(document.contains(result), "{word}: {document}");
        assert!(document.contains(part), "{word}: {document}");
        // One that is not there is a failed request, which Chromium notes.
        let is_known = faults.is_empty() || (*result == absent && faults.contains("404"));
        assert!(is_known, "{word}: {faults}");
    }
    // Wherever the page is looked at, its address is one that Guix can use.
    let own = format!("<span class=\"address\">{at}/ipns/{name}</span>");
    let mut places = vec![
        format!("{at}/ipns/{name}"),
        format!("{at}/ipfs/{}/", mirror.root()),
        format!("{at}/ipns/{name}/index.html"),
    ];
    if node.is_kubo() {
        places.push(format!("http://{name}.ipns.localhost:{port}/"));
        places.push(format!("http://localhost:{port}/ipns/{name}/"));
    }
    for place in places {
        let (document, faults) = in_a_browser(&format!("{place}#{older}"));
        assert!(document.contains(&own), "{place}: {document}");
        assert!(document.contains(found), "{place}: {document}");
        assert_eq!(faults, "", "{place}");
    }
}
