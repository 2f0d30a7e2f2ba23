//! Errors as data. The `Display` of an error says what happened, in one line and
//! with the item that it happened to; the rest is asked for here. Text for a
//! person is made of both in `report`.

use std::error::Error;
use std::time::Duration;

/// The prospects of another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same would happen again.
    Never,
    /// It may succeed.
    Soon,
    /// It may succeed after this time, which the other side asked for.
    After(Duration),
}

/// An error that a person may meet.
pub trait Diagnosis: Error {
    /// The next step for the person, in one or more lines.
    fn advice(&self) -> Option<String> {
        None
    }

    /// The prospects of another try.
    fn retry(&self) -> Retry {
        Retry::Never
    }
}
