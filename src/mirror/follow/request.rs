//! The terms of following.

use crate::guix::TrustedKeys;
use std::path::PathBuf;
use std::time::SystemTime;

/// The terms of following.
#[derive(Debug)]
pub struct FollowRequest {
    /// The keys of which one must have signed each narinfo; `None` lets any pass.
    pub keys: Option<TrustedKeys>,
    /// The largest root that is held, in bytes.
    pub max_size: Option<u64>,
    /// A root that lost more than half of its items is taken all the same.
    pub accepts_loss: bool,
    /// The folder of locks, which runs of one user share.
    pub lock_folder: PathBuf,
    /// The time of the run.
    pub now: SystemTime,
    /// Blocks are asked for on this many threads, times eight.
    pub jobs: u16,
}
