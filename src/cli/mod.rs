//! The command line: clap's structs, their values and their help. Nothing but
//! `commands` reads them.

mod help;
mod lists;
mod options;
mod reading;
mod secrets;
mod shared_options;
mod values;

pub use help::{command, each_arg};
pub use lists::List;
pub use options::{
    AddArgs, CheckArgs, Cli, Command, FollowArgs, InitArgs, MoveArgs, NodeArgs, PruneArgs,
    RemoveArgs, ResolveArgs, SyncArgs, VerifyArgs,
};
pub use reading::parse;
pub use shared_options::{
    GcArgs, GlobalArgs, MirrorArgs, PublishArgs, RetentionArgs, RootArgs, VariantArgs,
};
