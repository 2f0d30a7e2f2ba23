//! The local store: a node in a folder of this machine, without a server and
//! without a network. It is there for trying, for testing and for serving one
//! machine.
//!
//! The folder holds `blocks/`, `keys/`, `pins.json`, `names.json`, `usage`, `lock` with
//! its queue, `lock.collector`, and `gateway` while a process serves it. Any number of
//! processes may use it at once: a reader needs no lock, because every file is replaced
//! whole by a rename and read again at each use; an operation that changes something
//! holds `lock` as long as it takes, and the collector takes it over and over for a
//! moment.

mod blocks;
mod garbage;
#[cfg(test)]
mod garbage_tests;
mod keys;
mod link;
mod lock;
mod marks;
mod names;
mod node;
mod pins;
mod problem;
mod read;
mod served;
mod table;
mod temporaries;
#[cfg(test)]
mod tests;
mod usage;
mod walk;

pub use node::LocalNode;
pub use served::{ServedFolder, announce_gateway};
