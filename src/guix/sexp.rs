//! The s-expressions in which libgcrypt writes keys and signatures.
//!
//! The part of the "advanced" form that Guix writes: tokens, `"strings"` without
//! escapes, `#HEX#`, and lists of these, with any white space between them. Files that
//! people edit may hold a little more ([`Sexp::parse_file`]).

use data_encoding::HEXLOWER_PERMISSIVE;

/// Lists in lists of the deepest expression accepted; a signature has 4.
const MAX_DEPTH: usize = 16;

/// The mark with which some editors begin a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The form of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As programs write it.
    Strict,
    /// A file that people edit.
    File,
}

/// An s-expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sexp {
    /// The bytes of a token, a string or hexadecimal digits.
    Atom(Vec<u8>),
    /// The elements between parentheses.
    List(Vec<Sexp>),
}

impl Sexp {
    /// Reads exactly one list.
    ///
    /// # Errors
    /// The bytes are not a list, or something follows it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SexpError> {
        let mut all = Self::parse_all(bytes, 0, Form::Strict)?;
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(SexpError::NotOne),
        }
    }

    /// Reads a file of any number of lists. Comments from `;` to the end of the line
    /// and a byte order mark are skipped, and `\` in a string takes the next
    /// character as it is.
    ///
    /// # Errors
    /// Something is not a list, or a list is not closed, nested too deeply or not
    /// understood.
    pub fn parse_file(bytes: &[u8]) -> Result<Vec<Self>, SexpError> {
        let mark = match bytes.starts_with(BYTE_ORDER_MARK) {
            true => BYTE_ORDER_MARK.len(),
            false => 0,
        };
        Self::parse_all(bytes, mark, Form::File)
    }

    fn parse_all(bytes: &[u8], start: usize, form: Form) -> Result<Vec<Self>, SexpError> {
        let mut all = Vec::new();
        // The lists that are still open, the innermost last.
        let mut open: Vec<Vec<Self>> = Vec::new();
        let mut at = start;
        while let Some(&byte) = bytes.get(at) {
            let rest = &bytes[at..];
            let length = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => 1,
                b';' if form == Form::File => {
                    rest.iter().take_while(|byte| **byte != b'\n').count()
                }
                b'(' if open.len() == MAX_DEPTH => return Err(SexpError::TooDeep),
                b'(' => {
                    open.push(Vec::new());
                    1
                }
                b')' => {
                    let list = Self::List(open.pop().ok_or(SexpError::Character(at))?);
                    open.last_mut().unwrap_or(&mut all).push(list);
                    1
                }
                _ => {
                    let list = open.last_mut().ok_or(SexpError::Character(at))?;
                    let (atom, length) = atom(rest, form).ok_or(SexpError::Character(at))?;
                    list.push(Self::Atom(atom));
                    length
                }
            };
            at += length;
        }
        match open.is_empty() {
            true => Ok(all),
            false => Err(SexpError::NotClosed),
        }
    }

    /// The elements after the first, of a list that begins with the atom `name`.
    pub(super) fn named(&self, name: &str) -> Option<&[Self]> {
        match self {
            Self::List(list) => match list.split_first()? {
                (Self::Atom(first), rest) if first == name.as_bytes() => Some(rest),
                _ => None,
            },
            Self::Atom(_) => None,
        }
    }

    /// The fields of a list `(name (FIELD …) (FIELD …))`. Each stands once, in any
    /// order, and nothing else does, so that two readers cannot arrive at different
    /// conclusions.
    ///
    /// # Errors
    /// This is another list, a field is missing or repeated, or there is something
    /// else.
    pub(super) fn fields<const N: usize>(
        &self,
        name: &'static str,
        fields: [&'static str; N],
    ) -> Result<[&Self; N], SexpError> {
        let list = self.named(name).ok_or(SexpError::Missing(name))?;
        let mut found = [None; N];
        for element in list {
            let known = fields
                .iter()
                .position(|field| element.named(field).is_some());
            let Some(at) = known else {
                return Err(SexpError::Stray(name, element.label()));
            };
            if found[at].replace(element).is_some() {
                return Err(SexpError::Repeated(fields[at]));
            }
        }
        let mut values = [self; N];
        for (at, field) in fields.into_iter().enumerate() {
            values[at] = found[at].ok_or(SexpError::Missing(field))?;
        }
        Ok(values)
    }

    /// The `N` atoms of a list `(name ATOM …)`.
    ///
    /// # Errors
    /// This is another list, or holds something else.
    pub(super) fn atoms<const N: usize>(
        &self,
        name: &'static str,
    ) -> Result<[&[u8]; N], SexpError> {
        let list = self.named(name).ok_or(SexpError::Missing(name))?;
        let atoms = list.iter().map(|element| match element {
            Self::Atom(bytes) => Some(bytes.as_slice()),
            Self::List(_) => None,
        });
        let atoms: Option<Vec<_>> = atoms.collect();
        let atoms = atoms.and_then(|atoms| atoms.try_into().ok());
        atoms.ok_or(SexpError::Value(name))
    }

    /// Its name in a message.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Atom(bytes) => String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into(),
            Self::List(list) => match list.first() {
                Some(Self::Atom(_)) => format!("({} …)", list[0].label()),
                _ => "(…)".to_owned(),
            },
        }
    }
}

/// The error of bytes that are not the s-expression expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SexpError {
    /// Neither a token, a string, hexadecimal digits nor a list.
    #[error("byte {0} of the s-expression is not understood")]
    Character(usize),
    /// A parenthesis is missing at the end.
    #[error("a list of the s-expression is not closed")]
    NotClosed,
    /// Far more lists in lists than a signature has.
    #[error("the s-expression is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Nothing, or more than one list.
    #[error("it is not one s-expression")]
    NotOne,
    /// A part that is absent.
    #[error("the s-expression has no ({0} …) where one is required")]
    Missing(&'static str),
    /// A second part of a kind that stands once.
    #[error("the s-expression repeats ({0} …)")]
    Repeated(&'static str),
    /// A part that does not belong there.
    #[error("the s-expression has {1:?} in ({0} …), which is not allowed there")]
    Stray(&'static str, String),
    /// A value of another kind or length.
    #[error("the value of ({0} …) in the s-expression is not as expected")]
    Value(&'static str),
}

/// The first atom of `rest`, and its length in bytes.
fn atom(rest: &[u8], form: Form) -> Option<(Vec<u8>, usize)> {
    match rest.first()? {
        b'#' => {
            let length = rest[1..].iter().position(|&byte| byte == b'#')?;
            let digits = str::from_utf8(&rest[1..=length]).ok()?;
            let digits: String = digits.split_ascii_whitespace().collect();
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
            Some((bytes, length + 2))
        }
        b'"' => {
            let (text, length) = string(rest)?;
            let is_plain = form == Form::File || !rest[..length].contains(&b'\\');
            is_plain.then_some((text, length))
        }
        first if is_in_token(first) && !first.is_ascii_digit() => {
            let length = rest.iter().take_while(|byte| is_in_token(byte)).count();
            Some((rest[..length].to_vec(), length))
        }
        _ => None,
    }
}

/// The string at the beginning of `rest`, and its length in bytes.
fn string(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut text = Vec::new();
    let mut bytes = rest.iter().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((text, at + 1)),
            b'\\' => text.push(*bytes.next()?.1),
            byte => text.push(*byte),
        }
    }
    None
}

fn is_in_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-./_:*+=".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms(sexp: &Sexp) -> usize {
        match sexp {
            Sexp::Atom(_) => 1,
            Sexp::List(list) => list.iter().map(atoms).sum(),
        }
    }

    #[test]
    fn white_space_makes_no_difference() {
        let one = Sexp::parse(b"(a(b #0aFF#)\"c d\")");
        let many = Sexp::parse(b"\n ( a\t(b\r\n# 0A\n f f #)  \"c d\" )\n");
        assert_eq!(one, many);
        let b = Sexp::List(vec![
            Sexp::Atom(b"b".to_vec()),
            Sexp::Atom(vec![0x0a, 0xff]),
        ]);
        let (a, c) = (Sexp::Atom(b"a".to_vec()), Sexp::Atom(b"c d".to_vec()));
        assert_eq!(one, Ok(Sexp::List(vec![a, b, c])));
    }

    #[test]
    fn anything_but_a_list_is_refused_for_its_reason() {
        let deep = [vec![b'('; 17], vec![b')'; 17]].concat();
        for (text, error) in [
            (&b""[..], SexpError::NotOne),
            (b"(a) (b)", SexpError::NotOne),
            (b"a", SexpError::Character(0)),
            (b"(a))", SexpError::Character(3)),
            (b"(a", SexpError::NotClosed),
            (b"(#0#)", SexpError::Character(1)),
            (b"(#0g#)", SexpError::Character(1)),
            (b"(#00)", SexpError::Character(1)),
            (b"(\"a\\\"\")", SexpError::Character(1)),
            (b"(1:a)", SexpError::Character(1)),
            (b"(a ;)", SexpError::Character(3)),
            (&deep, SexpError::TooDeep),
        ] {
            assert_eq!(Sexp::parse(text), Err(error), "{text:?}");
        }
        let deepest = [vec![b'('; 16], vec![b')'; 16]].concat();
        assert!(Sexp::parse(&deepest).is_ok());
    }

    #[test]
    fn each_field_stands_once_and_nothing_else_does() -> Result<(), SexpError> {
        let sexp = Sexp::parse(b"(key (r x y) (q z))")?;
        let [q, r] = sexp.fields("key", ["q", "r"])?;
        assert_eq!(q.atoms("q"), Ok([&b"z"[..]]));
        assert_eq!(r.atoms("r"), Ok([&b"x"[..], b"y"]));
        assert_eq!(r.atoms::<1>("r"), Err(SexpError::Value("r")));
        assert_eq!(sexp.fields("lock", []), Err(SexpError::Missing("lock")));
        let stray = |label: &str| SexpError::Stray("key", label.to_owned());
        let fields = sexp.fields("key", ["q", "r", "s"]);
        assert_eq!(fields, Err(SexpError::Missing("s")));
        for (text, error) in [
            (&b"(key (q a) (q a))"[..], SexpError::Repeated("q")),
            (b"(key (q a) b)", stray("b")),
            (b"(key (x (q a)) (q a))", stray("(x …)")),
        ] {
            assert_eq!(Sexp::parse(text)?.fields("key", ["q"]), Err(error));
        }
        Ok(())
    }

    #[test]
    fn several_lists_are_read_in_their_order() -> Result<(), SexpError> {
        assert!(Sexp::parse_file(b" \n")?.is_empty());
        let all = Sexp::parse_file(b"(a b c)\n(d)")?;
        assert_eq!(all.iter().map(atoms).collect::<Vec<_>>(), [3, 1]);
        Ok(())
    }

    #[test]
    fn comments_marks_and_escapes_are_for_files_alone() {
        let plain = Sexp::parse_file(b"(a \"b;c\" d)(e)");
        for text in [
            &b"(a \"b;c\" d);(x\n(e)"[..],
            b"\xef\xbb\xbf; \"\r\n(a ; (\r\n\"b;c\" d)(e);",
            b";\n(a \"\\b;c\";)\n d)(e)",
        ] {
            assert_eq!(Sexp::parse_file(text), plain, "{text:?}");
            assert!(Sexp::parse(text).is_err(), "{text:?}");
        }
        let quoted = Sexp::parse_file(br#"("a\"\\;")"#);
        let text = Sexp::Atom(br#"a"\;"#.to_vec());
        assert_eq!(quoted, Ok(vec![Sexp::List(vec![text])]));
        for (text, error) in [
            (&b"(a ; b)"[..], SexpError::NotClosed),
            (b"(a \xef\xbb\xbf)", SexpError::Character(3)),
            (b"(\"a\\\")", SexpError::Character(1)),
        ] {
            assert_eq!(Sexp::parse_file(text), Err(error), "{text:?}");
        }
    }
}
