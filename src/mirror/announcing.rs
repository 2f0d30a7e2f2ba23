//! The announcement of a root that was published.

use super::observer::{Event, Observer};
use crate::ipfs::cid::Cid;
use crate::publication::Publisher;

/// Announces a published root to the network. Nobody needs that to find it in the
/// end, so a failure is only reported.
pub fn announce(publisher: &Publisher, root: &Cid, observer: &dyn Observer) {
    if let Err(error) = publisher.announce(root) {
        observer.notify(Event::NotAnnounced(&error));
    }
}
