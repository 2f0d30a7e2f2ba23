//! Text for a page: everything that comes from elsewhere is escaped.

use std::fmt::Write;

/// Text as it stands in HTML, between tags or in an attribute with quotes.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // These would reorder or hide what stands beside them.
            c if c.is_control() || is_invisible(c) => drop(write!(escaped, "\\u{:x}", c as u32)),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns true for a character that changes the direction of text, or has no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The template with each `{{name}}` replaced by its value. Values are not looked through.
pub fn filled(template: &str, values: &[(&str, impl AsRef<str>)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| value.as_ref()));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A number with its digits in groups of three.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes with a unit, powers of 1024.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut units = units.into_iter();
    let mut unit = units.next().unwrap_or_default();
    // 1023.95 would be written 1024.0.
    while size >= 1023.95 {
        let Some(next) = units.next() else { break };
        (size, unit) = (size / 1024.0, next);
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_html_means_something_by_is_left() {
        for (text, expected) in [
            ("hello-2.12.1", "hello-2.12.1"),
            ("</script><script>", "&lt;/script&gt;&lt;script&gt;"),
            ("\" onclick='x()'", "&quot; onclick=&#39;x()&#39;"),
            ("&lt;&amp;", "&amp;lt;&amp;amp;"),
            ("a\u{202e}b\0c\nd", "a\\u202eb\\u0c\\uad"),
            ("{{name}}", "{{name}}"),
            ("ü–🐃", "ü–🐃"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn values_are_not_filled_in_again() {
        let values = [("a", "{{b}}"), ("b", "B")];
        assert_eq!(filled("<{{a}}|{{b}}|{{c}}>", &values), "<{{b}}|B|>");
        assert_eq!(filled("{{a", &values), "{{b}}");
        assert_eq!(filled("}} {a} {", &values), "}} {a} {");
    }

    #[test]
    fn numbers_and_sizes_are_short() {
        let numbers = [0, 999, 1000, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        let sizes = [0, 1023, 1024, 1536, (1 << 20) - 1, 5 << 30, u64::MAX].map(size);
        let expected = [
            "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB", "16.0 EiB",
        ];
        assert_eq!(sizes, expected);
    }
}
