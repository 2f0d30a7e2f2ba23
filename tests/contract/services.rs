//! Pinning services, which only a Kubo asks.

use crate::support::{Manner, PinningService, TestNode};
use crate::{add, is_refused, missing};
use guix_ipfs::ipfs::cid::{Cid, DAG_PB};
use guix_ipfs::node::kubo::{KuboNode, TimeLimits};
use guix_ipfs::node::{DryRun, Node, Problem, Refusal, RemoteQuery, RemoteStatus};
use std::time::{Duration, Instant};

on_kubo_alone!(
    a_root_is_asked_for_and_found_by_its_name_and_its_cid,
    what_is_unpinned_is_of_one_root_one_name_and_one_state,
    a_list_of_many_pages_is_whole,
    a_service_that_sorts_nothing_out_loses_nothing,
    each_failure_of_a_service_is_its_own,
    every_call_to_a_silent_service_ends,
);

fn asked(service: &PinningService) -> Vec<(String, String)> {
    service.roots("")
}

#[test]
fn a_node_that_asks_no_services_refuses() {
    let at = TestNode::local();
    let node = at.node();
    let root = missing();
    is_refused(node.services(), Refusal::UnknownService);
    is_refused(
        node.remote_pins("s", RemoteQuery::Of(&root)),
        Refusal::UnknownService,
    );
    is_refused(node.pin_remotely("s", &root, "n"), Refusal::UnknownService);
    let all = &RemoteStatus::ALL;
    is_refused(
        node.unpin_remotely("s", &root, "n", all),
        Refusal::UnknownService,
    );
}

fn a_root_is_asked_for_and_found_by_its_name_and_its_cid(at: &TestNode) {
    let node = at.node();
    assert!(node.services().unwrap().is_empty());
    let service = PinningService::start().on(at, "one");
    let _other = PinningService::start().on(at, "two");
    assert_eq!(node.services().unwrap(), ["one", "two"]);
    let [here, elsewhere] = [add(node, b"here"), missing()];
    for root in [here, elsewhere] {
        let status = node.pin_remotely("one", &root, "a/b").unwrap();
        assert_eq!(status, RemoteStatus::Queued);
    }
    service.begins_with("pinned");
    let status = node.pin_remotely("one", &here, "").unwrap();
    assert_eq!(status, RemoteStatus::Pinned);
    let named = |name: &str| node.remote_pins("one", RemoteQuery::Named(name)).unwrap();
    let roots: Vec<Cid> = named("a/b").iter().map(|pin| pin.cid).collect();
    assert_eq!(roots, [elsewhere, here], "the newest first");
    for part in ["a", "a/", "b", "A/B"] {
        assert!(named(part).is_empty(), "{part}");
    }
    for (number, status) in RemoteStatus::ALL.into_iter().enumerate() {
        service.becomes(&elsewhere.to_string(), status.word());
        let query = RemoteQuery::Of(&elsewhere);
        let found = node.remote_pins("one", query).unwrap();
        assert_eq!((found.len(), found[0].status), (1, status), "{number}");
    }
    // In another spelling, and without its name.
    service.behaves(Manner::Respells);
    let found = node.remote_pins("one", RemoteQuery::Of(&here)).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|pin| pin.name.is_empty()));
    assert_eq!(found[0].cid, Cid::new_v1(DAG_PB, *here.hash()));
    // A dry run reads.
    let dry = DryRun(node);
    assert_eq!(dry.services().unwrap().len(), 2);
    let refused = dry.pin_remotely("one", &here, "").unwrap_err();
    assert!(matches!(refused.problem, Problem::DryRun));
}

fn what_is_unpinned_is_of_one_root_one_name_and_one_state(at: &TestNode) {
    let node = at.node();
    let service = PinningService::start().on(at, "s");
    let [one, two] = [add(node, b"one"), add(node, b"two")].map(|cid| cid.to_string());
    for (cid, name, status) in [
        (&one, "mine", "failed"),
        (&one, "mine", "pinned"),
        (&one, "mine", "pinned"),
        (&one, "another", "pinned"),
        (&one, "", "pinned"),
        (&two, "mine", "pinned"),
    ] {
        service.holds(cid, name, status);
    }
    let root = one.parse().unwrap();
    let go = |states: &[RemoteStatus]| node.unpin_remotely("s", &root, "mine", states).unwrap();
    go(&[RemoteStatus::Failed, RemoteStatus::Queued]);
    assert_eq!(asked(&service).len(), 5);
    go(&RemoteStatus::ALL);
    let left: Vec<_> = service.pins().into_iter().map(|pin| pin.name).collect();
    assert_eq!(left, ["another", "", "mine"]);
    go(&RemoteStatus::ALL);
    assert_eq!(asked(&service).len(), 3);
}

fn a_list_of_many_pages_is_whole(at: &TestNode) {
    let node = at.node();
    let service = PinningService::start().on(at, "s");
    for number in 0..450_u32 {
        let cid = guix_ipfs::ipfs::cid::cid_of(
            guix_ipfs::ipfs::cid::CidVersion::V0,
            DAG_PB,
            &number.to_le_bytes(),
        );
        let name = if number % 3 == 0 { "mine" } else { "another's" };
        service.holds(&cid.to_string(), name, "pinned");
    }
    let query = RemoteQuery::Named("mine");
    assert_eq!(node.remote_pins("s", query).unwrap().len(), 150);
    // The names are looked at here where the service does not.
    service.behaves(Manner::ListsAll);
    assert_eq!(node.remote_pins("s", query).unwrap().len(), 150);
}

fn a_service_that_sorts_nothing_out_loses_nothing(at: &TestNode) {
    let node = at.node();
    let service = PinningService::start().on(at, "s");
    let [one, two] = [add(node, b"one"), add(node, b"two")];
    let others = [(two, "mine"), (one, "another's"), (one, "")];
    for (cid, name) in others {
        service.forgets();
        service.holds(&one.to_string(), "mine", "pinned");
        service.holds(&cid.to_string(), name, "pinned");
        service.behaves(Manner::ListsAll);
        let gone = node.unpin_remotely("s", &one, "mine", &RemoteStatus::ALL);
        let error = gone.unwrap_err();
        let is_it = matches!(error.problem, Problem::Unexpected(_));
        assert!(is_it, "{error:?}");
        assert_eq!(asked(&service).len(), 2);
    }
    service.forgets();
    service.holds(&one.to_string(), "mine", "pinned");
    let gone = node.unpin_remotely("s", &one, "mine", &RemoteStatus::ALL);
    gone.unwrap();
    assert!(asked(&service).is_empty());
}

fn each_failure_of_a_service_is_its_own(at: &TestNode) {
    let node = at.node();
    let root = add(node, b"root");
    let service = PinningService::start().on(at, "s");
    at.ipfs(
        "pin remote service add",
        &["locked", &service.url, "another-key"],
    );
    at.ipfs(
        "pin remote service add",
        &["closed", "http://127.0.0.1:9", "k"],
    );
    let ask = |service: &str| node.remote_pins(service, RemoteQuery::Named("n"));
    is_refused(ask("nobody"), Refusal::UnknownService);
    for (name, words) in [("locked", "UNAUTHORIZED"), ("closed", "refused")] {
        let error = ask(name).unwrap_err();
        assert!(
            error.is(Refusal::Service) && error.to_string().contains(words),
            "{error}"
        );
        assert!(!error.to_string().contains("http://"), "{error}");
    }
    for manner in [
        Manner::Fails(500),
        Manner::Fails(400),
        Manner::Fails(404),
        Manner::Fails(507),
        Manner::Page,
    ] {
        service.behaves(manner);
        is_refused(ask("s"), Refusal::Service);
        is_refused(node.pin_remotely("s", &root, "n"), Refusal::Service);
        let all = &RemoteStatus::ALL;
        is_refused(node.unpin_remotely("s", &root, "n", all), Refusal::Service);
        assert!(ask("s").unwrap_err().to_string().len() < 700);
    }
    service.goes_away(true);
    is_refused(ask("s"), Refusal::Service);
    service.goes_away(false);
    service.behaves(Manner::Refuses(409));
    assert!(ask("s").unwrap().is_empty());
    let error = node.pin_remotely("s", &root, "n").unwrap_err();
    assert!(error.to_string().contains("pay first"), "{error}");
}

fn every_call_to_a_silent_service_ends(at: &TestNode) {
    let service = PinningService::start().on(at, "s");
    service.behaves(Manner::Hangs);
    let limits = TimeLimits {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(1),
    };
    let node = KuboNode::connect(&at.api.parse().unwrap(), limits).unwrap();
    let start = Instant::now();
    let root = missing();
    let listed = node.remote_pins("s", RemoteQuery::Named("n"));
    assert!(listed.is_err(), "{listed:?}");
    assert!(node.pin_remotely("s", &root, "n").is_err());
    let gone = node.unpin_remotely("s", &root, "n", &RemoteStatus::ALL);
    assert!(gone.is_err());
    let time = start.elapsed();
    assert!(time < Duration::from_secs(15), "{time:?}");
}
