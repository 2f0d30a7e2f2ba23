//! The page as HTML. It is one file, and needs nothing from elsewhere.

use super::text::{escaped, filled, number, size};
use crate::mirror::counts::Count;
use crate::mirror::inspect::FALLBACKS;
use crate::mirror::ledger::{Addition, GENERATOR};
use crate::mirror::signers::{Signer, Signers};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const TEMPLATE: &str = include_str!("template.html");
/// Without white space around it, because the Nu HTML checker hashes the trimmed text and
/// browsers hash all of it.
const STYLE: &str = include_str!("style.css").trim_ascii();
/// Trimmed for the same reason.
const SCRIPT: &str = include_str!("script.js").trim_ascii();

/// The most bytes of a page: of its own some 16 KiB, and as much for 50 additions with
/// names of 40 characters. The longest names have 211.
pub const MOST_PAGE_BYTES: u64 = 64 << 10;

/// The contents of a page.
#[derive(Debug)]
pub struct Contents<'c> {
    /// The IPNS name.
    pub name: &'c str,
    /// The number of items, where it is known.
    pub count: Option<Count>,
    /// Cumulative size in bytes.
    pub bytes: u64,
    /// The signers of some narinfos.
    pub signers: Signers,
    /// The latest additions, the newest first.
    pub additions: &'c [Addition],
}

/// The page with these contents: the same for the same.
pub fn html(contents: &Contents) -> String {
    let newest = contents.additions.first();
    let values = [
        ("generator", GENERATOR.to_owned()),
        ("name", escaped(contents.name)),
        ("items", contents.count.map_or("?".to_owned(), count)),
        ("bytes", size(contents.bytes)),
        (
            "newest",
            newest.map_or("–".to_owned(), |it| escaped(&it.at.day())),
        ),
        ("fallbacks", escaped(FALLBACKS)),
        ("signers", signatures(&contents.signers)),
        ("additions", additions(contents.additions)),
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
        ("style-hash", policy_hash(STYLE)),
        ("script-hash", policy_hash(SCRIPT)),
    ];
    filled(TEMPLATE, &values)
}

/// The word by which a policy allows this style or script, and no other.
fn policy_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn count(count: Count) -> String {
    let about = if count.is_exact { "" } else { "about " };
    format!("{about}{}", number(count.entries))
}

/// The keys that signed, those of the farms first.
fn signatures(signers: &Signers) -> String {
    if signers.read == 0 {
        return "<p>There is nothing to sign yet.</p>".to_owned();
    }
    let mut keys: Vec<&Signer> = signers.signed.iter().collect();
    keys.sort_by_key(|signer| (signer.farm.is_none(), signer.farm, &signer.key));
    let mut html = String::new();
    if !keys.is_empty() {
        html.push_str("<ul class=\"keys\">\n");
        for signer in keys {
            let whose = match signer.farm {
                Some(farm) => format!("<b>{}</b>, whose key comes with Guix", escaped(farm)),
                None => format!(
                    "<b>{}</b>, a key that does not come with Guix",
                    short(&signer.key)
                ),
            };
            let key = escaped(&signer.key);
            html.push_str(&format!(
                "<li>{whose}\n<details><summary>The key</summary><pre>{key}</pre></details></li>\n"
            ));
        }
        html.push_str("</ul>\n");
    }
    for (few, text) in [
        (signers.unsigned, "have no signature: Guix rejects them"),
        (
            signers.broken,
            "cannot be read, or their signature is wrong",
        ),
    ] {
        if few > 0 {
            html.push_str(&format!("<p class=\"warning\">Some narinfos {text}.</p>\n"));
        }
    }
    html
}

/// The first digits of a key, between its first two `#`.
fn short(key: &str) -> String {
    let digits = key.split('#').nth(1).unwrap_or(key);
    let first: String = digits.chars().take(16).collect();
    escaped(&format!("{first}…"))
}

fn additions(additions: &[Addition]) -> String {
    if additions.is_empty() {
        return "<p>Nothing was added since this page was created.</p>".to_owned();
    }
    let mut rows = String::new();
    for addition in additions {
        let (hash, name) = (escaped(addition.hash.as_str()), escaped(&addition.name));
        let (day, bytes) = (escaped(&addition.at.day()), size(addition.bytes));
        rows.push_str(&format!(
            "<tr data-hash=\"{hash}\" data-name=\"{name}\"><td class=\"item\">{name}</td>\
             <td class=\"hash\"><a href=\"{hash}.narinfo\">{hash}</a></td>\
             <td class=\"size\">{bytes}</td><td class=\"day\">{day}</td></tr>\n"
        ));
    }
    format!(
        "<table>\n<thead><tr><th>Item</th><th>Hash, with its narinfo</th><th class=\"size\">Size\
         </th><th>Day</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::timestamp::Timestamp;

    fn addition(name: &str, bytes: u64, at: u64) -> Addition {
        Addition {
            hash: "21q7lx382p28sibkw2l721ybjxymkh1a".parse().unwrap(),
            name: name.to_owned(),
            bytes,
            at: Timestamp(at),
        }
    }

    fn page(name: &str, item: &str, key: &str) -> String {
        let additions = [addition(item, 1536, 1_795_757_000)];
        let signer = Signer {
            key: key.to_owned(),
            farm: None,
            count: 1,
        };
        html(&Contents {
            name,
            count: Some(Count {
                entries: 12_345,
                is_exact: false,
            }),
            bytes: 5 << 30,
            signers: Signers {
                read: 3,
                signed: vec![signer],
                unsigned: 1,
                broken: 1,
            },
            additions: &additions,
        })
    }

    #[test]
    fn every_place_is_filled_in_and_the_same_contents_give_the_same_page() {
        let html = page("k51", "hello-2.12.1", "(public-key)");
        assert_eq!(html, page("k51", "hello-2.12.1", "(public-key)"));
        assert!(!html.contains("{{") && !html.contains("}}"), "{html}");
        for part in [
            "/ipns/k51",
            "about 12,345",
            "5.0 GiB",
            "2026-11-27",
            "1.5 KiB",
            "href=\"21q7lx382p28sibkw2l721ybjxymkh1a.narinfo\"",
            "have no signature",
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[test]
    fn a_page_is_never_larger_than_the_room_left_for_it() {
        let name = "x".repeat(211);
        let additions: Vec<Addition> = (0..50).map(|at| addition(&name, at, at)).collect();
        let html = html(&Contents {
            name: "k51",
            count: None,
            bytes: 0,
            signers: Signers::default(),
            additions: &additions,
        });
        let bytes = html.len() as u64;
        assert!((40 << 10..MOST_PAGE_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn hostile_text_makes_no_tag_and_ends_no_attribute() {
        let plain = page("k51", "x", "(public-key)");
        let count = |html: &str, part: &str| html.matches(part).count();
        for hostile in [
            "</td><script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' autofocus onfocus='alert(1)",
            "{{script}}",
            "--><svg onload=alert(1)>",
        ] {
            let html = page(hostile, hostile, hostile);
            assert_eq!(count(&html, "<"), count(&plain, "<"), "{hostile}");
            assert_eq!(count(&html, "\""), count(&plain, "\""), "{hostile}");
            assert_eq!(count(&html, "'"), count(&plain, "'"), "{hostile}");
            assert_eq!(count(&html, "\"use strict\""), 1, "{hostile}");
        }
    }

    #[test]
    fn the_policy_allows_the_style_and_the_script_that_stand_in_the_page() {
        let html = page("k51", "x", "(public-key)");
        for (tag, text) in [("style", STYLE), ("script", SCRIPT)] {
            let (_, rest) = html.split_once(&format!("<{tag}>")).unwrap();
            let (inside, _) = rest.split_once(&format!("</{tag}>")).unwrap();
            assert_eq!(inside, text);
            assert_eq!(inside, inside.trim());
            assert!(html.contains(&format!("{tag}-src '{}'", policy_hash(inside))));
        }
        for elsewhere in ["src=\"http", "url(http", "@import", "import("] {
            assert!(!html.contains(elsewhere), "{elsewhere}");
        }
    }
}
