//! The time limits of the requests to a substitute server.

use std::time::Duration;

/// The time limits of a connection. There is none for an answer in full, since a nar can
/// have gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// For the look-up of the name, and again for the connection.
    pub connect: Duration,
    /// For each wait for more bytes.
    pub read: Duration,
    /// The time over which the rate of a body is measured: one below 1 KiB a second
    /// is dropped. The headers of an answer must arrive within `read` and this.
    pub low_speed: Duration,
}

impl ConnectionLimits {
    /// For the headers of an answer.
    pub(super) fn headers(&self) -> Duration {
        self.read.saturating_add(self.low_speed)
    }
}
