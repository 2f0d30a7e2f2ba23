//! `--pin-at`: pinning services keep what is published, too.

use crate::support::{
    Item, Manner, Mirror, Network, PinningService, Proxy, Run, Setup, Spoil, TOKEN, TestNode,
    Upstream, item, run,
};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

on_kubo_alone!(
    a_published_root_is_asked_for_at_each_service,
    older_roots_stay_until_the_newest_is_pinned,
    of_many_roots_in_a_row_few_are_kept,
    a_service_that_fails_is_a_warning_and_made_good_by_the_next_run,
    a_fault_in_any_call_about_a_service_is_made_good_by_the_next_run,
    a_trouble_is_said_once_a_day,
    a_service_that_forgot_everything_is_asked_again,
    a_root_that_was_given_up_is_asked_for_again_with_pauses,
    a_root_is_asked_for_once_whatever_the_service_tells,
    a_root_that_was_taken_without_an_answer_is_not_asked_for_again,
    two_mirrors_with_one_root_share_a_service_that_keeps_one_pin_of_it,
    many_old_roots_go_at_once,
    a_killed_run_is_made_good_by_the_next,
    other_pins_at_the_service_stay,
    a_service_that_sorts_nothing_out_loses_no_pin,
    a_run_that_cannot_speak_for_the_name_asks_nobody,
    a_farm_that_is_away_keeps_no_service_waiting,
    every_verb_that_publishes_asks,
    a_run_with_nothing_new_only_looks,
    an_unknown_service_is_an_error_before_anything_is_fetched,
    the_state_at_each_service_is_shown,
    the_figures_tell_what_is_pinned,
    secrets_of_services_are_shown_nowhere,
);

/// A mirror whose runs ask these services.
struct Asking {
    mirror: Mirror,
    upstream: Upstream,
    services: &'static str,
}

impl Asking {
    fn new(node: &TestNode, services: &'static str) -> Self {
        let upstream = Upstream::empty();
        Self {
            mirror: Mirror::new(node, &upstream),
            upstream,
            services,
        }
    }

    fn run(&self, arguments: &str) -> Run {
        let mut command = self.mirror.command(arguments);
        run(command.env("GUIX_IPFS_PIN_AT", self.services))
    }

    /// Publishes one more item and returns the root.
    fn publish(&self, number: u64) -> String {
        let new = self.offer(number);
        self.run(&format!("add {}", new.hash)).silently();
        self.mirror.root()
    }

    fn offer(&self, number: u64) -> Item {
        let new = item(number, "item", 300);
        self.upstream.add_items([&new]);
        new
    }

    /// A run with nothing new.
    fn look(&self) -> Run {
        let list = self.mirror.home().join("list");
        std::fs::write(&list, item(1, "item", 300).hash).unwrap();
        self.run(&format!("sync --from {}", list.display()))
    }

    /// Lets the next run say again what was said today.
    fn forget_notes(&self) {
        std::fs::remove_file(file_of_state(&self.mirror, "services.json")).unwrap();
    }
}

/// The file with this ending in the state folder.
fn file_of_state(mirror: &Mirror, ending: &str) -> PathBuf {
    let state = mirror.home().join(".local/state/guix-ipfs");
    let files = std::fs::read_dir(state).unwrap();
    let mut files = files.map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.to_str().unwrap().ends_with(ending));
    file.unwrap()
}

/// The roots with their states, as a service should have them.
fn roots<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    let pairs = expected.into_iter();
    pairs
        .map(|(root, status)| (root.to_owned(), status.to_owned()))
        .collect()
}

fn a_published_root_is_asked_for_at_each_service(node: &TestNode) {
    let [one, two] = ["one", "two"].map(|name| PinningService::start().on(node, name));
    let mine = Asking::new(node, "one  two one");
    let root = mine.publish(1);
    let name = node.key_id("guix-ipfs").unwrap();
    for service in [&one, &two] {
        let pins = service.pins();
        assert_eq!(pins.len(), 1, "{pins:?}");
        assert_eq!(pins[0].cid, root);
        assert_eq!(pins[0].name, format!("guix-ipfs/{name}"));
        let posts = service.asked().into_iter();
        assert_eq!(posts.filter(|asked| asked == "POST /pins").count(), 1);
    }
    // By options, and said to a person who looks on.
    two.becomes(&root, "pinned");
    let run = mine.mirror.run("sync --pin-at two -v --from /dev/null");
    run.exits(0).says(&format!("two: /ipfs/{root} is pinned"));
    assert!(one.asked().is_empty());
    let run = mine.run("init --anew -v").exits(0);
    let empty = mine.mirror.root();
    run.says(&format!("one: /ipfs/{empty} is queued"))
        .says(&format!("two: /ipfs/{empty} is queued"));
    assert_eq!(
        two.roots("guix-ipfs/"),
        roots([(&root, "pinned"), (&empty, "queued")])
    );
}

fn older_roots_stay_until_the_newest_is_pinned(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let first = mine.publish(1);
    service.becomes(&first, "pinned");
    let second = mine.publish(2);
    for status in ["queued", "pinning", "pinning"] {
        service.becomes(&second, status);
        mine.look().silently();
        let both = roots([(&first, "pinned"), (&second, status)]);
        assert_eq!(service.roots(""), both);
    }
    service.becomes(&second, "pinned");
    mine.look().silently();
    assert_eq!(service.roots(""), roots([(&second, "pinned")]));
    // One that holds all of it at once.
    service.begins_with("pinned");
    let third = mine.publish(3);
    assert_eq!(service.roots(""), roots([(&third, "pinned")]));
}

/// A service that is slower than the publisher holds a whole root all the same, and comes
/// to the end of another.
fn of_many_roots_in_a_row_few_are_kept(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let mut whole = mine.publish(1);
    service.becomes(&whole, "pinned");
    let mut slow = mine.publish(2);
    let mut newest = slow.clone();
    for number in 3..12 {
        newest = mine.publish(number);
        let kept = service.roots("");
        assert!(kept.len() <= 3, "{kept:?}");
        let expected = [(&*whole, "pinned"), (&*slow, "queued"), (&newest, "queued")];
        assert_eq!(kept, roots(expected));
        if number % 3 == 0 {
            service.becomes(&slow, "pinned");
            whole = std::mem::replace(&mut slow, newest.clone());
            newest = mine.publish(100 + number);
            let expected = [(&*whole, "pinned"), (&*slow, "queued"), (&newest, "queued")];
            assert_eq!(service.roots(""), roots(expected));
        }
    }
    service.becomes(&newest, "pinned");
    mine.look().silently();
    assert_eq!(service.roots(""), roots([(&newest, "pinned")]));
}

fn a_service_that_fails_is_a_warning_and_made_good_by_the_next_run(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let good = PinningService::start().on(node, "good");
    let mine = Asking::new(node, "s good");
    let mut before = mine.publish(0);
    service.becomes(&before, "pinned");
    let hour = Duration::from_millis(300);
    for (number, (manner, words)) in [
        (Manner::Fails(500), "come back later"),
        (Manner::Fails(429), "come back later"),
        (Manner::Refuses(402), "pay first"),
        (Manner::Page, "503"),
        (Manner::Hangs, "deadline"),
    ]
    .into_iter()
    .enumerate()
    {
        service.behaves(manner);
        let new = mine.offer(number as u64 + 1);
        mine.forget_notes();
        let run = mine.run(&format!("add {} --read-timeout 2", new.hash));
        let run = run.exits(0).says("guix-ipfs: warning: pinning service s:");
        run.says(words).says("the next run tries again");
        let root = mine.mirror.root();
        assert_eq!(service.roots(""), roots([(&before, "pinned")]));
        assert!(good.roots("").iter().any(|(cid, _)| *cid == root));
        service.behaves(Manner::Slow(hour));
        mine.look().silently();
        let both = roots([(&before, "pinned"), (&root, "queued")]);
        assert_eq!(service.roots(""), both, "{manner:?}");
        service.becomes(&root, "pinned");
        mine.look().silently();
        before = root;
    }
    // Nobody answers there.
    mine.forget_notes();
    service.goes_away(true);
    let new = mine.offer(100);
    let run = mine.run(&format!("add {}", new.hash));
    run.exits(0).says("warning: pinning service s");
    service.goes_away(false);
    mine.look().silently();
    assert_eq!(service.roots("").len(), 2);
    // Another key than the service's.
    node.ipfs("pin remote service add", &["locked", &service.url, "x"]);
    let locked = mine.mirror.run("init --anew --pin-at locked").exits(0);
    locked.says("UNAUTHORIZED").says("replace a key");
}

fn a_fault_in_any_call_about_a_service_is_made_good_by_the_next_run(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    service.begins_with("pinned");
    let proxy = Proxy::new(&node.api);
    let upstream = Upstream::empty();
    let mine = Asking {
        mirror: Mirror::at(&proxy.url, &upstream),
        upstream,
        services: "s",
    };
    mine.publish(1);
    let mut number = 1;
    for (command, well) in [
        // By name, by CID, and before something goes.
        ("pin/remote/ls", 0),
        ("pin/remote/ls", 1),
        ("pin/remote/ls", 2),
        ("pin/remote/add", 0),
        ("pin/remote/rm", 0),
        // The second of the run, for the services.
        ("id", 1),
    ] {
        for spoil in [
            Spoil::Before,
            Spoil::After,
            Spoil::Answer(500, "{}"),
            Spoil::Answer(403, "no"),
            Spoil::Half,
            Spoil::StreamError,
            Spoil::WrongLength,
        ] {
            number += 1;
            let new = mine.offer(number);
            proxy.spoil(command, well, spoil);
            let run = mine.run(&format!("add {}", new.hash)).exits(0);
            assert!(!proxy.is_waiting(), "{command}: {run:?}");
            let root = mine.mirror.root();
            assert!(!service.pins().is_empty(), "{command} {spoil:?}");
            mine.look().silently();
            let expected = roots([(&root, "pinned")]);
            assert_eq!(service.roots(""), expected, "{command} {well} {spoil:?}");
        }
    }
    // Without the list of services nothing has begun.
    for spoil in [Spoil::Before, Spoil::Half, Spoil::Answer(403, "no")] {
        let new = mine.offer(1000);
        proxy.spoil("pin/remote/service/ls", 0, spoil);
        let run = mine.run(&format!("add {}", new.hash)).exits(1);
        run.says("list the node's pinning services");
        assert!(!mine.upstream.has_asked(&format!("{}.narinfo", new.hash)));
    }
}

fn a_trouble_is_said_once_a_day(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    mine.publish(1);
    service.behaves(Manner::Fails(500));
    mine.look().exits(0).says("warning: pinning service s");
    for _ in 0..3 {
        mine.look().silently();
    }
    // It comes and goes.
    service.behaves(Manner::Good);
    mine.look().silently();
    service.behaves(Manner::Fails(500));
    mine.look().silently();
    // A person who looks on is told.
    let list = mine.mirror.home().join("list");
    let run = mine.run(&format!("sync -v --from {}", list.display()));
    run.exits(0).says("pinning service s");
    // A day later.
    let notes = file_of_state(&mine.mirror, "services.json");
    let text = std::fs::read_to_string(&notes).unwrap();
    let mut said: Value = serde_json::from_str(&text).unwrap();
    said["s"]["reported"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(&notes, said.to_string()).unwrap();
    mine.look().exits(0).says("warning: pinning service s");
    // What is no note is taken for none.
    for text in ["", "[]", "{\"s\": 7}", "\0\0"] {
        std::fs::write(&notes, text).unwrap();
        mine.look().exits(0).says("warning: pinning service s");
    }
}

fn a_service_that_forgot_everything_is_asked_again(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let root = mine.publish(1);
    service.becomes(&root, "pinned");
    mine.look().silently();
    service.forgets();
    mine.look().silently();
    assert_eq!(service.roots(""), roots([(&root, "queued")]));
}

fn a_root_that_was_given_up_is_asked_for_again_with_pauses(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let first = mine.publish(1);
    service.becomes(&first, "pinned");
    let second = mine.publish(2);
    service.becomes(&second, "failed");
    let run = mine.look().exits(0);
    run.says(&format!("s failed to pin /ipfs/{second}"))
        .says("now");
    let asked = roots([(&first, "pinned"), (&second, "queued")]);
    assert_eq!(service.roots(""), asked);
    // Not again at once.
    service.becomes(&second, "failed");
    service.asked();
    mine.look().silently();
    assert_eq!(service.asked(), ["GET /pins"]);
    let failed = roots([(&first, "pinned"), (&second, "failed")]);
    assert_eq!(service.roots(""), failed);
    // When it is time, or nobody knows.
    mine.forget_notes();
    mine.look().exits(0).says("failed to pin");
    assert_eq!(service.roots(""), asked);
    // Another root has no pause.
    service.becomes(&second, "failed");
    let third = mine.publish(3);
    let newest = roots([(&first, "pinned"), (&third, "queued")]);
    assert_eq!(service.roots(""), newest);
}

/// The list may lack the root that is asked for: where a later page fails, where names are
/// not kept, where CIDs come in another spelling.
fn a_root_is_asked_for_once_whatever_the_service_tells(node: &TestNode) {
    for manner in [Manner::Respells, Manner::FailsLater, Manner::ListsAll] {
        let service = PinningService::start();
        let name = format!("{manner:?}");
        node.ipfs("pin remote service add", &[&name, &service.url, TOKEN]);
        service.behaves(manner);
        let mine = Asking::new(node, "");
        let new = mine.offer(1);
        let publish = format!("init --anew --pin-at {name}");
        mine.mirror.run(&publish).exits(0);
        let root = mine.mirror.root();
        let id = node.key_id("guix-ipfs").unwrap();
        if manner == Manner::FailsLater {
            for number in 0..25 {
                let other = node.add(&[number]).to_string();
                service.holds(&other, &format!("guix-ipfs/{id}"), "queued");
            }
        }
        let add = format!("add {} --pin-at {name}", new.hash);
        mine.mirror.run(&add).exits(0);
        let newest = mine.mirror.root();
        for _ in 0..3 {
            mine.mirror.run(&add).exits(0);
        }
        for asked in [root, newest] {
            let pins = service.pins().into_iter();
            let count = pins.filter(|pin| pin.cid == asked).count();
            assert!(count <= 1, "{manner:?}: {count} of {asked}");
        }
    }
}

fn a_root_that_was_taken_without_an_answer_is_not_asked_for_again(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    service.behaves(Manner::TakesSilently);
    let new = mine.offer(1);
    let run = mine.run(&format!("add {} --read-timeout 2", new.hash));
    run.silently();
    let root = mine.mirror.root();
    service.behaves(Manner::Good);
    mine.look().silently();
    assert_eq!(service.roots(""), roots([(&root, "queued")]));
}

fn two_mirrors_with_one_root_share_a_service_that_keeps_one_pin_of_it(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    service.behaves(Manner::OnePerCid);
    service.begins_with("pinned");
    let mine = Asking::new(node, "s");
    let new = mine.offer(1);
    mine.run("init --key one").silently();
    mine.run("init --key two").silently();
    let begun = service.roots("guix-ipfs/");
    assert_eq!(begun.len(), 1, "{begun:?}");
    mine.run(&format!("add {} --key one", new.hash)).silently();
    for _ in 0..2 {
        for key in ["one", "two"] {
            mine.run(&format!("verify --repair --key {key}")).silently();
        }
        let kept = service.roots("guix-ipfs/");
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(kept.contains(&begun[0]), "{kept:?}");
    }
}

fn many_old_roots_go_at_once(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    service.begins_with("pinned");
    let mine = Asking::new(node, "s");
    mine.publish(1);
    let name = pin_name(node);
    for number in 0..40_u32 {
        let old = node.add(&number.to_le_bytes()).to_string();
        service.holds(&old, &name, "pinned");
    }
    let root = mine.publish(2);
    assert_eq!(service.roots(""), roots([(&root, "pinned")]));
}

fn a_killed_run_is_made_good_by_the_next(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let first = mine.publish(1);
    service.becomes(&first, "pinned");
    let new = mine.offer(2);
    service.behaves(Manner::Hangs);
    let mut command = mine.mirror.command(&format!("add {}", new.hash));
    command.env("GUIX_IPFS_PIN_AT", "s").stderr(Stdio::null());
    let mut killed = command.spawn().unwrap();
    let start = Instant::now();
    while !service.asked().contains(&"hangs".to_owned()) {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    service.behaves(Manner::Good);
    let second = mine.mirror.root();
    assert_ne!(second, first, "published, and not asked for");
    assert_eq!(service.roots(""), roots([(&first, "pinned")]));
    mine.look().silently();
    let both = roots([(&first, "pinned"), (&second, "queued")]);
    assert_eq!(service.roots(""), both);
}

fn other_pins_at_the_service_stay(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let first = mine.publish(1);
    let id = node.key_id("guix-ipfs").unwrap();
    // The same root under other names, and hundreds of other things.
    let names = [
        "",
        "guix-ipfs",
        "guix-ipfs/",
        &format!("guix-ipfs/{id}x"),
        &format!("x/guix-ipfs/{id}"),
        &id,
    ];
    for name in names {
        service.holds(&first, name, "pinned");
    }
    for number in 0..300_u32 {
        let other = node.add(&number.to_le_bytes()).to_string();
        service.holds(&other, &format!("pin {number}"), "pinned");
    }
    let others = || {
        let pins = service.pins().into_iter();
        let others = pins.filter(|pin| pin.name != format!("guix-ipfs/{id}"));
        others.collect::<Vec<_>>()
    };
    let before = others();
    service.begins_with("pinned");
    let second = mine.publish(2);
    let third = mine.publish(3);
    assert_eq!(others(), before);
    let own = service.roots(&format!("guix-ipfs/{id}"));
    assert!(own.contains(&(third.clone(), "pinned".to_owned())));
    assert!(!own.iter().any(|(cid, _)| *cid == second), "{own:?}");
    // A mirror under another key has its own.
    let add = format!("add {} --key other --pin-at s", item(1, "item", 300).hash);
    mine.mirror.run("init --key other --pin-at s").silently();
    mine.mirror.run(&add).silently();
    let own = service.roots(&format!("guix-ipfs/{id}"));
    assert!(own.contains(&(third, "pinned".to_owned())));
}

fn a_service_that_sorts_nothing_out_loses_no_pin(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    service.begins_with("pinned");
    let first = mine.publish(1);
    let other = node.add(b"other").to_string();
    service.holds(&other, "another's", "pinned");
    service.behaves(Manner::ListsAll);
    let new = mine.offer(2);
    let run = mine.run(&format!("add {}", new.hash)).exits(0);
    run.says("warning: pinning service s")
        .says("nothing is removed there");
    let kept: Vec<String> = service.pins().into_iter().map(|pin| pin.cid).collect();
    assert_eq!(kept, [first, other, mine.mirror.root()]);
}

/// Beside another run, and where a mirror was moved away: the root is another there.
fn a_run_that_cannot_speak_for_the_name_asks_nobody(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    mine.publish(1);
    let lock = file_of_state(&mine.mirror, ".lock");
    let held = std::fs::File::open(lock).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    service.forgets();
    service.asked();
    let new = mine.offer(2);
    let add = format!("add {}", new.hash);
    assert_eq!(mine.run(&add).exits(75).err, "");
    assert_eq!(service.asked(), [""; 0]);
    drop(held);
    let there = TestNode::local();
    let file = node.daemon().repo().join("key");
    let file = file.to_str().unwrap();
    node.ipfs("key export -o", &[file, "guix-ipfs"]);
    let to = format!("move --to {} --key-file {file}", there.api);
    mine.mirror.run(&to).exits(0);
    mine.run(&add).exits(1).says("moved");
    assert_eq!(service.asked(), [""; 0]);
    assert!(service.pins().is_empty());
}

fn a_farm_that_is_away_keeps_no_service_waiting(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "s");
    let first = mine.publish(1);
    service.becomes(&first, "pinned");
    let second = mine.publish(2);
    service.becomes(&second, "pinned");
    let away = "sync --upstream http://127.0.0.1:9 --connect-timeout 1";
    mine.run(away).exits(75);
    assert_eq!(service.roots(""), roots([(&second, "pinned")]));
}

fn every_verb_that_publishes_asks(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    service.begins_with("pinned");
    let mine = Asking::new(node, "s");
    let is_there = |verb: &str| {
        let root = mine.mirror.root();
        assert_eq!(service.roots(""), roots([(&root, "pinned")]), "{verb}");
    };
    mine.run("init").silently();
    is_there("init");
    mine.publish(1);
    let second = mine.offer(2);
    let list = mine.mirror.home().join("list");
    std::fs::write(&list, &second.hash).unwrap();
    let sync = format!("sync --from {}", list.display());
    mine.run(&sync).silently();
    is_there("sync");
    let other = mine.offer(3);
    mine.run(&format!("add {}", other.hash)).silently();
    mine.run(&format!("remove {}", other.hash)).silently();
    is_there("remove");
    mine.run("prune --max-size 1 --force").exits(0);
    is_there("prune");
    mine.run(&format!("add {}", second.hash)).exits(0);
    // What only reads asks nobody.
    service.asked();
    mine.run("verify").silently();
    mine.run(&format!("{sync} --dry-run")).exits(0);
    assert_eq!(service.asked(), [""; 0]);
    service.forgets();
    mine.run("verify --repair").silently();
    is_there("verify --repair");
    // The one that publishes from now on is the other node.
    let there = TestNode::kubo();
    let new = PinningService::start().on(&there, "new");
    let local = TestNode::local();
    let upstream = Upstream::of_fixtures();
    let origin = Mirror::new(&local, &upstream);
    origin.run("sync").silently();
    let to = format!("move --to {} --pin-at", there.api);
    origin.run(&format!("{to} s")).exits(2).says("new");
    origin.run(&format!("{to} new")).exits(0);
    let root = origin.root();
    assert_eq!(new.roots("guix-ipfs/"), roots([(&root, "queued")]));
}

fn a_run_with_nothing_new_only_looks(node: &TestNode) {
    let service = PinningService::start().on(node, "s");
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("sync --pin-at s").silently();
    let root = mirror.root();
    for status in ["queued", "pinned"] {
        service.becomes(&root, status);
        proxy.calls();
        mirror.run("sync").silently();
        let without = proxy.calls();
        assert!(!without.iter().any(|call| call.starts_with("pin/remote")));
        service.asked();
        mirror.run("sync --pin-at s").silently();
        assert_eq!(service.asked(), ["GET /pins"]);
        let mut with = proxy.calls();
        let added = with.split_off(without.len() + 1);
        assert_eq!(added, ["id", "pin/remote/ls"]);
        assert!(with.contains(&"pin/remote/service/ls".to_owned()));
    }
}

fn an_unknown_service_is_an_error_before_anything_is_fetched(node: &TestNode) {
    let _service = PinningService::start().on(node, "pinata");
    let _other = PinningService::start().on(node, "cluster");
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for (verb, service, words) in [
        ("sync", "pinatta", "did you mean `--pin-at pinata`?"),
        ("sync --dry-run", "x", "these are set up: cluster, pinata"),
        ("init", "x", "`ipfs pin remote service add x ENDPOINT KEY`"),
        ("verify --repair", "x", "no pinning service named \"x\""),
    ] {
        let run = mirror.run(&format!("{verb} --pin-at {service} --pin-at pinata"));
        run.exits(2).says(words);
    }
    assert!(upstream.asked().is_empty());
    assert!(node.key_id("guix-ipfs").is_none());
    for empty in ["", "  "] {
        let mut sync = mirror.command("init --anew -q");
        run(sync.env("GUIX_IPFS_PIN_AT", empty)).exits(0);
    }
}

#[test]
fn a_local_store_asks_no_services_and_says_so_at_once() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    for verb in ["sync", "init", "prune --keep-for 9d", "remove x"] {
        let verb = verb.replace('x', &"0".repeat(32));
        let run = mirror.run(&format!("{verb} --pin-at s")).exits(2);
        run.says("--pin-at").says("--api");
    }
    assert!(upstream.asked().is_empty());
    mirror.run("sync").silently();
}

fn the_state_at_each_service_is_shown(node: &TestNode) {
    let [one, two, _idle, away] =
        ["one", "two", "idle", "away"].map(|name| PinningService::start().on(node, name));
    let mine = Asking::new(node, "one two");
    let first = mine.publish(1);
    one.becomes(&first, "pinned");
    two.becomes(&first, "pinned");
    let second = mine.publish(2);
    one.becomes(&second, "pinned");
    mine.look().silently();
    away.behaves(Manner::Fails(500));
    let lines = || {
        let long = mine.mirror.run("resolve --long").exits(0).out;
        let lines = long.lines().filter(|line| line.starts_with("service"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let shown = lines();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[0].contains("away: cannot be asked: "), "{shown:?}");
    assert_eq!(shown[1], "service   one: holds this root");
    let still = format!("service   two: this root is queued; holds /ipfs/{first} still");
    assert_eq!(shown[2], still);
    two.becomes(&second, "failed");
    assert!(lines()[2].contains("two: failed to pin this root; holds"));
    two.forgets();
    two.holds(&first, &pin_name(node), "pinned");
    assert!(lines()[2].contains("two: does not have this root; holds"));
    let json = mine.mirror.run("resolve --long --json").exits(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let services = json["services"].as_array().unwrap();
    assert_eq!(services.len(), 3, "{json}");
    assert_eq!(services[0]["service"], "away");
    assert!(
        services[0]["error"]
            .as_str()
            .unwrap()
            .contains("OUT_OF_ORDER")
    );
    assert_eq!(services[1]["status"], "pinned");
    assert_eq!(services[2]["status"], Value::Null);
    assert_eq!(services[2]["older"][0]["root"], *first);
    assert_eq!(services[2]["older"][0]["status"], "pinned");
    // Of somebody else's name nobody is asked.
    one.asked();
    let root = format!("/ipfs/{second}");
    mine.mirror.run(&format!("resolve --long {root}")).exits(0);
    assert_eq!(one.asked(), [""; 0]);
}

fn pin_name(node: &TestNode) -> String {
    format!("guix-ipfs/{}", node.key_id("guix-ipfs").unwrap())
}

fn the_figures_tell_what_is_pinned(node: &TestNode) {
    let odd = "a\"b\\";
    let service = PinningService::start().on(node, odd);
    let other = PinningService::start().on(node, "s");
    let mine = Asking::new(node, "");
    let file = mine.mirror.home().join("figures");
    let figures = |verb: &str| {
        let metrics = format!(
            "{verb} --pin-at {odd} --pin-at s --metrics {}",
            file.display()
        );
        mine.mirror.run(&metrics).exits(0);
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| line.contains("service_pinned"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let value = |odd: u8, other: u8| {
        let name = "guix_ipfs_service_pinned{key=\"guix-ipfs\",service=";
        [
            format!("{name}\"a\\\"b\\\\\"}} {odd}"),
            format!("{name}\"s\"}} {other}"),
        ]
    };
    let first = figures("init");
    assert_eq!(first[2..], value(0, 0), "{first:?}");
    let root = mine.mirror.root();
    service.becomes(&root, "pinned");
    other.becomes(&root, "pinned");
    other.behaves(Manner::Fails(500));
    let list = mine.mirror.home().join("list");
    std::fs::write(&list, mine.offer(1).hash).unwrap();
    let again = figures("verify --repair");
    assert_eq!(again[2..], value(1, 0), "{again:?}");
    // A run without services says nothing of them.
    let alone = format!("verify --repair --metrics {}", file.display());
    mine.mirror.run(&alone).silently();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("service_pinned"), "{text}");
}

fn secrets_of_services_are_shown_nowhere(node: &TestNode) {
    let service = PinningService::start();
    // Some services have a part of the secret in their address.
    let url = format!("{}/pr1vate", service.url);
    node.ipfs("pin remote service add", &["s", &url, TOKEN]);
    let closed = "http://us3r:passw0rd@127.0.0.1:9/pr1vate";
    node.ipfs("pin remote service add", &["closed", closed, TOKEN]);
    let mine = Asking::new(node, "s closed");
    for manner in [Manner::Good, Manner::Fails(401), Manner::Page] {
        service.behaves(manner);
        for verb in ["init --anew -v", "resolve --long", "resolve --long --json"] {
            let run = mine.run(verb).exits(0);
            for secret in [TOKEN, "pr1vate", "us3r", "passw0rd"] {
                let said = run.out.contains(secret) || run.err.contains(secret);
                assert!(!said, "{secret} in {run:?}");
            }
        }
        mine.forget_notes();
    }
    let unknown = mine.mirror.run("sync --pin-at nobody").exits(2);
    assert!(!unknown.err.contains("127.0.0.1"), "{unknown:?}");
}

/// A service that is a node like any other, which fetches from the publisher.
#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn what_a_service_holds_is_read_while_the_publisher_is_off() {
    let mut network = Network::start(3);
    let service = PinningService::start().on(&network[0], "s");
    let address = network[1].address();
    service.fetches_from(vec![address]);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("sync --no-closure --pin-at s").silently();
    let fetch = || {
        let pins = service.pins().into_iter();
        for pin in pins.filter(|pin| pin.status == "queued") {
            // It is told where to fetch from.
            let id = network[0].peer_id();
            let origins = &pin.origins;
            assert!(origins.iter().any(|at| at.contains(&id)), "{pin:?}");
            network[1].ipfs("pin add", &[&format!("/ipfs/{}", pin.cid)]);
            service.becomes(&pin.cid, "pinned");
        }
    };
    fetch();
    let first = mirror.root();
    mirror.run("sync --pin-at s").silently();
    assert_eq!(service.roots("").len(), 2);
    fetch();
    mirror.run("sync --pin-at s").silently();
    let root = mirror.root();
    assert_ne!(root, first);
    assert_eq!(service.roots(""), roots([(&root, "pinned")]));
    let name = network[0].key_id("guix-ipfs").unwrap();
    network.stop(0);
    let url = format!("/ipfs/{root}/21q7lx382p28sibkw2l721ybjxymkh1a.narinfo");
    let got = network[2].get(&url);
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.text().starts_with("StorePath: "));
    let resolved = network[2].resolves(&name).text();
    assert!(resolved.contains(&root), "{resolved}");
}

/// The addresses that a service names are connected to; one that nobody has is none's
/// trouble.
#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_service_whose_own_node_is_away_is_asked_all_the_same() {
    let node = TestNode::kubo_with(Setup {
        online: true,
        ..Setup::default()
    });
    let service = PinningService::start().on(&node, "s");
    let nobody = "12D3KooWBuZfgeC5U27PovNA8x1kFAZ94vhoHqCAtgFGe5eJQMny";
    service.fetches_from(vec![format!("/ip4/127.0.0.1/tcp/9/p2p/{nobody}")]);
    let mine = Asking::new(&node, "s");
    let root = mine.publish(1);
    assert_eq!(service.roots(""), roots([(&root, "queued")]));
}
