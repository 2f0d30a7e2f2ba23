//! The exit codes of the program.

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed; the name still points where it did.
    Failed = 1,
    /// Called in a way that cannot be meant.
    Usage = 2,
    /// Done, but some items could not be mirrored.
    Partly = 3,
    /// Another run holds the lock, or the node or the upstream is not reachable.
    TryLater = 75,
    /// Ended by SIGINT; what was whole is published.
    Interrupted = 130,
    /// Ended by SIGTERM; what was whole is published.
    Terminated = 143,
}

impl Exit {
    /// Returns true for a run that did all that could be done.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Done | Self::Partly)
    }

    /// The end of a run that got this signal.
    pub fn of_signal(signal: i32) -> Self {
        match signal {
            signal_hook::consts::SIGTERM => Self::Terminated,
            _ => Self::Interrupted,
        }
    }
}
