//! The choice of the roots to unpin at a service.

use crate::ipfs::cid::{Cid, is_same_content};
use crate::node::{RemotePin, RemoteStatus};

/// The name of the pins of an IPNS name.
pub fn pin_name(key_id: &str) -> String {
    format!("guix-ipfs/{key_id}")
}

/// The best state of a root at a service.
pub fn status_of(pins: &[RemotePin], root: &Cid) -> Option<RemoteStatus> {
    let pins = pins.iter().filter(|pin| is_same_content(&pin.cid, root));
    pins.map(|pin| pin.status).max()
}

/// The other roots to unpin, of pins with the newest first, while `root` is in this
/// state there.
///
/// Once it is pinned, all. Until then the newest one that is pinned stays, so that the
/// service always has one that is whole, and so does the one that has been on its way
/// longest since: a service that is slower than the publisher would never come to an end
/// if each new root took the place of the one before. The others are let go of before
/// they are fetched; nearly all of their blocks are in the new root, too.
pub fn superseded(pins: &[RemotePin], root: &Cid, status: RemoteStatus) -> Vec<Cid> {
    let mut others: Vec<(Cid, RemoteStatus)> = Vec::new();
    for pin in pins {
        let is_known = |(cid, _): &(Cid, _)| is_same_content(cid, &pin.cid);
        match others.iter().any(is_known) || is_same_content(&pin.cid, root) {
            true => {}
            false => others.extend(status_of(pins, &pin.cid).map(|status| (pin.cid, status))),
        }
    }
    let kept = match status {
        RemoteStatus::Pinned => [None, None],
        _ => {
            let pinned = others
                .iter()
                .position(|(_, of)| *of == RemoteStatus::Pinned);
            let newer = &others[..pinned.unwrap_or(others.len())];
            let on_its_way = newer
                .iter()
                .rposition(|(_, of)| *of != RemoteStatus::Failed);
            [pinned, on_its_way]
        }
    };
    let others = others.into_iter().enumerate();
    let gone = others.filter(|(at, _)| !kept.contains(&Some(*at)));
    gone.map(|(_, (cid, _))| cid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, DAG_PB, cid_of};
    use RemoteStatus::{Failed, Pinned, Pinning, Queued};

    fn root(number: u8) -> Cid {
        cid_of(CidVersion::V0, DAG_PB, &[number])
    }

    fn pin(number: u8, status: RemoteStatus) -> RemotePin {
        RemotePin {
            cid: root(number),
            name: String::new(),
            status,
        }
    }

    /// The numbers of the roots that go while root 9 is in this state.
    fn go(pins: &[(u8, RemoteStatus)], status: RemoteStatus) -> Vec<u8> {
        let mut pins: Vec<_> = pins.iter().map(|(root, of)| pin(*root, *of)).collect();
        pins.insert(0, pin(9, status));
        let gone = superseded(&pins, &root(9), status);
        let number = |cid: &Cid| (0..10).find(|number| root(*number) == *cid).unwrap();
        gone.iter().map(number).collect()
    }

    #[test]
    fn all_others_go_once_the_root_is_pinned() {
        let others = [(8, Queued), (7, Pinned), (6, Failed), (7, Pinned)];
        assert_eq!(go(&others, Pinned), [8, 7, 6]);
        assert_eq!(go(&[], Pinned), [0; 0]);
    }

    #[test]
    fn until_then_the_newest_pinned_and_the_oldest_on_its_way_stay() {
        for status in [Queued, Pinning, Failed] {
            assert_eq!(go(&[(8, Pinned)], status), [0; 0]);
            assert_eq!(go(&[(8, Pinned), (7, Pinned), (6, Queued)], status), [7, 6]);
            let slow = [(8, Queued), (7, Queued), (6, Pinning), (5, Pinned)];
            assert_eq!(go(&slow, status), [8, 7]);
            assert_eq!(go(&[(8, Failed), (7, Pinned)], status), [8]);
            assert_eq!(go(&[(8, Queued), (7, Queued)], status), [8]);
        }
    }

    #[test]
    fn the_best_state_of_a_root_counts_however_it_is_spelled() {
        let spelled = Cid::new_v1(DAG_PB, *root(9).hash());
        let mut pins = vec![pin(9, Failed), pin(9, Queued)];
        assert_eq!(status_of(&pins, &spelled), Some(Queued));
        assert_eq!(status_of(&pins, &root(1)), None);
        pins[0].cid = spelled;
        assert_eq!(superseded(&pins, &root(9), Pinned), []);
    }
}
