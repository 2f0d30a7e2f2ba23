//! The keys of a node, for the advice where a word names none of them.

use super::failure::Failure;
use crate::node::Node;
use crate::publication::{PublicationView, keys_with_journals};

/// The view of a key that must be on the node.
///
/// # Errors
/// [`Failure::NoKey`]; the reason why the node fails.
pub fn view_of<'n>(node: &'n dyn Node, name: &str) -> Result<PublicationView<'n>, Failure> {
    PublicationView::of_key(node, name)?.ok_or_else(|| no_key(node, name))
}

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
