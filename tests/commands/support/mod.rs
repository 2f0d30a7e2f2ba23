//! The surroundings of the tests: a substitute server, a node, the program itself.

mod http_proxy;
mod items;
mod kubo;
mod liar;
mod network;
mod node;
mod packages;
mod parts;
mod pinning;
mod program;
mod proxy;
mod raw;
mod reader;
mod squid;
mod terminal;
mod tls;
mod upstream;

pub use http_proxy::HttpProxy;
pub use items::{
    Files, Item, Nothing, item, item_with_nar, root_of, tree_of, tree_of_fixtures, write_tree,
};
pub use kubo::Setup;
pub use liar::{Liar, Lie};
pub use network::Network;
pub use node::{Answer, TestNode};
pub use packages::Package;
pub use parts::{Asked, PartServer, Sent};
pub use pinning::{Manner, PinningService, TOKEN};
pub use program::{Mirror, Run, run, signal};
pub use proxy::{Proxy, Spoil};
pub use raw::{RawAnswer, RawServer};
pub use squid::Squid;
pub use terminal::Terminal;
pub use tls::{Authority, TlsServer};
pub use upstream::{Fault, Upstream};

use serde_json::Value;
use std::path::PathBuf;

/// A file of `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", name]
        .iter()
        .collect()
}

/// The published roots that Kubo gave for the fixtures, in the order of the
/// commands: init, sync --no-closure, sync, add of the rest.
pub fn fixture_roots(cid_version: u8) -> Vec<String> {
    let path = fixture("known-answers/fixture-roots.json");
    let known: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let roots = known["roots"].as_array().unwrap().iter();
    roots
        .map(|root| {
            root[format!("cidv{cid_version}")]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

/// Makes a test of each function for each node: `fn(&TestNode)`, or `fn(&mut TestNode)`.
macro_rules! on_both_nodes {
    ($($name:ident),+ $(,)?) => {
        mod on_local {
            $(#[test] fn $name() {
                super::$name(&mut $crate::support::TestNode::local());
            })+
        }
        mod on_kubo {
            $(#[test]
            #[ignore = "needs a real Kubo: scripts/test"]
            fn $name() {
                super::$name(&mut $crate::support::TestNode::kubo());
            })+
        }
    };
}

/// Makes a test of each function for each shell: `fn(shell: &str)`.
macro_rules! in_each_shell {
    ($($name:ident),+ $(,)?) => {
        in_each_shell!(@ in_bash "bash" $($name)+);
        in_each_shell!(@ in_zsh "zsh" $($name)+);
        in_each_shell!(@ in_fish "fish" $($name)+);
    };
    (@ $module:ident $shell:literal $($name:ident)+) => {
        mod $module {
            $(#[test]
            #[ignore = concat!("needs ", $shell, ": scripts/test")]
            fn $name() {
                super::$name($shell);
            })+
        }
    };
}

/// Makes a test of each function for Kubo only.
macro_rules! on_kubo_alone {
    ($($name:ident),+ $(,)?) => {
        mod kubo_alone {
            $(#[test]
            #[ignore = "needs a real Kubo: scripts/test"]
            fn $name() {
                super::$name(&$crate::support::TestNode::kubo());
            })+
        }
    };
}
