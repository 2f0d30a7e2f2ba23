//! The paths of the ledger's files.

/// The owed items.
pub const OWED: &str = "owed";
/// The removed items.
pub const REMOVED: &str = "removed";
/// The lists of builds.
pub const SEEN: &str = "seen";
/// The rule of retention, and the time of the last prune.
pub const RETENTION: &str = "retention";
/// The latest additions, for the page.
pub const PAGE: &str = "page";
/// The encoding of the nars, where it is not the upstream's.
pub const ENCODING: &str = "encoding";
/// The folder of the wanted items, a file a day.
pub const WANTED: &str = "wanted";
