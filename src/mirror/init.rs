//! The first root of a name. Asking for it is a person's word that nothing was
//! published under the name, so it fails wherever something shows otherwise; unless the
//! person says that what was published is given up.

use super::encoding::Encoding;
use super::failure::Failure;
use super::json;
use super::ledger::{choose_encoding, keep_encoding, kept_encoding};
use super::observer::{Event, Observer};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::empty;
use crate::node::Node;
use crate::publication::{
    Base, Engine, KeyAge, LedgerFiles, NameState, PublicationError, Publisher, PublisherOptions,
    Stage, Tree, begin_anew, create_first_root, publish_with_rebase, read_name_state,
};
use serde::Serialize;

/// A request to publish a first root.
#[derive(Clone, Debug)]
pub struct InitRequest {
    /// The node's name of the key, which is made where there is none.
    pub key: String,
    /// The CID version of the mirror, for good.
    pub cid_version: CidVersion,
    /// The encoding of the nars. Without it the upstream's, or that of a mirror that was
    /// begun and never published.
    pub encoding: Option<Encoding>,
    /// The treatment of what was published before.
    pub beginning: Beginning,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
}

/// The treatment of what was published before under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// It is kept, and a first root is refused.
    First,
    /// It is given up.
    Anew,
}

/// A first root that is published.
#[derive(Debug, Serialize)]
pub struct InitSummary {
    /// The node's name of the key.
    pub key: String,
    /// The IPNS name.
    pub name: String,
    /// The root.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The encoding of the nars.
    pub encoding: Encoding,
}

/// Publishes a first root.
///
/// # Errors
/// [`Failure::AlreadyPublished`], [`Failure::JournalExists`]; the reason why it
/// cannot be published.
pub fn initialize(
    node: &dyn Node,
    request: &InitRequest,
    observer: &dyn Observer,
) -> Result<InitSummary, Failure> {
    let mut publisher = Publisher::open(node, &request.key, &request.publishing)?;
    let state = read_name_state(&publisher.view)?;
    let name = publisher.view.key.id.clone();
    state.refuse_moved(&name)?;
    let mut base = match request.beginning {
        Beginning::First => first(&mut publisher, state, request.cid_version)?,
        Beginning::Anew => {
            if let Some(path) = last_path(&state) {
                let name = &name;
                observer.notify(Event::GivenUp { name, path: &path });
            }
            begin_anew(&mut publisher, state, request.cid_version)?
        }
    };
    let tree = Tree::new(node, base.root);
    // The root that was made stays as it is, but for a page.
    let work = |tree: &Tree, _: &Stage, ledger: &mut LedgerFiles| {
        let encoding = choose_encoding(request.encoding, tree, ledger)?;
        keep_encoding(encoding, ledger);
        Ok::<_, Failure>(None)
    };
    publish_with_rebase(&publisher, &mut base, &tree, Engine::Car, work)?;
    let encoding = kept_encoding(&tree, &mut base.ledger)?;
    Ok(InitSummary {
        encoding,
        key: publisher.view.key.name.clone(),
        name,
        root: base.root,
    })
}

/// Makes the first root of a name under which nothing was published.
fn first(
    publisher: &mut Publisher,
    state: NameState,
    version: CidVersion,
) -> Result<Base, Failure> {
    let name = publisher.view.key.id.clone();
    if let Some(root) = state.published.filter(|root| !is_unused(root, &state)) {
        let root = root.to_string();
        return Err(Failure::AlreadyPublished { name, root });
    }
    if let Some(path) = state.foreign {
        return Err(PublicationError::ForeignPath { name, path }.into());
    }
    if publisher.key_age == KeyAge::Existing {
        if let Some(journal) = state.journals.first() {
            let root = journal.root.to_string();
            return Err(Failure::JournalExists { name, root });
        }
        if let Some(lost) = state.lost.first() {
            let journal = Box::new(*lost);
            return Err(PublicationError::JournalLost { name, journal }.into());
        }
    }
    Ok(create_first_root(publisher, state, version)?)
}

/// The path that the name was last pointed to, or the directory of the lost journal that
/// held it.
fn last_path(state: &NameState) -> Option<String> {
    let roots = state.published.into_iter();
    let roots = roots.chain(state.journals.iter().map(|journal| journal.root));
    let mut roots = roots.chain(state.lost.iter().copied());
    let path = roots.next().map(|cid| format!("/ipfs/{cid}"));
    state.foreign.clone().or(path)
}

/// An older Kubo publishes the empty directory under `self` when it is set up.
fn is_unused(root: &Cid, state: &NameState) -> bool {
    let mut versions = [CidVersion::V0, CidVersion::V1].into_iter();
    versions.any(|version| empty(version).1.cid == *root) && state.journals.is_empty()
}
