//! The options that several verbs share, with their environment variables and defaults.

use super::lists::List;
use super::values::{
    ApiParser, compressions, duration, encoding, files, graft, keep_for, key, lifetime, rate, root,
    seconds, services, size, upstreams,
};
use crate::guix::Compression;
use crate::ipfs::cid::Cid;
use crate::mirror::{Encoding, GraftChoice};
use crate::node::NodeAddress;
use clap::{Args, ValueHint};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// The node's RPC: URL, multiaddr or `embedded[:DIR]`
    ///
    /// Without it, the address that `$IPFS_PATH/api` holds, then
    /// http://127.0.0.1:5001. `embedded` is a store in DIR or in a folder of the
    /// user's own: offline, without a server.
    #[arg(long, value_name = "ADDRESS", env = "GUIX_IPFS_API", value_parser = ApiParser)]
    pub api: Option<NodeAddress>,
    /// A file with your token or password for the node
    ///
    /// It holds bearer:TOKEN or basic:USER:PASSWORD. The same can be in
    /// $GUIX_IPFS_API_AUTH.
    #[arg(long, value_name = "FILE", env = "GUIX_IPFS_API_AUTH_FILE")]
    pub api_auth_file: Option<PathBuf>,
    /// The node's key to publish under
    #[arg(long, env = "GUIX_IPFS_KEY", default_value = "guix-ipfs", value_parser = key())]
    pub key: String,
    /// A substitute server
    ///
    /// Repeatable, or several with spaces between. They are asked in order, item by item.
    #[arg(
        long = "upstream",
        value_name = "URL",
        env = "GUIX_IPFS_UPSTREAM",
        default_value = "https://ci.guix.gnu.org",
        value_parser = upstreams()
    )]
    pub upstreams: Vec<List<String>>,
    /// Keys whose signatures are trusted: a file, or several with colons between
    ///
    /// A file of one (public-key …), several, or an acl; repeatable. Those of Guix's
    /// own build farms are built in.
    #[arg(
        long,
        value_name = "FILE",
        env = "GUIX_IPFS_TRUSTED_KEYS",
        value_parser = files(),
        value_hint = ValueHint::FilePath
    )]
    pub trusted_keys: Vec<List<PathBuf>>,
    /// Downloads at once
    ///
    /// At most 16, and of items of more than a MiB at most 4.
    #[arg(
        long,
        value_name = "N",
        env = "GUIX_IPFS_JOBS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=64)
    )]
    pub jobs: u16,
    /// The highest rate of all downloads together, in bytes a second
    ///
    /// K, M, G are powers of 1024. Without it, as fast as they come.
    #[arg(long, value_name = "RATE", env = "GUIX_IPFS_LIMIT_RATE", value_parser = rate)]
    pub limit_rate: Option<NonZeroU64>,
    /// The longest time for making a connection, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_CONNECT_TIMEOUT",
        default_value = "20",
        value_parser = seconds
    )]
    pub connect_timeout: Duration,
    /// The longest pause of a connection, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_READ_TIMEOUT",
        default_value = "60",
        value_parser = seconds
    )]
    pub read_timeout: Duration,
    /// The time in which an upstream must send 1 KiB a second, in seconds
    ///
    /// A download that is slower for so long is dropped, and continues where it was or
    /// starts again, three times in all.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "GUIX_IPFS_LOW_SPEED_TIME",
        default_value = "30",
        value_parser = seconds
    )]
    pub low_speed_time: Duration,
    /// Print one JSON object that sums the run up
    #[arg(long, env = "GUIX_IPFS_JSON")]
    pub json: bool,
    /// Print a line per item, and a summary
    #[arg(short, long, env = "GUIX_IPFS_VERBOSE")]
    pub verbose: bool,
    /// Print nothing but errors
    #[arg(short, long, env = "GUIX_IPFS_QUIET", conflicts_with = "verbose")]
    pub quiet: bool,
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
    #[arg(long, env = "GUIX_IPFS_NO_CLOSURE")]
    pub no_closure: bool,
    /// Options about variants.
    #[command(flatten)]
    pub variants: VariantArgs,
    /// The option about the encoding.
    #[command(flatten)]
    pub encoding: EncodingArgs,
    /// The way of grafting: auto takes add-link for a few files in small directories
    #[arg(
        long,
        value_name = "auto|add-link|car",
        env = "GUIX_IPFS_GRAFT",
        default_value = "auto",
        value_parser = graft()
    )]
    pub graft: GraftChoice,
    /// Leave out items whose unpacked nar is larger
    ///
    /// In bytes, or with K, M, G (powers of 1024).
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_NAR_SIZE", value_parser = size)]
    pub max_nar_size: Option<u64>,
    /// Start no other item after so many bytes of nars
    ///
    /// K, M, G are powers of 1024. Items that are whole are published; the next run
    /// continues with the others.
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_BYTES", value_parser = size)]
    pub max_bytes: Option<u64>,
    /// Start no other item after so long, such as 50m
    ///
    /// Items that are whole are published; the next run continues with the others.
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
    /// Continue from this root, whatever the name and the journal hold
    #[arg(long, value_name = "CID", value_parser = root)]
    pub base: Option<Cid>,
}

/// Options about the variants of an item.
#[derive(Clone, Debug, Args)]
pub struct VariantArgs {
    /// Prefer these variants: gzip, lzip, zstd, none
    ///
    /// Repeatable, or several with spaces between. An item that has none of them is
    /// mirrored as it is, and so is one whose narinfo has no signature, or signs the
    /// lines of the others too. Without it, all that a narinfo lists.
    #[arg(
        long = "compression",
        value_name = "NAME",
        env = "GUIX_IPFS_COMPRESSION",
        value_parser = compressions()
    )]
    pub compressions: Vec<List<Compression>>,
}

/// Options about the items that are kept.
#[derive(Clone, Debug, Args)]
pub struct RetentionArgs {
    /// Keep items wanted within this time, such as 90d
    ///
    /// An item is wanted on the days on which a farm or a list names it, or a person. All
    /// that these refer to stays, too. From 1d to 365d; whole days count.
    #[arg(long, value_name = "DURATION", env = "GUIX_IPFS_KEEP_FOR", value_parser = keep_for)]
    pub keep_for: Option<Duration>,
    /// Keep no more than this size, such as 200G
    ///
    /// Items that were wanted longest ago go first. The size is the tree's cumulative size,
    /// as `guix-ipfs resolve --long` shows it. In bytes, or with K, M, G, T (powers of
    /// 1024).
    #[arg(long, value_name = "SIZE", env = "GUIX_IPFS_MAX_SIZE", value_parser = size)]
    pub max_size: Option<u64>,
}

/// Options of the verbs that take something out.
#[derive(Clone, Debug, Args)]
pub struct GcArgs {
    /// Then remove what nothing pins from the node, as `gc` does
    #[arg(long, env = "GUIX_IPFS_GC")]
    pub gc: bool,
}

/// The option about the encoding of nars.
#[derive(Clone, Copy, Debug, Args)]
pub struct EncodingArgs {
    /// Nars of a new mirror: upstream (default) or delta
    ///
    /// As the upstream has them, or delta: re-encoded so that a rebuilt item shares most
    /// of its blocks with the build before. A mirror keeps what it began with.
    #[arg(long, value_name = "NAME", env = "GUIX_IPFS_ENCODING", value_parser = encoding())]
    pub encoding: Option<Encoding>,
}

/// Options of a verb that changes the root.
#[derive(Clone, Debug, Args)]
pub struct RootArgs {
    /// Keep a page for people, index.html, in the root
    ///
    /// It says how to use the mirror, whose signatures there are and what came last, and
    /// looks items up. Later runs keep it up to date by themselves.
    #[arg(long, env = "GUIX_IPFS_PAGE")]
    pub page: bool,
    /// Remove the page for people, whatever --page and its variable say
    #[arg(long)]
    pub no_page: bool,
    /// Options of publishing.
    #[command(flatten)]
    pub publish: PublishArgs,
}

impl RootArgs {
    /// The word about the page, if there is one.
    pub fn page_choice(&self) -> Option<bool> {
        (self.page || self.no_page).then_some(!self.no_page)
    }
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
    #[arg(long, env = "GUIX_IPFS_ALLOW_OFFLINE")]
    pub allow_offline: bool,
    /// Write the figures of the run to FILE at its end, for Prometheus
    ///
    /// In the text format, for the textfile collector of the node exporter: the times of
    /// the last run and of the last success, its exit code, and what it did. A run that
    /// fails writes it, too.
    #[arg(long, value_name = "FILE", env = "GUIX_IPFS_METRICS")]
    pub metrics: Option<PathBuf>,
    /// Run COMMAND in a shell after a root was published
    ///
    /// With $GUIX_IPFS_NAME, $GUIX_IPFS_ROOT and $GUIX_IPFS_PREVIOUS, the root before.
    /// Its output goes to standard error, and its failure is a warning.
    #[arg(
        long,
        value_name = "COMMAND",
        env = "GUIX_IPFS_AFTER_PUBLISH",
        value_hint = ValueHint::CommandString
    )]
    pub after_publish: Option<String>,
    /// Let this pinning service keep what is published, too; repeatable
    ///
    /// A service that is set up on the node with `ipfs pin remote service add`, or several
    /// with spaces between. The new root is asked for, and older ones are unpinned when a
    /// later run finds it pinned. A service that fails is a warning, and is asked again by
    /// the next run.
    #[arg(
        long = "pin-at",
        value_name = "SERVICE",
        env = "GUIX_IPFS_PIN_AT",
        value_parser = services()
    )]
    pub pin_at: Vec<List<String>>,
}
