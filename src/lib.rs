//! The map of the house: a publisher that mirrors a GNU Guix substitute server
//! into an IPFS directory and keeps that directory published under an IPNS name.
//!
//! Data goes one way: upstream → narinfo → checked stream → staged blocks →
//! grafted root → pin → name. A room knows only the rooms before it in that
//! line; `commands` alone sees all.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod cli;
pub mod commands;
pub mod embedded;
pub mod failure;
pub mod guix;
pub mod ipfs;
pub mod node;
pub mod publication;
pub mod report;
