//! The network as the node sees it: its peers, and the others that have the mirror.

use super::super::failure::Failure;
use super::finding::{Finding, Judgement, Kind, Verdict};
use crate::ipfs::cid::Cid;
use crate::node::{Node, Reach};
use crate::util::parallel;
use serde::Serialize;
use std::time::Duration;

/// The network as the node sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SwarmFound {
    /// The peers that the node is connected to, where it has a network.
    pub peers: Option<usize>,
    /// The others that announce the root.
    pub root_providers: Option<usize>,
    /// The others that announce a narinfo.
    pub narinfo_providers: Option<usize>,
}

/// Asks the network for those who have the root and a narinfo, for so long each.
pub fn look_at(
    node: &dyn Node,
    root: Option<&Cid>,
    narinfo: Option<&(String, Cid)>,
    is_own: bool,
    limit: Duration,
) -> Result<(SwarmFound, Vec<Finding>), Failure> {
    let mut found = SwarmFound::default();
    let mut findings = Vec::new();
    let peers = match node.reach()? {
        Reach::Offline => return Ok((found, findings)),
        Reach::Peers(peers) => peers,
    };
    found.peers = Some(peers);
    let text = match peers {
        0 => "none, so this node cannot be reached and reaches nobody".to_owned(),
        1 => "1 peer".to_owned(),
        peers => format!("{peers} peers"),
    };
    let verdict = match peers {
        0 => Verdict::Unreachable,
        _ => Verdict::Good,
    };
    findings.push(Finding::new("node", Kind::Peers, (verdict, text)));
    if peers == 0 {
        return Ok((found, findings));
    }
    let others = |cid: Option<&Cid>| match cid {
        Some(cid) => node.providers(cid, limit),
        None => Ok(None),
    };
    let narinfo_cid = narinfo.map(|(_, cid)| cid);
    let asked = parallel::map(2, vec![root, narinfo_cid], others).into_iter();
    let [of_root, of_narinfo] = asked.collect::<Result<Vec<_>, _>>()?[..] else {
        return Ok((found, findings));
    };
    (found.root_providers, found.narinfo_providers) = (of_root, of_narinfo);
    findings.extend(of_root.map(|others| {
        let nobody = match is_own {
            // Its publisher alone has it at first.
            true => (Verdict::Note, "announced by this node only"),
            false => (Verdict::Unreachable, "announced by no other node"),
        };
        providers(others, "the root is", nobody)
    }));
    findings.extend(of_narinfo.zip(narinfo).map(|(others, (name, _))| {
        // Many announce roots alone; the rest is found with whoever has the root.
        let nobody = (Verdict::Note, "announced by no other node");
        providers(others, "it is", nobody).of_file(name)
    }));
    Ok((found, findings))
}

fn providers(others: usize, what: &str, nobody: Judgement<&str>) -> Finding {
    let (verdict, by) = match others {
        0 => (nobody.0, nobody.1.to_owned()),
        1 => (Verdict::Good, "announced by 1 other node".to_owned()),
        others => (Verdict::Good, format!("announced by {others} other nodes")),
    };
    Finding::new("node", Kind::Providers, (verdict, format!("{what} {by}")))
}
