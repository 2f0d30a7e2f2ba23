//! The program as its users run it, against the embedded node and, where an
//! `ipfs` is found, a real Kubo.

#[macro_use]
mod support;

mod bad_items;
mod base;
mod conformance;
mod embedded_node;
mod faults;
mod gateway;
mod hostile;
mod import_settings;
mod interrupted;
mod killed;
mod lists;
mod main_job;
mod mistakes;
mod network;
mod nix;
mod node_options;
mod options;
mod prototype;
mod remove;
mod said;
mod sharded;
mod trust;
mod upstream_faults;
mod upstreams;
mod variants;
mod verify;
