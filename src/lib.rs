//! A publisher that mirrors a GNU Guix substitute server into an IPFS directory
//! and keeps that directory published under an IPNS name.
//!
//! Data goes one way: upstream → narinfo → verified stream → staged blocks →
//! grafted root → pin → name. A room knows only those below it:
//! `commands` → `report`, `mirror` → `publication` → `node` → `ipfs`, and
//! `mirror` → `guix`. `gateway` serves any node; `util` knows no other room.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod cli;
pub mod commands;
pub mod gateway;
pub mod guix;
pub mod ipfs;
pub mod mirror;
pub mod node;
pub mod publication;
pub(crate) mod report;
pub mod util;
