//! The structure of `src/`, read from its `use` lines and paths: rooms know only those
//! below them, and no file depends on one that depends on it. And the words of `scripts/test`
//! that leave tests out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each room with the rooms that it may know.
const ROOMS: [(&str, &[&str]); 10] = [
    ("util", &[]),
    ("ipfs", &["util"]),
    ("guix", &["util"]),
    ("node", &["ipfs", "util"]),
    ("publication", &["node", "ipfs", "util"]),
    ("mirror", &["publication", "node", "guix", "ipfs", "util"]),
    ("gateway", &["node", "ipfs", "util"]),
    (
        "report",
        &["mirror", "publication", "node", "guix", "ipfs", "util"],
    ),
    (
        "cli",
        &["mirror", "publication", "node", "guix", "ipfs", "util"],
    ),
    (
        "commands",
        &[
            "cli",
            "report",
            "gateway",
            "mirror",
            "publication",
            "node",
            "guix",
            "ipfs",
            "util",
        ],
    ),
];

/// The rooms within `node` that do not know each other.
const BACK_ENDS: [&str; 2] = ["kubo", "local"];

/// Words and the places that may use them: a room, a folder or a file.
const WORDS: [(&str, &[&str]); 11] = [
    ("clap", &["cli/", "commands/"]),
    ("/api/v0", &["node/kubo/"]),
    (
        "ureq",
        &[
            "node/kubo/",
            "guix/upstream/",
            "util/url.rs",
            "util/resolver.rs",
        ],
    ),
    ("println!", &[]),
    ("print!(", &[]),
    ("dbg!", &[]),
    ("io::stderr", &["report/"]),
    ("io::stdout", &["report/", "commands/"]),
    ("indicatif", &["report/"]),
    ("console::", &["report/"]),
    ("process::exit", &["cli/", "commands/", "util/stop.rs"]),
];

/// Beginnings that a doc comment does not have: it is a noun or a verb.
const QUESTIONS: [&str; 6] = ["What", "Whether", "Where", "Who", "How", "Why"];

/// A module, by its path below the crate: `node::local::pins`.
type Module = Vec<String>;

type Sources = BTreeMap<Module, Source>;

/// A file below `src/`.
struct Source {
    /// Its path, `node/local/pins.rs`.
    file: String,
    /// Its code without comments and tests.
    code: String,
}

/// The Rust files below a folder of the project, by their paths in it.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut open = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let file = path.strip_prefix(&root).unwrap().to_str().unwrap();
            files.push((file.to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

/// All files of `src` but `main.rs`, `lib.rs` and those of tests.
fn sources() -> Sources {
    let sources = sources_of(files("src"));
    assert!(sources.len() > 60, "{}", sources.len());
    sources
}

fn sources_of(files: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Sources {
    let mut sources = Sources::new();
    for (file, whole) in files {
        let (file, whole) = (file.into(), whole.into());
        let is_left_out = matches!(file.as_str(), "lib.rs" | "main.rs");
        let Some(name) = file.strip_suffix(".rs").filter(|_| !is_left_out) else {
            continue;
        };
        if name.ends_with("tests") {
            continue;
        }
        let module = name.strip_suffix("/mod").unwrap_or(name);
        let module = module.split('/').map(str::to_owned).collect();
        let code = code_of(&whole);
        sources.insert(module, Source { file, code });
    }
    sources
}

/// Drops comments and everything under `#[cfg(test)]`.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            let indent = &line[..line.len() - line.trim_start().len()];
            let item = lines
                .by_ref()
                .find(|line| !line.trim_start().starts_with("#["));
            if item.is_some_and(|item| item.ends_with('{')) {
                let end = format!("{indent}}}");
                lines.by_ref().find(|line| line.starts_with(&end));
            }
            continue;
        }
        // Not within a string, such as a URL.
        let is_comment = |at: &usize| line[..*at].matches('"').count() % 2 == 0;
        let mut slashes = line.match_indices("//").map(|(at, _)| at);
        let end = slashes.find(is_comment).unwrap_or(line.len());
        code.push_str(&line[..end]);
        code.push('\n');
    }
    code
}

/// Every path in the code that begins with `crate::`, `super::` or `self::`, with the
/// groups of `use` lines taken apart.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            // `pub(in super::super)` names a part of the tree.
            if !is_word && !text[..at].ends_with("(in ") {
                expand(&text[at..], Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path at the beginning of `text`; returns the rest.
fn expand<'t>(mut text: &'t str, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> &'t str {
    loop {
        text = text.trim_start();
        if let Some(group) = text.strip_prefix('{') {
            let mut rest = group;
            loop {
                rest = expand(rest, path.clone(), found).trim_start();
                match rest.strip_prefix(',') {
                    Some(next) if !next.trim_start().starts_with('}') => rest = next,
                    Some(next) => return next.trim_start().strip_prefix('}').unwrap(),
                    None => return rest.strip_prefix('}').unwrap_or(rest),
                }
            }
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        match rest.strip_prefix("::") {
            Some(rest) if !rest.starts_with('<') => text = rest,
            _ => {
                found.push(path);
                return rest.strip_prefix(" as ").map_or(rest, |rest| {
                    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                    &rest[end.unwrap_or(rest.len())..]
                });
            }
        }
    }
}

/// The modules that a module depends on, each the one that defines the thing. One that
/// only re-exports depends on all of those, for whoever names it and nothing within.
fn dependencies(module: &Module, sources: &Sources) -> BTreeSet<Module> {
    let source = &sources[module];
    let mut paths = paths(&source.code);
    paths.extend(exports(&source.code).into_iter().map(from_here));
    let modules = paths.iter();
    modules
        .filter_map(|path| defining(module, path, sources))
        .filter(|other| other != module)
        .collect()
}

/// The paths of all `pub use` lines.
fn exports(code: &str) -> Vec<Vec<String>> {
    let mut exports = Vec::new();
    for (at, _) in code.match_indices("pub use ") {
        expand(&code[at + "pub use ".len()..], Vec::new(), &mut exports);
    }
    exports
}

/// The path of an export, which may begin with a module below the one that it is in.
fn from_here(export: Vec<String>) -> Vec<String> {
    match export[0].as_str() {
        "crate" | "super" | "self" => export,
        _ => [vec!["self".to_owned()], export].concat(),
    }
}

/// Follows a path from a module, through re-exports, to the module that defines it.
fn defining(from: &Module, path: &[String], sources: &Sources) -> Option<Module> {
    let mut at = from.clone();
    let mut names = path.iter();
    let mut name = names.next()?;
    match name.as_str() {
        "crate" => at = Vec::new(),
        "self" => {}
        "super" => drop(at.pop()),
        _ => return None,
    }
    loop {
        let Some(next) = names.next() else {
            return sources.contains_key(&at).then_some(at);
        };
        name = next;
        if name == "super" {
            at.pop();
            continue;
        }
        let mut below = at.clone();
        below.push(name.clone());
        if sources.contains_key(&below) {
            at = below;
            continue;
        }
        let source = sources.get(&at)?;
        let mut exports = exports(&source.code).into_iter();
        let export = exports.find(|export| export.last() == Some(name) && export.len() > 1);
        return match export {
            None => Some(at),
            Some(export) => defining(&at, &from_here(export), sources),
        };
    }
}

fn shown(module: &Module) -> String {
    module.join("::")
}

/// Each use of a room by one that must not know it.
fn forbidden_uses(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for module in sources.keys() {
        let (_, allowed) = ROOMS
            .iter()
            .find(|(room, _)| *room == module[0])
            .unwrap_or_else(|| panic!("{} is in a room that has no rule", shown(module)));
        for other in dependencies(module, sources) {
            let is_allowed = other[0] == module[0] || allowed.contains(&other[0].as_str());
            if !is_allowed || are_two_back_ends(module, &other) {
                faults.push(format!("{} uses {}", shown(module), shown(&other)));
            }
        }
    }
    faults
}

fn are_two_back_ends(module: &Module, other: &Module) -> bool {
    let back_end = |module: &Module| match module.as_slice() {
        [node, name, ..] if node == "node" => {
            BACK_ENDS.into_iter().find(|back_end| back_end == name)
        }
        _ => None,
    };
    let (one, two) = (back_end(module), back_end(other));
    one.is_some() && two.is_some() && one != two
}

/// The first circle of modules, each of which depends on the next.
fn circle(sources: &Sources) -> Option<String> {
    let modules = sources.keys();
    let graph: Graph = modules
        .map(|module| (module, dependencies(module, sources)))
        .collect();
    let mut done = BTreeSet::new();
    let mut modules = sources.keys();
    let circle = modules.find_map(|module| circle_from(module, &graph, &mut Vec::new(), &mut done));
    circle.map(|circle| circle.iter().map(shown).collect::<Vec<_>>().join(" -> "))
}

type Graph<'m> = BTreeMap<&'m Module, BTreeSet<Module>>;

fn circle_from(
    module: &Module,
    graph: &Graph,
    way: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(at) = way.iter().position(|other| other == module) {
        return Some([&way[at..], std::slice::from_ref(module)].concat());
    }
    if !done.insert(module.clone()) {
        return None;
    }
    way.push(module.clone());
    let mut next = graph[module].iter();
    let circle = next.find_map(|next| circle_from(next, graph, way, done));
    way.pop();
    circle
}

/// Each use of a word in a place that must not know it.
fn forbidden_words(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for Source { file, code, .. } in sources.values() {
        for (word, places) in WORDS {
            let is_allowed = places.iter().any(|place| file.starts_with(place));
            if code.contains(word) && !is_allowed {
                faults.push(format!("{file} has {word}"));
            }
        }
    }
    faults
}

/// Each doc comment that begins like a question.
fn questions(files: &[(String, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, whole) in files {
        let mut is_inside = false;
        for (number, line) in whole.lines().enumerate() {
            let line = line.trim_start();
            let comment = line.strip_prefix("///").or(line.strip_prefix("//!"));
            let word = comment.and_then(|comment| comment.split_whitespace().next());
            if !is_inside && word.is_some_and(|word| QUESTIONS.contains(&word)) {
                faults.push(format!("{file}:{}: {line}", number + 1));
            }
            is_inside = comment.is_some();
        }
    }
    faults
}

#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_room_knows_only_the_rooms_below_it() {
    let sources = sources();
    let modules = sources.keys();
    let uses: usize = modules
        .map(|module| dependencies(module, &sources).len())
        .sum();
    assert!(uses > 400, "only {uses} uses are read");
    none(forbidden_uses(&sources));
}

#[test]
fn no_file_depends_on_one_that_depends_on_it() {
    assert_eq!(circle(&sources()), None);
}

#[test]
fn words_stay_in_the_rooms_that_they_belong_to() {
    none(forbidden_words(&sources()));
}

#[test]
fn a_doc_comment_begins_with_a_noun_or_a_verb() {
    for folder in ["src", "tests", "scripts"] {
        none(questions(&files(folder)));
    }
}

/// The tests that need a program and that `scripts/test` would run without it.
fn run_without_their_program(script: &str, files: &[(String, String)]) -> Vec<String> {
    let list = script.split_once("for needed in ").unwrap().1;
    let list = list.split_once(';').unwrap().0.split(' ');
    let parts: BTreeMap<&str, &str> = list.filter_map(|entry| entry.split_once(':')).collect();
    let mut faults = Vec::new();
    for (file, text) in files {
        for (_, test) in text
            .match_indices("#[ignore = \"needs ")
            .map(|at| text.split_at(at.0))
        {
            let words: Vec<&str> = test.split([' ', ',', ':', '"', '(']).collect();
            let program = words[4];
            let name = words
                .iter()
                .position(|word| word.ends_with("fn"))
                .map(|at| words[at + 1]);
            let name = name.unwrap_or_default();
            let is_left_out =
                |part: &&str| name.contains(*part) || text.contains(&format!("mod {part}"));
            // Kubo is looked for by itself, and a macro names no test.
            let is_other = program == "a" || name.starts_with('$');
            if !is_other && !parts.get(program).is_some_and(is_left_out) {
                faults.push(format!("{file}: {name} needs {program}"));
            }
        }
    }
    faults
}

#[test]
fn a_test_that_needs_a_program_is_left_out_where_that_is_missing() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/test");
    let script = fs::read_to_string(script).unwrap();
    none(run_without_their_program(&script, &files("tests")));
    let test = "#[test]\n#[ignore = \"needs promtool on PATH\"]\nfn another() {}";
    let faults = run_without_their_program(&script, &[("a.rs".to_owned(), test.to_owned())]);
    assert_eq!(faults, ["a.rs: another needs promtool"]);
}

#[test]
fn a_path_leads_to_the_file_that_defines_it() {
    let sources = sources();
    let module = |path: &str| -> Module { path.split("::").map(str::to_owned).collect() };
    for (from, path, to) in [
        ("mirror::sync", "crate::node::Node", "node::contract"),
        ("mirror::sync", "super::plan::Plan", "mirror::plan"),
        ("commands::run", "crate::mirror::Failure", "mirror::failure"),
        (
            "publication::stage",
            "super::graft::Engine",
            "publication::graft::engine",
        ),
        (
            "gateway::handler",
            "crate::ipfs::directory::DirectoryNode",
            "ipfs::directory::node",
        ),
    ] {
        let found = defining(&module(from), &module(path), &sources);
        assert_eq!(found.as_ref().map(shown).as_deref(), Some(to), "{path}");
    }
}

#[test]
fn a_circle_is_found_through_re_exports_and_named() {
    let mut files = vec![
        (
            "node/mod.rs",
            "mod a;\nmod b;\nmod c;\npub use a::{A, Other};\npub use b::B;",
        ),
        ("node/a.rs", "use crate::node::B;"),
        (
            "node/b.rs",
            "use crate::util::x; // super::c\nlet url = \"http://x\"; use super::{c::{self, C as D}};",
        ),
        ("node/c.rs", "pub struct C;"),
        ("util/x.rs", ""),
    ];
    assert_eq!(circle(&sources_of(files.clone())), None);
    files[3].1 = "fn f(_: super::A) {}";
    let named = "node::a -> node::b -> node::c -> node::a";
    assert_eq!(circle(&sources_of(files.clone())).as_deref(), Some(named));
    files[3].1 = "#[cfg(test)]\nmod tests {\n    use super::super::A;\n}";
    assert_eq!(circle(&sources_of(files)), None);
    // A folder that is named as a whole stands for all that it exports.
    let files = [
        ("node/graft/mod.rs", "mod engine;\npub use engine::graft;"),
        ("node/graft/engine.rs", "use super::super::commit::Commit;"),
        ("node/commit.rs", "use super::graft;"),
    ];
    let named = "node::commit -> node::graft -> node::graft::engine -> node::commit";
    assert_eq!(circle(&sources_of(files)).as_deref(), Some(named));
}

#[test]
fn a_use_a_word_or_a_question_in_the_wrong_place_is_named() {
    let files = [
        ("node/mod.rs", "pub mod kubo;\npub mod local;"),
        ("node/kubo/mod.rs", "mod call;"),
        ("node/kubo/call.rs", "let url = \"/api/v0/id\"; // println!"),
        (
            "node/local/pins.rs",
            "/// Who keeps it,\n/// and whether.\nuse super::super::kubo::call::Rpc;",
        ),
        (
            "mirror/sync.rs",
            "//! Items.\nprintln!(\"{}/api/v0\", crate::report::text());",
        ),
        ("report/text.rs", "/// A text.\n/// What it says."),
        ("report/mod.rs", "mod text;\npub use text::text;"),
    ];
    let files = files.map(|(file, text)| (file.to_owned(), text.to_owned()));
    let sources = sources_of(files.clone());
    assert_eq!(
        forbidden_uses(&sources),
        [
            "mirror::sync uses report::text",
            "node::local::pins uses node::kubo::call"
        ]
    );
    let words = ["mirror/sync.rs has /api/v0", "mirror/sync.rs has println!"];
    assert_eq!(forbidden_words(&sources), words);
    let question = "node/local/pins.rs:1: /// Who keeps it,";
    assert_eq!(questions(&files), [question]);
}
