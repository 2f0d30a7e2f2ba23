//! Items to mirror, as people and other programs name them.

use crate::support::{Mirror, Run, TestNode, Upstream, item};
use std::io::Write;
use std::process::Stdio;

on_both_nodes!(
    a_list_on_standard_input_is_read_for_its_items,
    a_listing_of_the_store_is_read_for_its_items,
    a_list_that_holds_no_item_is_a_usage_error,
    a_word_that_was_meant_for_an_item_is_named,
    an_item_of_a_list_may_be_quoted_or_named_by_a_file_of_it,
    a_line_of_a_list_may_be_a_comment,
    unknown_items_of_a_list_are_owed,
    a_list_of_all_packages_is_mirrored_as_far_as_the_upstream_has_it,
    a_narinfo_can_be_named_by_its_url,
    a_package_is_its_latest_successful_build,
    a_package_that_nobody_knows_is_named,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";

/// Runs the program with something on its standard input.
fn run_with(mirror: &Mirror, arguments: &str, input: &str) -> Run {
    let mut command = mirror.command(arguments);
    let command = command.stdin(Stdio::piped());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn a_list_on_standard_input_is_read_for_its_items(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let size = format!(
        "store item                                    total    self\n\
         /gnu/store/{HELLO}-rig-hello.txt   0.1     0.1  50.0%\n\
         /gnu/store/{EMPTY}-rig-empty.drv   0.1     0.1  50.0%\n\
         total: 0.2 MiB\n"
    );
    run_with(&mirror, "sync --from -", &size).silently();
    assert_eq!(mirror.list().len(), 1);
    run_with(&mirror, "add -", &format!("{EMPTY} and words\n")).silently();
    assert_eq!(mirror.list().len(), 2);
    run_with(&mirror, "sync --from -", "").silently();
    mirror
        .run("sync --from /no/such/list")
        .exits(1)
        .says("/no/such/list");
}

/// As `ls /gnu/store` prints it.
fn a_listing_of_the_store_is_read_for_its_items(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    for (number, list) in [
        format!("{HELLO}-rig-hello.txt\n{EMPTY}-rig-empty\n{HELLO}-x.drv\n"),
        format!("\u{feff}{HELLO}-rig-hello.txt\r\n{EMPTY}-rig-empty\r\n"),
        format!("\u{feff}{HELLO}\n/gnu/store/{EMPTY}-rig-empty"),
        format!("{HELLO}-rig-hello.txt/\n/gnu/store/{EMPTY}-rig-empty/\n"),
    ]
    .into_iter()
    .enumerate()
    {
        for verb in ["sync --from -", "add -"] {
            let mirror = Mirror::new(node, &upstream);
            let key = format!("--key {}-{number}", &verb[..3]);
            run_with(&mirror, &format!("{verb} {key}"), &list).silently();
            let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
            assert_eq!(listed.lines().count(), 2, "{list:?}: {listed}");
        }
        let mirror = Mirror::new(node, &upstream);
        let file = mirror.home().join("list");
        std::fs::write(&file, &list).unwrap();
        let key = format!("--key file-{number}");
        let from = format!("sync --from {} {key}", file.display());
        mirror.run(&from).silently();
        let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
        assert_eq!(listed.lines().count(), 2, "{list:?}: {listed}");
    }
    let mirror = Mirror::new(node, &upstream);
    let arguments = format!("{HELLO}-rig-hello.txt {EMPTY}-rig-empty");
    mirror.run(&format!("add {arguments}")).silently();
    mirror.run(&format!("remove {arguments}")).silently();
}

fn a_list_that_holds_no_item_is_a_usage_error(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for list in [
        "no such file or directory\n",
        "\u{feff}words",
        "\0\u{1}\u{fffd}",
        "/nix/store/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt",
        &HELLO[1..],
    ] {
        for verb in ["sync --from -", "add -", &format!("add {HELLO} -")] {
            let run = run_with(&mirror, verb, list);
            run.exits(2).says("no store path").says("standard input");
        }
    }
    let file = mirror.home().join("list");
    std::fs::write(&file, "nothing of use").unwrap();
    let run = mirror.run(&format!("sync --from {}", file.display()));
    run.exits(2).says("no store path").says("/list");
    // Nothing is asked for, and derivations are there to be passed over.
    for list in [
        "",
        " \n\t\n",
        "\u{feff}",
        &format!("/gnu/store/{HELLO}-x.drv"),
    ] {
        run_with(&mirror, "sync --from -", list).silently();
        run_with(&mirror, "add -", list).silently();
    }
    assert!(mirror.list().is_empty());
}

/// Each is mistyped, beside one that is not.
fn a_word_that_was_meant_for_an_item_is_named(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    for (number, (word, fault)) in [
        (HELLO[1..].to_owned(), "31 characters"),
        (format!("/gnu/store/{}-x", &HELLO[1..]), "31 characters"),
        (format!("/gnu/store/e{}-x", &HELLO[1..]), "no e, o, t or u"),
        (HELLO.to_uppercase(), "lowercase letters only"),
        (format!("/gnu/store/{HELLO}-x:out"), "contains ':'"),
        (format!("/gnu/store/{HELLO}-é"), "contains 'é'"),
        ("/gnu/store/hello".to_owned(), "has no name"),
    ]
    .iter()
    .enumerate()
    {
        for verb in ["sync --from -", "add -"] {
            let mirror = Mirror::new(node, &upstream);
            let key = format!("--key {}-{number}", &verb[..3]);
            let list = format!("{word} of\n{EMPTY}\n{word}\n");
            let run = run_with(&mirror, &format!("{verb} {key}"), &list).exits(3);
            let run = run.says(word).says(fault);
            assert_eq!(run.err.matches(word.as_str()).count(), 1, "{run:?}");
            let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
            assert_eq!(listed.lines().count(), 1, "{word}: {listed}");
            // Each time: the list alone can be mended.
            let run = run_with(&mirror, &format!("{verb} {key} --json"), &list).exits(3);
            let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
            assert_eq!(json["refused"][0]["item"], word.as_str(), "{json}");
        }
    }
}

fn an_item_of_a_list_may_be_quoted_or_named_by_a_file_of_it(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    for (number, list) in [
        format!("/gnu/store/{HELLO}-rig-hello.txt, /gnu/store/{EMPTY}-rig-empty"),
        format!("(\"/gnu/store/{HELLO}-rig-hello.txt\" \"/gnu/store/{EMPTY}-rig-empty\")"),
        format!("rig 1.0 => '{HELLO}-rig-hello.txt';\n[{EMPTY}]"),
        format!("/gnu/store/{HELLO}-rig-hello.txt/x\n/gnu/store/{EMPTY}-rig-empty/bin/y//"),
        format!("/gnu/store/.links /gnu/store/trash\n/gnu/store/{HELLO}-x/bin:\n/gnu/store/{EMPTY}-x/:\n"),
        format!("{HELLO}.narinfo\nhttps://a.example/{EMPTY}.narinfo"),
    ]
    .iter()
    .enumerate()
    {
        let mirror = Mirror::new(node, &upstream);
        let key = format!("--key quoted-{number}");
        run_with(&mirror, &format!("sync --from - {key}"), list).silently();
        let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
        assert_eq!(listed.lines().count(), 2, "{list:?}: {listed}");
    }
}

fn a_line_of_a_list_may_be_a_comment(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let list = format!("# {HELLO} and /gnu/store/mistyped\r\n  #{HELLO}\n\n{EMPTY}\n");
    run_with(&mirror, "sync --from -", &list).silently();
    assert_eq!(mirror.list().len(), 1);
    // All of it: nothing is asked for.
    run_with(&mirror, "sync --from -", &format!("# {HELLO}\n")).silently();
    assert_eq!(mirror.list().len(), 1);
    // As `guix repl` prints a derivation.
    let list = format!("#<derivation /gnu/store/{EMPTY}-x.drv => /gnu/store/{HELLO}-x 7f>");
    run_with(&mirror, "sync --from -", &list).silently();
    assert_eq!(mirror.list().len(), 2);
}

fn unknown_items_of_a_list_are_owed(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let unknown = "0123456789abcdfghijklmnpqrsvwxyz";
    let list = format!("{unknown}\n/gnu/store/{}-x {EMPTY}\n", "0".repeat(32));
    let run = run_with(&mirror, "sync --from -", &list).exits(3);
    run.says(unknown).says("no upstream has it (yet)");
    assert_eq!(mirror.list().len(), 1);
    // They are owed, and neither asked for again nor reported again at once.
    upstream.asked();
    run_with(&mirror, "sync --from -", &list).silently();
    let asked = upstream.asked();
    assert!(
        !asked.iter().any(|path| path.contains(unknown)),
        "{asked:?}"
    );
    let long = mirror.run("resolve --long").exits(0).out;
    assert!(long.contains("owed      2 items"), "{long}");
    let json = mirror.run("resolve --long --json").exits(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let owed = json["owed"].as_array().unwrap();
    assert_eq!(owed.len(), 2, "{json}");
    for owed in owed {
        assert_eq!(owed["reason"], "no upstream has it (yet)");
        let times = [&owed["since"], &owed["next"]].map(|time| time.as_str().unwrap());
        assert!(times[0] < times[1] && times[0].starts_with("20"), "{json}");
    }
    // Where they are many, they are counted.
    let many: Vec<String> = (1..22).map(|number| format!("{number:032}")).collect();
    let run = run_with(&mirror, "sync --from -", &many.join("\n")).exits(3);
    run.says("21 items that no upstream has (yet)")
        .says("`guix-ipfs resolve --long` lists them");
    // Named one by one they are missed.
    mirror.run(&format!("add {unknown}")).exits(3).says(unknown);
}

/// As `scripts/setup/all-packages.scm` prints it: a line for each output of each
/// package, of which an upstream lacks many.
fn a_list_of_all_packages_is_mirrored_as_far_as_the_upstream_has_it(node: &TestNode) {
    const LINES: u64 = 20_000;
    let upstream = Upstream::empty();
    let outputs = ["gtk+-3.24", "gtk+-3.24-bin", "gtk+-3.24-debug", "hello-2"];
    let outputs: Vec<_> = (0..).zip(outputs).collect();
    let items: Vec<_> = outputs.iter().map(|(n, name)| item(*n, name, 40)).collect();
    upstream.add_items(&items);
    let paths = outputs.iter().zip(&items);
    let paths = paths.map(|((_, name), item)| format!("/gnu/store/{}-{name}", item.hash));
    let mut paths: Vec<String> = paths.collect();
    let lacking = (0..LINES).map(|n| format!("/gnu/store/{n:032}-package-{n}-debug"));
    // Two systems have some in common.
    let list: Vec<String> = paths.iter().cloned().chain(lacking).collect();
    let list = [list.join("\n"), paths.join("\n"), String::new()].join("\n");
    let mirror = Mirror::new(node, &upstream);
    let run = run_with(&mirror, "sync --from -", &list).exits(3);
    run.says(&format!("{LINES} items that no upstream has (yet)"));
    let mut listed = mirror.list();
    listed.sort();
    paths.sort();
    assert_eq!(listed, paths);
    // The next run asks for nothing.
    upstream.asked();
    run_with(&mirror, "sync --from -", &list).silently();
    assert_eq!(upstream.asked(), [""; 0]);
    let long = mirror.run("resolve --long").exits(0).out;
    assert!(long.contains(&format!("{LINES} items")), "{long}");
}

fn a_narinfo_can_be_named_by_its_url(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let (mirror, url) = (Mirror::new(node, &upstream), upstream.url());
    mirror.run(&format!("add {url}/{EMPTY}.narinfo")).silently();
    // At a server that is no --upstream: it is asked after those that are.
    let elsewhere = Upstream::empty();
    let option = format!("--upstream {}", elsewhere.url());
    mirror
        .run(&format!("add {url}/{HELLO}.narinfo {option}"))
        .silently();
    assert_eq!(mirror.list().len(), 2);
    mirror
        .run(&format!("add {url}/nar/x"))
        .exits(2)
        .says("narinfo");
    // It is held to the keys of those that are.
    let farm = crate::support::fixture("farm/ci.guix.gnu.org.pub");
    let option = format!("{option} --trusted-keys {}", farm.display());
    let run = mirror.run(&format!("add {url}/{HELLO}.narinfo {option} --key other"));
    run.exits(3).says("which is not trusted");
}

fn a_package_is_its_latest_successful_build(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let tools = "/gnu/store/y023qcgjv7nsp8snwi2q1569mig8hyjj-rig-tools-1.2.3";
    let run = mirror.run("add rig-tools -v").exits(0);
    run.says(&format!("rig-tools is {tools} (build 9000, x86_64-linux)"));
    assert_eq!(mirror.list(), [tools]);
    mirror.run("add rig-multi@2").silently();
    let listed = mirror.list();
    let outputs = listed.iter().filter(|path| path.contains("rig-multi-2.0"));
    assert_eq!(outputs.count(), 2, "{listed:?}");
    let asked = upstream.asked();
    let lists = asked.iter().filter(|path| *path == "api/latestbuilds");
    assert_eq!(lists.count(), 2, "{asked:?}");
}

fn a_package_that_nobody_knows_is_named(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for (package, system) in [("rig-tools@9", "x86_64-linux"), ("rig-tools", "i686-linux")] {
        let run = mirror.run(&format!("add {package} {EMPTY} --system {system}"));
        let said = format!("no build farm lists a successful build of it for {system}");
        run.exits(3).says(package).says(&said);
    }
    assert_eq!(mirror.list().len(), 1);
    upstream.remove("api/latestbuilds");
    let run = mirror.run("add rig-tools");
    run.exits(3)
        .says("rig-tools")
        .says("name a store path instead");
    mirror.run("sync").exits(1).says("--from FILE");
}
