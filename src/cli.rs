//! Every option, with its environment variable and its default.

mod help;
mod values;
mod wish;

pub use help::{command, parse};
pub use values::{Api, Graft};
pub use wish::{Package, Wanted, Wish};

use crate::guix::Compression;
use crate::ipfs::cid::{Cid, CidVersion};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use values::{ApiParser, cid_version, compression, duration, graft, lifetime, seconds, size};

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
    after_long_help = help::AFTER
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Mirror the farm's latest builds, or a list of items; for cron
    Sync(Sync),
    /// Mirror the named items
    Add(Add),
    /// Say what the name points to
    Resolve(Resolve),
    /// Publish the first root under a name that was never published
    Init(Init),
    /// Take items out again, with the nars that nobody else lists
    Remove(Remove),
    /// Look whether every published narinfo and nar is there and whole
    Verify(Verify),
    /// Run the embedded node, with its gateway, in the foreground
    Node(NodeArgs),
    /// Print shell completions
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, in roff
    Man,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The node's RPC: URL, multiaddr or `embedded[:DIR]`
    ///
    /// Without it, the address that `$IPFS_PATH/api` holds, then
    /// http://127.0.0.1:5001. `embedded` is the node inside this program, over
    /// DIR or a folder of its own.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "GUIX_IPFS_API",
        hide_env_values = true,
        value_parser = ApiParser,
        global = true
    )]
    pub api: Option<Api>,
    /// A file that says who you are to the node
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
    /// How many downloads run at once
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_JOBS",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64),
        global = true
    )]
    pub jobs: u16,
    /// How long a connection may take to be made, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_CONNECT_TIMEOUT",
        default_value = "20",
        value_parser = seconds,
        global = true
    )]
    pub connect_timeout: Duration,
    /// How long a connection may stand still, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_READ_TIMEOUT",
        default_value = "60",
        value_parser = seconds,
        global = true
    )]
    pub read_timeout: Duration,
    /// Print one JSON object that sums the run up
    #[arg(long, env = "GUIX_IPFS_JSON", value_parser = FalseyValueParser::new(), global = true)]
    pub json: bool,
    /// Say a line per item, and a sum
    #[arg(
        short,
        long,
        env = "GUIX_IPFS_VERBOSE",
        value_parser = FalseyValueParser::new(),
        global = true
    )]
    pub verbose: bool,
    /// Say nothing but errors
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
pub struct Sync {
    /// How many of the latest builds to ask for
    ///
    /// More, up to 1000, until one is already mirrored, so that no gap opens.
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
    /// One or more a line, or store hashes; what is neither is passed over.
    #[arg(long, value_name = "FILE", env = "GUIX_IPFS_FROM")]
    pub from: Option<PathBuf>,
    /// What is mirrored.
    #[command(flatten)]
    pub mirror: Mirror,
    /// How it is published.
    #[command(flatten)]
    pub publish: Publish,
}

/// `add`.
#[derive(Clone, Debug, Args)]
pub struct Add {
    /// Store hashes, store paths, URLs of narinfos, packages; - is standard input
    ///
    /// A hash has 32 characters. A package, such as hello or gcc-toolchain@13, is
    /// looked up at the build farm. Standard input is a list of hashes and store
    /// paths.
    #[arg(required = true, value_name = "HASH|STORE-PATH|URL|PACKAGE|-")]
    pub items: Vec<Wish>,
    /// The packages' system, such as x86_64-linux
    ///
    /// Without it, this machine's.
    #[arg(short, long, env = "GUIX_IPFS_SYSTEM")]
    pub system: Option<String>,
    /// What is mirrored.
    #[command(flatten)]
    pub mirror: Mirror,
    /// How it is published.
    #[command(flatten)]
    pub publish: Publish,
}

/// `resolve`.
#[derive(Clone, Debug, Args)]
pub struct Resolve {
    /// An IPNS name, a key of the node, or /ipfs/CID
    ///
    /// Without it, the key of --key.
    #[arg(value_name = "NAME|KEY|/ipfs/CID")]
    pub target: Option<String>,
    /// Add counts, sizes, the record, the node, and how to use it
    #[arg(long)]
    pub long: bool,
    /// Print the published store paths instead, one a line
    #[arg(long, conflicts_with = "long")]
    pub list: bool,
}

/// `init`.
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// 0, as `ipfs add` does by default, or 1
    ///
    /// Afterwards it is read off the root.
    #[arg(
        long,
        env = "GUIX_IPFS_CID_VERSION",
        default_value = "0",
        value_parser = cid_version
    )]
    pub cid_version: CidVersion,
    /// How it is published.
    #[command(flatten)]
    pub publish: Publish,
}

/// `remove`.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// Store hashes (32 characters) or store paths
    #[arg(required = true, value_name = "HASH|STORE-PATH")]
    pub items: Vec<Wanted>,
    /// Remove also what published items refer to
    #[arg(long)]
    pub force: bool,
    /// How it is published.
    #[command(flatten)]
    pub publish: Publish,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// Read every nar and compare it with its NarHash, NarSize and FileSize
    #[arg(long, env = "GUIX_IPFS_DEEP", value_parser = FalseyValueParser::new())]
    pub deep: bool,
    /// Fetch what is broken again, and publish
    #[arg(long, env = "GUIX_IPFS_REPAIR", value_parser = FalseyValueParser::new())]
    pub repair: bool,
    /// Which variants are fetched again.
    #[command(flatten)]
    pub variants: Variants,
    /// How it is published.
    #[command(flatten)]
    pub publish: Publish,
}

/// `node`.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// The port of the RPC on 127.0.0.1; 0 takes any
    #[arg(
        long,
        value_name = "PORT",
        env = "GUIX_IPFS_RPC_PORT",
        default_value_t = 5181
    )]
    pub rpc_port: u16,
    /// The port of the gateway on 127.0.0.1; 0 takes any
    #[arg(
        long,
        value_name = "PORT",
        env = "GUIX_IPFS_GATEWAY_PORT",
        default_value_t = 8181
    )]
    pub gateway_port: u16,
}

/// What `sync` and `add` mirror.
#[derive(Clone, Debug, Args)]
pub struct Mirror {
    /// Say what would be mirrored, and stop
    ///
    /// Only narinfos are read.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Leave out what the items refer to
    #[arg(long, env = "GUIX_IPFS_NO_CLOSURE", value_parser = FalseyValueParser::new())]
    pub no_closure: bool,
    /// Which variants of them.
    #[command(flatten)]
    pub variants: Variants,
    /// How files are grafted: auto takes add-link for a few files in small directories
    #[arg(
        long,
        value_name = "auto|add-link|car",
        env = "GUIX_IPFS_GRAFT",
        default_value = "auto",
        value_parser = graft
    )]
    pub graft: Graft,
    /// Refuse items whose unpacked nar is larger
    ///
    /// In bytes, or with K, M, G (powers of 1024).
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_NAR_SIZE", value_parser = size)]
    pub max_nar_size: Option<u64>,
    /// Begin no other item after so many bytes of nars
    ///
    /// K, M, G are powers of 1024. What is whole is published.
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_BYTES", value_parser = size)]
    pub max_bytes: Option<u64>,
    /// Begin no other item after so long, such as 50m
    ///
    /// What is whole is published.
    #[arg(long, value_name = "DURATION", env = "GUIX_IPFS_MAX_TIME", value_parser = duration)]
    pub max_time: Option<Duration>,
    /// Publish what is whole after every N items of a long run
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_CHECKPOINT",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub checkpoint: u32,
    /// Go on from this root, whatever the name and the journal say
    #[arg(long, value_name = "CID")]
    pub base: Option<Cid>,
}

/// Which variants of an item are mirrored.
#[derive(Clone, Debug, Args)]
pub struct Variants {
    /// Mirror only these variants: gzip, lzip, zstd, none
    ///
    /// Repeatable. Without it, all that a narinfo lists.
    #[arg(
        long = "compression",
        value_name = "NAME",
        env = "GUIX_IPFS_COMPRESSION",
        value_delimiter = ' ',
        value_parser = compression
    )]
    pub compressions: Vec<Compression>,
}

/// How a root is published.
#[derive(Clone, Debug, Args)]
pub struct Publish {
    /// How long the IPNS record is valid, such as 48h
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
        // These are one person's word about one run.
        let only_by_hand = [
            "help", "version", "dry-run", "base", "long", "list", "force",
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
