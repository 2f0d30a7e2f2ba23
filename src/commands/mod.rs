//! One short file a verb: it makes a request of its arguments, calls the engine,
//! and reports the result. No verb has rules of its own.

mod add;
mod after_run;
mod check;
mod follow;
mod gc;
mod init;
mod lists;
mod man;
mod mirror_verb;
mod move_verb;
mod node;
mod open;
mod prune;
mod remove;
mod resolve;
mod run;
mod run_notes;
mod services;
mod shell;
mod sync;
mod upstreams;
mod verify;

pub use run::run;
