//! The move of a mirror to another node: its content, its journal with the ledger, and
//! its key.
//!
//! The content is copied first, while the old node may continue publishing. Then, under
//! the locks of both, what was published meanwhile; the mark in the old journal, from
//! which on the old node publishes nothing; the journal on the new node, whose pin
//! proves that all of it is there; the key; and the name, above the old sequence number.
//! A run that is killed is continued by the next one.

use super::announcing::announce;
use super::failure::Failure;
use super::keys::view_of;
use super::move_failure::MoveFailure;
use super::move_request::{MoveRequest, MoveSummary};
use super::observer::{Event, Observer};
use crate::ipfs::cid::Cid;
use crate::node::{Node, PrivateKey};
use crate::publication::{
    ArrivedJournals, Base, Content, Copied, Copier, CopyError, Moved, NameState, PublicationError,
    PublicationView, Publisher, WriterLockError, adopt_to_leave, choose_base, mark_moved,
    pin_arrived, publish_above, read_name_state, was_overtaken,
};
use std::time::{Duration, Instant};

/// The number of attempts: one, and one for each time that another writer is quicker.
const ATTEMPTS: u32 = 10;

/// The longest wait for another run on the old node, after a copy that may have taken
/// hours, and the time between two looks.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(500);

/// A move that is under way.
struct Relocation<'r> {
    here: PublicationView<'r>,
    there: PublicationView<'r>,
    /// The private key, unless the new node has it.
    private_key: Option<PrivateKey>,
    /// The journals that the new node had before.
    before: ArrivedJournals,
    request: &'r MoveRequest,
    observer: &'r dyn Observer,
}

/// Moves a mirror from the node `here` to the node `there`.
///
/// # Errors
/// [`Failure::Move`]; the reason why one of the nodes fails. The name then still has one
/// publisher: the old node until its journal is marked, and the new one after that.
pub fn relocate(
    here: &dyn Node,
    there: &dyn Node,
    request: &MoveRequest,
    observer: &dyn Observer,
) -> Result<MoveSummary, Failure> {
    if here.description().peer_id == there.description().peer_id {
        return Err(MoveFailure::SameNode(request.address.clone()).into());
    }
    let view = view_of(here, &request.key)?;
    request.publishing.log.note_writer(view.id());
    let state = read_name_state(&view)?;
    let mark = state.moved();
    if mark.is_some_and(|moved| moved.node != there.description().peer_id) {
        state.refuse_moved(&view.key.id)?;
    }
    let (key, private_key) = request.key_there(&view, there)?;
    let target = PublicationView { node: there, key };
    let before = request.there(ArrivedJournals::read(&target))?;
    let relocation = Relocation {
        here: view,
        there: target,
        private_key,
        before,
        request,
        observer,
    };
    match (mark, relocation.before.root()) {
        (Some(moved), Some(root)) if moved.is_done && relocation.private_key.is_none() => {
            if state.journals.len() > 1 {
                relocation.tidy()?;
            }
            Ok(relocation.summary(root, false, Copied::default()))
        }
        _ => relocation.run(&state),
    }
}

impl Relocation<'_> {
    fn run(&self, state: &NameState) -> Result<MoveSummary, Failure> {
        let request = self.request;
        let target = Publisher::open_to_receive(self.there.clone(), &request.publishing);
        let target = request.there(target)?;
        let root = choose_base(&self.here, state, None)?;
        // Its end was killed, or not reached.
        let arrived = match (state.moved(), state.journals.first()) {
            (Some(_), Some(marked)) => self.before.root_after(marked),
            _ => None,
        };
        let is_other = |there: &Cid| arrived.is_none() && *there != root;
        if let Some(there) = self.before.root().filter(is_other) {
            return Err(MoveFailure::TwoPublishers {
                address: request.address.clone(),
                there: Box::new(there),
                here: Box::new(root),
            }
            .into());
        }
        let content = state.content(self.here.node, root)?;
        if arrived.is_none() {
            self.look_for_room(&content);
        }
        let progress = self.observer.progress(1, content.root.size);
        let name = format!("to {}", request.address);
        let line = progress.download(&name, Some(content.root.size));
        let advance = |bytes| line.advance(bytes);
        let mut copier = request.on_both(Copier::new(self.here.node, &target, &advance))?;
        if arrived.is_none() {
            self.copy_first(&mut copier, &content)?;
        }

        let source = self.lock_source()?;
        let base = self.leave(&source, &mut copier, arrived.is_some())?;
        let content = base.state.content(self.here.node, base.root)?;
        if arrived.is_none() {
            request.there(pin_arrived(&target, &content, &base, &self.before))?;
        }
        self.import_key()?;
        let root = arrived.unwrap_or(base.root);
        if root == base.root {
            // Not every node reports it, and the new one sees what the network holds.
            let record = self.here.node.record(&self.here.key.id);
            let last = record.ok().flatten().map(|record| record.sequence);
            request.there(publish_above(&target, root, last))?;
        }
        if arrived.is_none() {
            request.there(self.before.unpin(self.there.node))?;
        }
        request.on_both(copier.unpin_all())?;
        let mut base = base;
        mark_moved(&source, &mut base, self.mark(true))?;
        announce(&target, &root, self.observer);
        Ok(self.summary(root, true, copier.copied))
    }

    /// Copies while other runs may publish from the old node.
    fn copy_first(&self, copier: &mut Copier, content: &Content) -> Result<(), Failure> {
        match copier.copy(content) {
            Err(CopyError::Source(error)) if error.is_of_block() => {
                // The collector may have removed what another run unpinned.
                let now = read_name_state(&self.here)?;
                match choose_base(&self.here, &now, None)? == content.root.cid {
                    true => Err(Failure::from(error).of_own_tree()),
                    false => Ok(()),
                }
            }
            copied => self.request.on_both(copied),
        }
    }

    /// Takes the right to write on the old node, once a run that has it is over.
    fn lock_source(&self) -> Result<Publisher<'_>, Failure> {
        let begun = Instant::now();
        let open = || Publisher::open_to_leave(self.here.clone(), &self.request.publishing);
        let mut waiting = None;
        loop {
            match open() {
                Err(PublicationError::Lock(WriterLockError::Held { .. }))
                    if begun.elapsed() < PATIENCE =>
                {
                    let text = "waiting for another run to end";
                    waiting.get_or_insert_with(|| self.observer.waiting(text));
                    std::thread::sleep(PAUSE);
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Copies what was published meanwhile, and marks the journal.
    fn leave(
        &self,
        source: &Publisher,
        copier: &mut Copier,
        has_arrived: bool,
    ) -> Result<Base, Failure> {
        for _ in 0..ATTEMPTS {
            let mut base = adopt_to_leave(source)?;
            if has_arrived {
                return Ok(base);
            }
            let content = base.state.content(self.here.node, base.root)?;
            self.request.on_both(copier.copy(&content))?;
            mark_moved(source, &mut base, self.mark(false))?;
            if !was_overtaken(source, &base)? {
                return Ok(base);
            }
        }
        Err(MoveFailure::Busy(self.request.key.clone()).into())
    }

    /// Ends a move that was killed at its very end.
    fn tidy(&self) -> Result<(), Failure> {
        let source = Publisher::open_to_leave(self.here.clone(), &self.request.publishing)?;
        let mut base = adopt_to_leave(&source)?;
        Ok(mark_moved(&source, &mut base, self.mark(true))?)
    }

    fn mark(&self, is_done: bool) -> Moved {
        Moved {
            node: self.there.node.description().peer_id.clone(),
            address: self.request.address.clone(),
            key: self.there.key.name.clone(),
            is_done,
        }
    }

    fn import_key(&self) -> Result<(), Failure> {
        if let Some(private) = &self.private_key {
            let imported = self.there.node.import_key(&self.there.key.name, private);
            self.request.there(imported)?;
        }
        Ok(())
    }

    /// Warns if the mirror may not fit. Not every node reports its free space.
    fn look_for_room(&self, content: &Content) {
        let bytes = content.root.size;
        let node = self.there.node;
        let free = node.free_bytes().ok().flatten();
        if let Some(free) = free.filter(|free| *free < bytes) {
            self.observer.notify(Event::LittleRoom { bytes, free });
        }
        let usage = node.usage().ok();
        let limit = usage.and_then(|usage| usage.limit);
        if let (Some(usage), Some(limit)) = (usage, limit)
            && usage.bytes.saturating_add(bytes) > limit
        {
            self.observer.notify(Event::LowLimit { bytes, usage });
        }
    }

    fn summary(&self, root: Cid, moved: bool, copied: Copied) -> MoveSummary {
        MoveSummary {
            name: self.here.key.id.clone(),
            root,
            key: self.here.key.name.clone(),
            to: self.request.address.clone(),
            key_there: self.there.key.name.clone(),
            moved,
            copied,
        }
    }
}
