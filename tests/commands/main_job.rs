//! init, sync, add, resolve: the same roots as `ipfs add -r`, whatever the node
//! and however the files are grafted.

use crate::support::{Mirror, Proxy, TestNode, Upstream, fixture_roots, run};

on_both_nodes!(
    every_command_gives_the_known_root_with_add_link,
    every_command_gives_the_known_root_with_car,
    a_second_sync_is_silent_and_fetches_no_nar,
    a_dry_run_fetches_narinfos_only_and_changes_nothing,
    a_reference_that_no_upstream_has_holds_back_what_needs_it,
    sync_from_a_list_takes_what_it_names,
    an_init_refuses_a_name_that_is_in_use,
    resolve_shows_names_keys_and_roots,
);

on_kubo_alone!(
    a_run_with_nothing_new_makes_few_calls,
    offline_is_said_before_a_key_is_made,
);

const REST: &str = "add ifcypyirz39fix6ji7mblpsp5nfhmm7k j27dn2bh38aqgg30cc6qhdhdik1gzpr6";

fn every_command_gives_the_known_root_with_add_link(node: &TestNode) {
    the_known_roots(node, "add-link");
}

fn every_command_gives_the_known_root_with_car(node: &TestNode) {
    the_known_roots(node, "car");
}

fn the_known_roots(node: &TestNode, graft: &str) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for version in [0, 1] {
        let key = format!("--key v{version}");
        let commands = [
            format!("init {key} --cid-version {version}"),
            format!("sync {key} --graft {graft} --no-closure"),
            format!("sync {key} --graft {graft}"),
            format!("{REST} {key} --graft {graft}"),
        ];
        for (command, known) in commands.iter().zip(fixture_roots(version)) {
            mirror.run(command).silently();
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            assert_eq!(root, format!("/ipfs/{known}\n"), "{command}");
            node.collect_garbage();
            let published = node.published(&known);
            published.judge();
            if node.is_kubo() {
                let folder = tempfile::tempdir().unwrap();
                published.write_to(folder.path());
                let add = format!("add -r -Q --only-hash --cid-version={version}");
                let added = node.ipfs(&add, &[folder.path().to_str().unwrap()]);
                assert_eq!(added.trim(), known);
            }
        }
    }
    for (cid, name) in node.pins() {
        assert!(name.starts_with("guix-ipfs/k51"), "{cid} {name}");
    }
}

fn a_second_sync_is_silent_and_fetches_no_nar(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let root = mirror.root();
    assert!(upstream.asked().iter().any(|path| path.starts_with("nar/")));
    mirror.run("sync").silently();
    let asked = upstream.asked();
    assert!(
        !asked.iter().any(|path| path.starts_with("nar/")),
        "{asked:?}"
    );
    assert_eq!(mirror.root(), root);
}

fn a_dry_run_fetches_narinfos_only_and_changes_nothing(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let root = mirror.root();
    upstream.asked();
    let run = mirror.run("sync --dry-run").exits(0);
    assert_eq!(run.out.lines().count(), 8, "{run:?}");
    let asked = upstream.asked();
    assert!(
        !asked.iter().any(|path| path.starts_with("nar/")),
        "{asked:?}"
    );
    assert_eq!(mirror.root(), root);
}

fn a_reference_that_no_upstream_has_holds_back_what_needs_it(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let referenced = "21q7lx382p28sibkw2l721ybjxymkh1a";
    let needs_it = "yjawwm7f7ipzmqkvafs4rczshnmhs2mh";
    let narinfo = upstream.get(&format!("{referenced}.narinfo"));
    upstream.remove(&format!("{referenced}.narinfo"));
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    assert!(!mirror.list().iter().any(|path| path.contains(needs_it)));
    // Asked for by name, it is missed.
    mirror
        .run(&format!("add {needs_it}"))
        .exits(3)
        .says(referenced);
    upstream.set(&format!("{referenced}.narinfo"), narinfo);
    // Its pause is not over; what waits for it comes as soon as it is there.
    mirror.run("sync").silently();
    assert!(!mirror.list().iter().any(|path| path.contains(referenced)));
    mirror.run(&format!("add {referenced}")).silently();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn sync_from_a_list_takes_what_it_names(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let list = mirror.home().join("list");
    let text = "these words are no items\n\
                /gnu/store/ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty 21q7lx382p28sibkw2l721ybjxymkh1a\n\
                /gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-rig.drv\n\
                00000000000000000000000000000000\n";
    std::fs::write(&list, text).unwrap();
    mirror
        .run(&format!("sync --from {}", list.display()))
        .exits(3)
        .says("00000000000000000000000000000000: no upstream has it (yet)");
    let published = [
        "/gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt",
        "/gnu/store/ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty",
    ];
    assert_eq!(mirror.list(), published);
}

fn an_init_refuses_a_name_that_is_in_use(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let root = mirror.root();
    mirror.run("init").exits(1).says("already points to");
    assert_eq!(mirror.root(), root);
}

fn resolve_shows_names_keys_and_roots(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("resolve").exits(1).says("guix-ipfs init");
    mirror.run("sync").silently();
    let root = format!("/ipfs/{}\n", fixture_roots(0)[2]);
    let name = node.key_id("guix-ipfs").unwrap();
    for target in ["guix-ipfs", &name, &format!("/ipns/{name}"), root.trim()] {
        assert_eq!(mirror.run(&format!("resolve {target}")).exits(0).out, root);
    }
    let long = mirror.run("resolve --long").exits(0).out;
    for part in [name.as_str(), root.trim()] {
        assert!(long.contains(part), "{part} is not in {long}");
    }
    assert_eq!(mirror.list().len(), 8);
    let json: serde_json::Value =
        serde_json::from_str(&mirror.run("resolve --json").exits(0).out).unwrap();
    assert_eq!(json["root"], fixture_roots(0)[2]);
}

fn offline_is_said_before_a_key_is_made(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for command in ["init", "sync"] {
        let mut command = mirror.command(command);
        let run = run(command.env_remove("GUIX_IPFS_ALLOW_OFFLINE"));
        run.exits(1).says("--allow-offline");
    }
    assert_eq!(node.node().keys().unwrap().len(), 1);
    mirror.run("sync").silently();
}

fn a_run_with_nothing_new_makes_few_calls(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("sync").silently();
    proxy.calls();
    upstream.asked();
    mirror.run("sync").silently();
    assert_eq!(upstream.asked(), ["api/latestbuilds"]);
    let calls = proxy.calls();
    assert!(calls.len() < 12, "{calls:?}");
    assert!(
        !calls.iter().any(|call| call.contains("publish")),
        "{calls:?}"
    );
}
