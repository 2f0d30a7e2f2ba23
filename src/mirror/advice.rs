//! The ways out that name what was probably meant.

use super::encoding::Encoding;
use crate::ipfs::cid::Cid;

/// Advice about the name of a key that the node lacks.
pub fn on_key(name: &str, others: &[String]) -> String {
    match (meant(name, others), others) {
        (Some(other), _) => {
            format!("did you mean `--key {other}`? `guix-ipfs init` creates {name}")
        }
        (None, []) => "`guix-ipfs init` creates it; --key selects another".to_owned(),
        (None, _) => format!(
            "`guix-ipfs init` creates it; this node publishes mirrors with --key {}",
            others.join(", --key ")
        ),
    }
}

/// Advice about an encoding that the mirror does not have.
pub fn on_encoding(kept: Encoding, asked: Encoding) -> String {
    format!(
        "omit --encoding, or use --encoding {}; `--key NAME --encoding {}` starts a mirror beside \
         this one, and `guix-ipfs init --anew --encoding {}` abandons what is published",
        kept.option(),
        asked.option(),
        asked.option()
    )
}

/// Advice about a pinning service that is not set up on the node.
pub fn on_service(service: &str, known: &[String]) -> String {
    let add = format!("`ipfs pin remote service add {service} ENDPOINT KEY` sets it up");
    match (meant(service, known), known) {
        (Some(other), _) => format!("did you mean `--pin-at {other}`? {add}"),
        (None, []) => format!("none is set up there; {add}"),
        (None, _) => format!("{add}; these are set up: {}", known.join(", ")),
    }
}

/// Advice about a word that should be a name.
pub fn on_name(word: &str, others: &[String]) -> String {
    if word.parse::<Cid>().is_ok() {
        return format!("it is a CID; write a root as /ipfs/{word}");
    }
    if word.starts_with("k51") {
        return format!(
            "a name that begins with k51 has 62 lowercase letters and digits, but this one has {} \
             characters: check that it was copied completely",
            word.chars().count()
        );
    }
    match (meant(word, others), others) {
        (Some(other), _) => format!("did you mean {other}?"),
        (None, []) => "a name looks like k51… or 12D3Koo…, or is a domain".to_owned(),
        (None, _) => format!(
            "a name looks like k51… or 12D3Koo…, or is a domain; this node's keys are {}",
            others.join(", ")
        ),
    }
}

/// The one of some names that another was probably meant for.
fn meant<'n>(name: &str, names: &'n [String]) -> Option<&'n String> {
    let likeness = |other: &&String| strsim::jaro_winkler(name, other);
    let nearest = names
        .iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    nearest.filter(|other| likeness(other) > 0.85)
}
