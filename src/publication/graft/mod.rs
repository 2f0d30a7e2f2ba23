//! Two ways to graft new files into the published tree, one result.

mod add_link;
mod apply;
mod car;
mod changes;
mod engine;
mod mend;
mod thin;

pub use apply::{graft, remove};
pub use changes::NewFile;
pub use engine::{Engine, choose_engine, require_plain};
pub use mend::{Damage, mend};
pub use thin::thin;
