//! Every option, with its environment variable and its default.

use super::values::{
    ApiParser, cid_version, compression, duration, graft, lifetime, seconds, size,
};
use crate::guix::Compression;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::mirror::{GraftChoice, ItemRef, ItemSpec};
use crate::node::NodeAddress;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// The text below the options in `--help`.
const AFTER: &str = "\
Examples:
  guix-ipfs sync                     mirror the build farm's latest builds
  guix-ipfs add HASH                 mirror one item, with all it refers to
  guix-ipfs resolve --long           the name, its contents, and the way to use it
  guix-ipfs --api embedded sync -v   try it without an IPFS node

Exit codes:
  0   done, or nothing to do
  1   failed; the name still points where it did
  2   usage
  3   done, but some items could not be mirrored; each is named
  75  try again later
  130, 143  interrupted; what was whole is published";

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
    after_long_help = AFTER
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
    Sync(SyncArgs),
    /// Mirror the named items
    Add(AddArgs),
    /// Show the root that the name points to
    Resolve(ResolveArgs),
    /// Publish the first root under a name that was never published
    Init(InitArgs),
    /// Take items out again, with the nars that nobody else lists
    Remove(RemoveArgs),
    /// Check that every published narinfo and nar is there and whole
    Verify(VerifyArgs),
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

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// The node's RPC: URL, multiaddr or `embedded[:DIR]`
    ///
    /// Without it, the address that `$IPFS_PATH/api` holds, then
    /// http://127.0.0.1:5001. `embedded` is a store in DIR or in a folder of the
    /// user's own: offline, without a server.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "GUIX_IPFS_API",
        hide_env_values = true,
        value_parser = ApiParser,
        global = true
    )]
    pub api: Option<NodeAddress>,
    /// A file with your token or password for the node
    ///
    /// It holds bearer:TOKEN or basic:USER:PASSWORD. The same may stand in
    /// $GUIX_IPFS_API_AUTH.
    #[arg(
        long,
        value_name = "FILE",
        env = "GUIX_IPFS_API_AUTH_FILE",
        global = true
    )]
    pub api_auth_file: Option<PathBuf>,
    /// The node's key to publish under
    #[arg(
        long,
        env = "GUIX_IPFS_KEY",
        default_value = "guix-ipfs",
        global = true
    )]
    pub key: String,
    /// A substitute server; repeatable, tried in order
    #[arg(
        long = "upstream",
        value_name = "URL",
        env = "GUIX_IPFS_UPSTREAM",
        value_delimiter = ' ',
        default_value = "https://ci.guix.gnu.org",
        global = true
    )]
    pub upstreams: Vec<String>,
    /// Keys whose signatures are believed
    ///
    /// A file of one (public-key …), several, or an acl; repeatable, or separated
    /// by colons. Those of Guix's own build farms are built in.
    #[arg(
        long,
        value_name = "FILE",
        env = "GUIX_IPFS_TRUSTED_KEYS",
        value_delimiter = ':',
        global = true
    )]
    pub trusted_keys: Vec<PathBuf>,
    /// Downloads at once
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_JOBS",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64),
        global = true
    )]
    pub jobs: u16,
    /// The longest time for making a connection, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_CONNECT_TIMEOUT",
        default_value = "20",
        value_parser = seconds,
        global = true
    )]
    pub connect_timeout: Duration,
    /// The longest pause of a connection, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_READ_TIMEOUT",
        default_value = "60",
        value_parser = seconds,
        global = true
    )]
    pub read_timeout: Duration,
    /// The time in which an upstream must send 1 KiB a second, in seconds
    ///
    /// A download that is slower for so long is dropped and begun again, three times
    /// in all.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_LOW_SPEED_TIME",
        default_value = "30",
        value_parser = seconds,
        global = true
    )]
    pub low_speed_time: Duration,
    /// Print one JSON object that sums the run up
    #[arg(long, env = "GUIX_IPFS_JSON", value_parser = FalseyValueParser::new(), global = true)]
    pub json: bool,
    /// Print a line per item, and a summary
    #[arg(
        short,
        long,
        env = "GUIX_IPFS_VERBOSE",
        value_parser = FalseyValueParser::new(),
        global = true
    )]
    pub verbose: bool,
    /// Print nothing but errors
    #[arg(
        short,
        long,
        env = "GUIX_IPFS_QUIET",
        value_parser = FalseyValueParser::new(),
        conflicts_with = "verbose",
        global = true
    )]
    pub quiet: bool,
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
    #[arg(short, long, env = "GUIX_IPFS_SYSTEM")]
    pub system: Option<String>,
    /// Only the builds of this jobset
    #[arg(long, env = "GUIX_IPFS_JOBSET")]
    pub jobset: Option<String>,
    /// Read store paths from FILE; - is standard input
    ///
    /// One or more a line, or store hashes; other words are passed over.
    #[arg(long, value_name = "FILE", env = "GUIX_IPFS_FROM")]
    pub from: Option<PathBuf>,
    /// Options of mirroring.
    #[command(flatten)]
    pub mirror: MirrorArgs,
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// `add`.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// Store hashes, store paths, URLs of narinfos, packages; - is standard input
    ///
    /// A hash has 32 characters. A package, such as hello or gcc-toolchain@13, is
    /// looked up at the build farm. Standard input is a list of hashes and store
    /// paths.
    #[arg(required = true, value_name = "HASH|STORE-PATH|URL|PACKAGE|-")]
    pub items: Vec<ItemSpec>,
    /// The packages' system, such as x86_64-linux
    ///
    /// Without it, this machine's.
    #[arg(short, long, env = "GUIX_IPFS_SYSTEM")]
    pub system: Option<String>,
    /// Options of mirroring.
    #[command(flatten)]
    pub mirror: MirrorArgs,
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
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

/// `init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// 0, as `ipfs add` does by default, or 1
    ///
    /// Afterwards it is that of the root.
    #[arg(
        long,
        env = "GUIX_IPFS_CID_VERSION",
        default_value = "0",
        value_parser = cid_version
    )]
    pub cid_version: CidVersion,
    /// Begin anew under a name that had others before
    ///
    /// For a mirror whose blocks are lost: all that was published under the name is
    /// given up.
    #[arg(long)]
    pub anew: bool,
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
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
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Read every nar and compare it with its NarHash, NarSize and FileSize
    #[arg(long, env = "GUIX_IPFS_DEEP", value_parser = FalseyValueParser::new())]
    pub deep: bool,
    /// Mend what is broken, and publish
    ///
    /// Broken items are fetched again, and what published items refer to and is not
    /// published comes with them. Directories that cannot be read are made again from
    /// what can be read, and nars that no narinfo lists are removed. What no upstream has
    /// any more is named, and stays as it is.
    #[arg(long, env = "GUIX_IPFS_REPAIR", value_parser = FalseyValueParser::new())]
    pub repair: bool,
    /// Do not look at the items that published ones refer to
    ///
    /// For a mirror that is kept with `sync --no-closure`. Without it an item that refers
    /// to one that is not published counts as broken, and --repair fetches that.
    #[arg(long, env = "GUIX_IPFS_NO_CLOSURE", value_parser = FalseyValueParser::new())]
    pub no_closure: bool,
    /// Options about variants.
    #[command(flatten)]
    pub variants: VariantArgs,
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

/// Options of `sync` and `add`.
#[derive(Clone, Debug, Args)]
pub struct MirrorArgs {
    /// Print the items that would be mirrored, and stop
    ///
    /// Only narinfos are read.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Leave out the items that these refer to
    #[arg(long, env = "GUIX_IPFS_NO_CLOSURE", value_parser = FalseyValueParser::new())]
    pub no_closure: bool,
    /// Options about variants.
    #[command(flatten)]
    pub variants: VariantArgs,
    /// The way of grafting: auto takes add-link for a few files in small directories
    #[arg(
        long,
        value_name = "auto|add-link|car",
        env = "GUIX_IPFS_GRAFT",
        default_value = "auto",
        value_parser = graft
    )]
    pub graft: GraftChoice,
    /// Leave out items whose unpacked nar is larger
    ///
    /// In bytes, or with K, M, G (powers of 1024).
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_NAR_SIZE", value_parser = size)]
    pub max_nar_size: Option<u64>,
    /// Begin no other item after so many bytes of nars
    ///
    /// K, M, G are powers of 1024. Items that are whole are published; the next run
    /// goes on with the others.
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_BYTES", value_parser = size)]
    pub max_bytes: Option<u64>,
    /// Begin no other item after so long, such as 50m
    ///
    /// Items that are whole are published; the next run goes on with the others.
    #[arg(long, value_name = "DURATION", env = "GUIX_IPFS_MAX_TIME", value_parser = duration)]
    pub max_time: Option<Duration>,
    /// Publish after every N items of a long run
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_CHECKPOINT",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub checkpoint: u32,
    /// Go on from this root, whatever the name and the journal hold
    #[arg(long, value_name = "CID")]
    pub base: Option<Cid>,
}

/// Options about the variants of an item.
#[derive(Clone, Debug, Args)]
pub struct VariantArgs {
    /// Prefer these variants: gzip, lzip, zstd, none
    ///
    /// Repeatable. An item that has none of them is mirrored as it is, and so is one
    /// whose narinfo has no signature, or signs the lines of the others too. Without
    /// it, all that a narinfo lists.
    #[arg(
        long = "compression",
        value_name = "NAME",
        env = "GUIX_IPFS_COMPRESSION",
        value_delimiter = ' ',
        value_parser = compression
    )]
    pub compressions: Vec<Compression>,
}

/// Options of publishing.
#[derive(Clone, Debug, Args)]
pub struct PublishArgs {
    /// The validity of the IPNS record, such as 48h
    #[arg(
        long,
        value_name = "DURATION",
        env = "GUIX_IPFS_RECORD_LIFETIME",
        default_value = "48h",
        value_parser = lifetime
    )]
    pub record_lifetime: Duration,
    /// Publish even where the node reaches nobody else
    #[arg(long, env = "GUIX_IPFS_ALLOW_OFFLINE", value_parser = FalseyValueParser::new())]
    pub allow_offline: bool,
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
            "help", "version", "dry-run", "base", "long", "list", "force", "anew",
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
