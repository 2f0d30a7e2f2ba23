//! The command line: clap's structs, their values and their help. Nothing but
//! `commands` reads them.

mod help;
mod options;
mod values;

pub use help::{command, parse};
pub use options::{
    AddArgs, Cli, Command, GlobalArgs, InitArgs, MirrorArgs, NodeArgs, PublishArgs, RemoveArgs,
    ResolveArgs, SyncArgs, VariantArgs, VerifyArgs,
};
