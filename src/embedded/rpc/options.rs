//! A request's arguments and options, as its query holds them.

use super::Fault;
use percent_encoding::percent_decode_str;

/// Arguments (`arg=`, in order) and named options.
pub struct Options {
    pairs: Vec<(String, String)>,
}

impl Options {
    /// Reads a query.
    pub fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self {
            pairs: pairs.collect(),
        }
    }

    /// The argument at `index`, which the command calls `name`.
    pub fn arg(&self, index: usize, name: &str) -> Result<&str, Fault> {
        self.args()
            .nth(index)
            .ok_or_else(|| Fault::Usage(format!("argument {name:?} is required")))
    }

    /// All arguments.
    pub fn args(&self) -> impl Iterator<Item = &str> {
        let args = self.pairs.iter().filter(|(name, _)| name == "arg");
        args.map(|(_, value)| value.as_str())
    }

    /// An option's value, if it is given and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut given = self.pairs.iter().filter(|(option, _)| option == name);
        given
            .next_back()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A yes or no, in the spellings that Go takes.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.text(name) {
            None => Ok(default),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(Fault::Usage(format!(
                "could not convert value {other:?} to type \"bool\" (for option \"-{name}\")"
            ))),
        }
    }

    /// Refuses an option that this node can only take with one value: to ignore
    /// it would give another result than was asked for.
    pub fn only(&self, name: &str, value: &str) -> Result<(), Fault> {
        match self.text(name) {
            Some(given) if given != value => Err(unsupported(&format!("{name}={given}"))),
            _ => Ok(()),
        }
    }
}

/// That Kubo can do this and the embedded node cannot.
pub fn unsupported(what: &str) -> Fault {
    Fault::Refused(format!(
        "the embedded node does not support {what}; use Kubo"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_decoded_and_the_last_one_counts() {
        let options = Options::parse("arg=a%2Fb&arg=c+d&pin=true&pin=false&empty=");
        assert_eq!(options.args().collect::<Vec<_>>(), ["a/b", "c d"]);
        assert!(matches!(options.flag("pin", true), Ok(false)));
        assert!(matches!(options.flag("empty", true), Ok(true)));
        assert!(options.arg(2, "ref").is_err());
        assert!(options.only("pin", "true").is_err());
    }
}
