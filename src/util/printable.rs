//! Text from outside as a terminal may have it: a character that moves the cursor,
//! changes colours or the direction of writing, or that nobody sees, is escaped.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that cannot be printed escaped as in Rust: `\n`,
/// `\u{1b}`, `\u{202e}`. A backslash stands for itself.
pub fn printable(text: &str) -> Cow<'_, str> {
    match text.chars().all(is_printable) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(escape(text, |escaped, character| {
            escaped.extend(character.escape_debug());
        })),
    }
}

/// The same JSON with every character that cannot be printed written as `\u` and four
/// digits. Serialised JSON has such characters only within strings.
pub fn printable_json(json: &str) -> String {
    escape(json, |escaped, character| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    })
}

fn escape(text: &str, write: impl Fn(&mut String, char)) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match is_printable(character) {
            true => escaped.push(character),
            false => write(&mut escaped, character),
        }
    }
    escaped
}

/// Returns true for letters, marks, digits, signs and the plain space. The standard
/// library has the table: `escape_debug` escapes the others.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\0'..='\u{7f}' => false,
        // A mark that joins the character before it is escaped only at the beginning.
        _ => String::from_iter(['x', character])
            .escape_debug()
            .nth(1)
            .is_some_and(|shown| shown == character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_can_be_seen_stays() {
        for text in [
            "",
            "/gnu/store/a-b_c+d.e?f=g",
            "it's \"so\" \\ ~",
            "é e\u{301} ß 木 🦀",
            "‘…’ – Grüße",
        ] {
            assert_eq!(printable(text), text);
            assert_eq!(printable_json(text), text);
        }
    }

    #[test]
    fn text_that_steers_a_terminal_is_escaped() {
        for (text, shown) in [
            ("a\x1b[31mb", "a\\u{1b}[31mb"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\0"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
            ("\u{202e}\u{2066}\u{200f}", "\\u{202e}\\u{2066}\\u{200f}"),
            ("\u{61c}\u{2028}\u{2029}", "\\u{61c}\\u{2028}\\u{2029}"),
            ("\u{200b}\u{feff}\u{ad}", "\\u{200b}\\u{feff}\\u{ad}"),
            ("\u{e0041}\u{a0}\u{85}", "\\u{e0041}\\u{a0}\\u{85}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn json_stays_json() {
        let text = "a\u{202e}\u{e0041}\u{9b}\u{7f}\n\x1bé";
        let json = printable_json(&serde_json::to_string(text).unwrap());
        assert_eq!(json, "\"a\\u202e\\udb40\\udc41\\u009b\\u007f\\n\\u001bé\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
