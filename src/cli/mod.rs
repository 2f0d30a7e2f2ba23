//! The command line: clap's structs, their values and their help. Nothing but
//! `commands` reads them.

mod help;
mod options;
mod secrets;
mod shared_options;
mod values;

pub use help::{command, parse};
pub use options::{
    AddArgs, Cli, Command, InitArgs, NodeArgs, RemoveArgs, ResolveArgs, SyncArgs, VerifyArgs,
};
pub use shared_options::{GlobalArgs, MirrorArgs, PublishArgs, VariantArgs};
