//! The program as its users run it, on a local store and on a real Kubo.

#[macro_use]
mod support;

mod admission;
mod bad_items;
mod base;
mod broken_transfers;
mod build_list;
mod closures;
mod damage;
mod extremes;
mod faults;
mod gateway;
mod hostile;
mod import_settings;
mod interrupted;
mod journals;
mod killed;
mod lists;
mod local_store;
mod locks;
mod main_job;
mod mistakes;
mod names;
mod network;
mod node_options;
mod options;
mod output;
mod prototype;
mod readers;
mod remove;
mod replaced;
mod sharded;
mod slow_upstream;
mod trust;
mod unlisted;
mod upstream_faults;
mod upstreams;
mod variants;
mod verify;
