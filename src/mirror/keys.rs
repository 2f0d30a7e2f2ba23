//! The keys of a node, for the advice where a word names none of them.

use super::failure::Failure;
use crate::node::Node;
use crate::publication::keys_with_journals;

/// The failure of a run under a key that the node lacks.
pub fn no_key(node: &dyn Node, name: &str) -> Failure {
    Failure::NoKey {
        name: name.to_owned(),
        others: known(node),
    }
}

/// The failure of a word that should be a name or a key.
pub fn not_a_name(node: &dyn Node, word: &str) -> Failure {
    Failure::NotAName {
        word: word.to_owned(),
        others: known(node),
    }
}

/// Only advice is made of these, so an error of the node means none.
fn known(node: &dyn Node) -> Vec<String> {
    keys_with_journals(node).unwrap_or_default()
}
