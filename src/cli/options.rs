//! The verbs, each with its own options, their environment variables and defaults.

use super::lists::List;
use super::secrets::WithoutSecrets;
use super::shared_options::{
    EncodingArgs, GcArgs, GlobalArgs, MirrorArgs, PublishArgs, RetentionArgs, RootArgs, VariantArgs,
};
use super::values::{ApiParser, cid_version, duration, gateways, size, text};
use crate::ipfs::cid::CidVersion;
use crate::mirror::{ItemRef, ItemSpec};
use crate::node::NodeAddress;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Mirrors a Guix substitute server into IPFS, under an IPNS name
///
/// Mirrors a GNU Guix substitute server into an IPFS directory and keeps that
/// directory published under an IPNS name.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "guix-ipfs",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_long_help = include_str!("manual/program.txt")
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Mirror the farm's latest builds, or a list of items; for cron
    #[command(after_long_help = include_str!("manual/sync.txt"))]
    Sync(SyncArgs),
    /// Mirror the named items
    #[command(after_long_help = include_str!("manual/add.txt"))]
    Add(AddArgs),
    /// Show the root that the name points to
    #[command(after_long_help = include_str!("manual/resolve.txt"))]
    Resolve(ResolveArgs),
    /// Keep somebody else's mirror on this node, and serve it; for cron
    #[command(after_long_help = include_str!("manual/follow.txt"))]
    Follow(FollowArgs),
    /// See a mirror as others do, through gateways and the network
    #[command(after_long_help = include_str!("manual/check.txt"))]
    Check(CheckArgs),
    /// Publish the first root under a name that was never published
    #[command(after_long_help = include_str!("manual/init.txt"))]
    Init(InitArgs),
    /// Take items out again, with the nars that nobody else lists
    #[command(after_long_help = include_str!("manual/remove.txt"))]
    Remove(RemoveArgs),
    /// Remove items that nobody wants, or for which there is no room
    #[command(after_long_help = include_str!("manual/prune.txt"))]
    Prune(PruneArgs),
    /// Check that every published narinfo and nar is there and whole
    #[command(after_long_help = include_str!("manual/verify.txt"))]
    Verify(VerifyArgs),
    /// Remove what nothing pins from the node
    ///
    /// Blocks that the mirror does not hold any more take room until then. Only those that
    /// are pinned stay, whoever stored them.
    #[command(after_long_help = include_str!("manual/gc.txt"))]
    Gc,
    /// Take the mirror, with its name, to another node
    #[command(after_long_help = include_str!("manual/move.txt"))]
    Move(MoveArgs),
    /// Serve the local store through a gateway, in the foreground
    Node(NodeArgs),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, in roff
    Man,
}

/// `sync`.
#[derive(Clone, Debug, Args)]
pub struct SyncArgs {
    /// Latest builds to ask for
    ///
    /// A new mirror begins with these. Where they do not reach what was seen before,
    /// and once an hour, all 1000 that the farm lists are looked through.
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_LATEST",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub latest: u32,
    /// The builds' system, such as x86_64-linux
    ///
    /// Without it, this machine's.
    #[arg(short, long, env = "GUIX_IPFS_SYSTEM", value_parser = text())]
    pub system: Option<String>,
    /// Only the builds of this jobset
    #[arg(long, env = "GUIX_IPFS_JOBSET", value_parser = text())]
    pub jobset: Option<String>,
    /// Read store paths from FILE; - is standard input
    ///
    /// One or more a line, or store hashes; lines that begin with # and other words are
    /// skipped. A mistyped one is named.
    #[arg(long, value_name = "FILE", env = "GUIX_IPFS_FROM")]
    pub from: Option<PathBuf>,
    /// Options of mirroring.
    #[command(flatten)]
    pub mirror: MirrorArgs,
    /// The items that are kept: once a day, after mirroring, the others go.
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// Options of collecting, for a run that removed something.
    #[command(flatten)]
    pub collecting: GcArgs,
    /// Options of changing the root.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `add`.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// Store hashes, store paths, URLs of narinfos, packages; - is standard input
    ///
    /// A hash has 32 characters. A package, such as hello or gcc-toolchain@13, is
    /// looked up at the build farm. Standard input is a list of hashes and store
    /// paths.
    #[arg(
        required = true,
        value_name = "HASH|STORE-PATH|URL|PACKAGE|-",
        value_parser = WithoutSecrets(ItemSpec::from_str)
    )]
    pub items: Vec<ItemSpec>,
    /// The packages' system, such as x86_64-linux
    ///
    /// Without it, this machine's.
    #[arg(short, long, env = "GUIX_IPFS_SYSTEM", value_parser = text())]
    pub system: Option<String>,
    /// Options of mirroring.
    #[command(flatten)]
    pub mirror: MirrorArgs,
    /// Options of changing the root.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `resolve`.
#[derive(Clone, Debug, Args)]
pub struct ResolveArgs {
    /// An IPNS name, a key of the node, or /ipfs/CID
    ///
    /// Without it, the key of --key.
    #[arg(value_name = "NAME|KEY|/ipfs/CID")]
    pub target: Option<String>,
    /// Add counts, sizes, the record, the node, the way to use it, and what is owed
    #[arg(long)]
    pub long: bool,
    /// Print the published store paths instead, one a line
    #[arg(long, conflicts_with = "long")]
    pub list: bool,
}

/// `follow`.
#[derive(Clone, Debug, Args)]
pub struct FollowArgs {
    /// IPNS names; without one, all that are followed
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Take no root that is larger, such as 200G
    ///
    /// In bytes, or with K, M, G, T (powers of 1024). The root that is held stays.
    #[arg(
        id = "follow_max_size",
        long = "max-size",
        value_name = "SIZE",
        env = "GUIX_IPFS_FOLLOW_MAX_SIZE",
        value_parser = size
    )]
    pub max_size: Option<u64>,
    /// Accept narinfos that no trusted key has signed, too
    ///
    /// Trusted are the keys of Guix's own build farms, and those of --trusted-keys.
    #[arg(long, env = "GUIX_IPFS_UNSIGNED")]
    pub unsigned: bool,
    /// Take a root that has lost more than half of its items
    #[arg(long)]
    pub accept_loss: bool,
    /// Unpin these names instead
    #[arg(long, requires = "names", conflicts_with_all = ["list", "accept_loss"])]
    pub stop: bool,
    /// Print the names that are followed, with the roots that are held, and stop
    #[arg(long, conflicts_with = "accept_loss")]
    pub list: bool,
    /// Options of collecting.
    #[command(flatten)]
    pub collecting: GcArgs,
}

/// `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// An IPNS name, a key of the node, or /ipfs/CID
    ///
    /// Without it, the key of --key.
    #[arg(value_name = "NAME|KEY|/ipfs/CID")]
    pub target: Option<String>,
    /// A gateway to check, or several with spaces between; repeatable
    ///
    /// The node's own is one more. With a NAME and a gateway no node is needed. Nothing is
    /// sent to a gateway that is not named.
    #[arg(
        long = "gateway",
        value_name = "URL",
        env = "GUIX_IPFS_GATEWAYS",
        value_parser = gateways()
    )]
    pub gateways: Vec<List<String>>,
    /// Narinfos, each with a nar, to look at through each gateway
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_SAMPLE",
        default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(0..=1000)
    )]
    pub sample: u16,
    /// Ask a gateway that is behind again for so long, such as 6m
    ///
    /// Gateways keep what a name leads to, for five minutes as a rule, so that one is behind
    /// for a while after each publication. For cron.
    #[arg(long, value_name = "DURATION", env = "GUIX_IPFS_CHECK_WAIT", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Write the findings to FILE as figures for Prometheus
    ///
    /// In the text format, for the textfile collector of the node exporter. A check that
    /// fails writes it, too.
    #[arg(long, value_name = "FILE", env = "GUIX_IPFS_CHECK_METRICS")]
    pub metrics: Option<PathBuf>,
}

/// `init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// 0, as `ipfs add` does by default, or 1
    ///
    /// Afterwards it is that of the root.
    #[arg(long, env = "GUIX_IPFS_CID_VERSION", default_value = "0", value_parser = cid_version())]
    pub cid_version: CidVersion,
    /// The option about the encoding.
    #[command(flatten)]
    pub encoding: EncodingArgs,
    /// Start over under a name that was published before
    ///
    /// For a mirror whose blocks are lost: all that was published under the name is
    /// abandoned.
    #[arg(long)]
    pub anew: bool,
    /// Options of changing the root.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `remove`.
#[derive(Clone, Debug, Args)]
pub struct RemoveArgs {
    /// Store hashes (32 characters) or store paths
    #[arg(required = true, value_name = "HASH|STORE-PATH")]
    pub items: Vec<ItemRef>,
    /// Remove also items that published ones refer to
    #[arg(long)]
    pub force: bool,
    /// Options of collecting.
    #[command(flatten)]
    pub collecting: GcArgs,
    /// Options of changing the root.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `prune`.
#[derive(Clone, Debug, Args)]
pub struct PruneArgs {
    /// The items that are kept.
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// Print the items that would go, and what would be left, and stop
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Trust the clock, and continue even if nothing would be left
    ///
    /// Without it two days that are more than a year apart, with nothing wanted between
    /// them, count as one day apart: a clock that is wrong lets nothing go.
    #[arg(long)]
    pub force: bool,
    /// Options of collecting.
    #[command(flatten)]
    pub collecting: GcArgs,
    /// Options of changing the root.
    #[command(flatten)]
    pub root: RootArgs,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Read every nar and compare it with its NarHash, NarSize and FileSize
    #[arg(long, env = "GUIX_IPFS_DEEP")]
    pub deep: bool,
    /// Repair what is broken, and publish
    ///
    /// Broken items are fetched again, and what published items refer to and is not
    /// published comes with them. Directories that cannot be read are rebuilt from
    /// what can be read, and nars that no narinfo lists are removed. What no upstream has
    /// any more is named, and stays as it is.
    #[arg(long, env = "GUIX_IPFS_REPAIR")]
    pub repair: bool,
    /// Do not look at the items that published ones refer to
    ///
    /// For a mirror that is kept with `sync --no-closure`. Without it an item that refers
    /// to one that is not published counts as broken, and --repair fetches that.
    #[arg(long, env = "GUIX_IPFS_NO_CLOSURE")]
    pub no_closure: bool,
    /// Options about variants.
    #[command(flatten)]
    pub variants: VariantArgs,
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// `move`.
#[derive(Clone, Debug, Args)]
pub struct MoveArgs {
    /// The node that the mirror is moved to: URL, multiaddr or `embedded[:DIR]`
    ///
    /// Its blocks, its journal with the ledger and its key are taken from the node of
    /// --api to this one. The old node keeps all, and publishes no more.
    #[arg(long, value_name = "ADDRESS", value_parser = ApiParser)]
    pub to: NodeAddress,
    /// A file with your token or password for the other node
    ///
    /// It holds bearer:TOKEN or basic:USER:PASSWORD. $GUIX_IPFS_API_AUTH is not sent
    /// there.
    #[arg(long, value_name = "FILE")]
    pub to_auth_file: Option<PathBuf>,
    /// A file with the private key, which `ipfs key export KEY` wrote
    ///
    /// A Kubo does not hand out its keys over the RPC, so a mirror that leaves one needs
    /// this, or `ipfs key import` beside the other.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// `node`.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// The port of the gateway on 127.0.0.1; 0 takes any
    #[arg(
        long,
        value_name = "PORT",
        env = "GUIX_IPFS_GATEWAY_PORT",
        default_value_t = 8181
    )]
    pub gateway_port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_that_shapes_a_cron_job_has_a_variable() {
        let command = Cli::command();
        // These are for one run by hand.
        let only_by_hand = [
            "help",
            "version",
            "dry-run",
            "base",
            "long",
            "list",
            "force",
            "anew",
            "to",
            "to-auth-file",
            "key-file",
            "accept-loss",
            "stop",
            "no-page",
        ];
        for sub in command.get_subcommands() {
            let options = sub.get_arguments().chain(command.get_arguments());
            for long in options.filter(|arg| arg.get_env().is_none()) {
                let long = long.get_long().unwrap_or("help");
                assert!(only_by_hand.contains(&long), "{} --{long}", sub.get_name());
            }
        }
    }
}
