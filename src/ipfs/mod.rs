//! The DAG formats: bytes in, bytes out, no network and no disk.
//!
//! Everything here agrees byte for byte with what `ipfs add -r` writes, so that
//! a root grafted entry by entry is the root that adding the whole tree gives.

pub mod blocks;
pub mod car;
pub mod cid;
pub mod dag_pb;
pub mod directory;
pub mod file;
pub mod ipns;
pub mod ipns_record;
mod protobuf;
pub mod unixfs;
