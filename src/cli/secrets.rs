//! Values that can hold a password: a wrong one is not repeated with it.

use crate::util::url;
use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Error};
use std::ffi::OsStr;

/// Reads a value as another parser does. In its errors a URL has no user, password and
/// query.
#[derive(Clone)]
pub(super) struct WithoutSecrets<P>(pub P);

impl<P: TypedValueParser> TypedValueParser for WithoutSecrets<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<P::Value, Error> {
        let read = self.0.parse_ref(command, arg, value);
        read.map_err(|mut error| {
            let kind = ContextKind::InvalidValue;
            if let Some(ContextValue::String(text)) = error.get(kind)
                && is_like_a_url(text)
            {
                let shown = url::shown(text);
                error.insert(kind, ContextValue::String(shown));
            }
            error
        })
    }
}

/// Returns true for `https://…` and for `user:password@…`, as opposed to a package,
/// `hello@2`.
fn is_like_a_url(text: &str) -> bool {
    let before = text.rsplit_once('@').map_or("", |(before, _)| before);
    text.contains("://") || before.contains(':')
}
