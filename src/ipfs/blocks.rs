//! Sources and receivers of blocks.

use super::cid::Cid;
use std::convert::Infallible;

/// A source of blocks.
pub trait Blocks {
    /// The reason why a block cannot be had.
    type Error;

    /// Returns the block named `cid`, already checked against it.
    fn get(&self, cid: &Cid) -> Result<Vec<u8>, Self::Error>;

    /// Returns true where many blocks take little more time than one.
    fn answers_many(&self) -> bool {
        false
    }

    /// Returns these blocks in this order.
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, Self::Error> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

/// Returns each of these blocks, or the reason why it cannot be had. Where one cannot,
/// they are asked for one by one.
pub fn each<'a, B: Blocks + ?Sized>(
    blocks: &'a B,
    cids: &'a [Cid],
) -> impl Iterator<Item = Result<Vec<u8>, B::Error>> + 'a {
    let together = blocks.answers_many() && cids.len() > 1;
    let many = together.then(|| blocks.get_many(cids).ok()).flatten();
    let single = if many.is_some() { &[] } else { cids };
    let many = many.into_iter().flatten().map(Ok);
    many.chain(single.iter().map(|cid| blocks.get(cid)))
}

/// The blocks of a source, but for those that are at hand.
pub struct Beside<'b, B: ?Sized, F> {
    /// The source of the others.
    pub source: &'b B,
    /// Returns a block that is at hand.
    pub at_hand: F,
}

impl<B: Blocks + ?Sized, F: Fn(&Cid) -> Option<Vec<u8>>> Blocks for Beside<'_, B, F> {
    type Error = B::Error;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, B::Error> {
        (self.at_hand)(cid).map_or_else(|| self.source.get(cid), Ok)
    }

    fn answers_many(&self) -> bool {
        self.source.answers_many()
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, B::Error> {
        let mut all: Vec<Option<Vec<u8>>> = cids.iter().map(&self.at_hand).collect();
        let lacking = cids.iter().zip(&all).filter(|(_, block)| block.is_none());
        let lacking: Vec<Cid> = lacking.map(|(cid, _)| *cid).collect();
        if !lacking.is_empty() {
            let read = self.source.get_many(&lacking)?;
            let open = all.iter_mut().filter(|block| block.is_none());
            open.zip(read).for_each(|(open, block)| *open = Some(block));
        }
        Ok(all.into_iter().flatten().collect())
    }
}

impl<B: Blocks + ?Sized> Blocks for &B {
    type Error = B::Error;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, B::Error> {
        (**self).get(cid)
    }

    fn answers_many(&self) -> bool {
        (**self).answers_many()
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, B::Error> {
        (**self).get_many(cids)
    }
}

/// A receiver of new blocks. A closure is one.
pub trait BlockSink {
    /// The reason why a block cannot be stored.
    type Error;

    /// Takes a block whose CID has been computed from it.
    fn put(&mut self, cid: Cid, block: Vec<u8>) -> Result<(), Self::Error>;
}

impl<E, F: FnMut(Cid, Vec<u8>) -> Result<(), E>> BlockSink for F {
    type Error = E;

    fn put(&mut self, cid: Cid, block: Vec<u8>) -> Result<(), E> {
        self(cid, block)
    }
}

/// A sink that drops every block: for a CID alone.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl BlockSink for Discard {
    type Error = Infallible;

    fn put(&mut self, _: Cid, _: Vec<u8>) -> Result<(), Infallible> {
        Ok(())
    }
}
