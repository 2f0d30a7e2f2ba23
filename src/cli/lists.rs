//! Options that take several values in one: `--upstream "URL URL"`, and so in their
//! variables.

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The values of one such option or variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    /// All values of a repeatable option, in order.
    pub fn all(lists: &[Self]) -> impl Iterator<Item = &T> {
        lists.iter().flat_map(|list| &list.0)
    }
}

/// Reads values that are separated by a character, any number of times.
#[derive(Clone)]
pub(super) struct ListParser<const SEPARATOR: u8, P>(pub P);

/// Values separated by spaces.
pub(super) type Words<P> = ListParser<b' ', P>;

/// Values separated by colons, as in `$PATH`.
pub(super) type Paths<P> = ListParser<b':', P>;

/// Returns true for a variable that holds nothing: no character, or only those that
/// separate.
pub(super) fn is_empty(variable: &OsStr) -> bool {
    let mut bytes = variable.as_bytes().iter();
    bytes.all(|byte| byte.is_ascii_whitespace() || *byte == b':')
}

impl<const SEPARATOR: u8, P: TypedValueParser> TypedValueParser for ListParser<SEPARATOR, P> {
    type Value = List<P::Value>;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        list: &OsStr,
    ) -> Result<Self::Value, Error> {
        let parts = list.as_bytes().split(|byte| *byte == SEPARATOR);
        let parts = parts.filter(|part| !part.is_empty());
        let values = parts.map(|part| {
            let part = OsStr::from_bytes(part);
            self.0.parse_ref(command, arg, part)
        });
        let values: Vec<_> = values.collect::<Result<_, _>>()?;
        match values.is_empty() {
            true => Err(no_value(command, arg)),
            false => Ok(List(values)),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// The error of an empty list.
fn no_value(command: &Command, arg: Option<&Arg>) -> Error {
    let mut error = Error::new(ErrorKind::InvalidValue).with_cmd(command);
    let arg = arg.map(Arg::to_string).unwrap_or_default();
    error.insert(ContextKind::InvalidArg, ContextValue::String(arg));
    let nothing = ContextValue::String(String::new());
    error.insert(ContextKind::InvalidValue, nothing);
    error
}
