//! Sources and receivers of blocks.

use super::cid::Cid;
use std::convert::Infallible;

/// A source of blocks.
pub trait Blocks {
    /// The reason why a block cannot be had.
    type Error;

    /// Returns the block named `cid`, already checked against it.
    fn get(&self, cid: &Cid) -> Result<Vec<u8>, Self::Error>;
}

impl<B: Blocks + ?Sized> Blocks for &B {
    type Error = B::Error;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, B::Error> {
        (**self).get(cid)
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
