//! Nars with the look of real packages: programs, libraries and texts that compress as
//! real ones do, and that a rebuild changes as it does those.

use sha2::{Digest, Sha256};

/// A package of one nar.
#[derive(Clone)]
pub struct Package {
    files: Vec<(String, Content)>,
}

#[derive(Clone)]
struct Content {
    kind: Kind,
    seed: u64,
    bytes: usize,
    /// Another part of it than of the first version, in percent of its bytes.
    updated: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    /// An ELF file, with four store paths of its dependencies.
    Program,
    /// Text without any.
    Text,
    /// Text with one in its first line.
    Script,
}

impl Package {
    /// A package without files.
    pub fn new() -> Self {
        Self { files: Vec::new() }
    }

    /// The same with a program of so many bytes.
    pub fn program(self, seed: u64, bytes: usize) -> Self {
        self.with(Kind::Program, seed, bytes)
    }

    /// The same with a text.
    pub fn text(self, seed: u64, bytes: usize) -> Self {
        self.with(Kind::Text, seed, bytes)
    }

    /// The same with a script.
    pub fn script(self, seed: u64, bytes: usize) -> Self {
        self.with(Kind::Script, seed, bytes)
    }

    fn with(mut self, kind: Kind, seed: u64, bytes: usize) -> Self {
        let name = format!("file-{:03}", self.files.len());
        let content = Content {
            kind,
            seed,
            bytes,
            updated: 0,
        };
        self.files.push((name, content));
        self
    }

    /// Its next version: every third file has so many percent of new content.
    pub fn updated(mut self, percent: u64) -> Self {
        for (_, content) in self.files.iter_mut().step_by(3) {
            content.updated = percent;
        }
        self
    }

    /// Its nar where it was built with these dependencies.
    pub fn nar(&self, dependencies: u64) -> Vec<u8> {
        let mut nar = Vec::new();
        string(&mut nar, b"nix-archive-1");
        strings(&mut nar, &["(", "type", "directory"]);
        for (name, content) in &self.files {
            strings(&mut nar, &["entry", "(", "name", name, "node", "("]);
            strings(&mut nar, &["type", "regular", "contents"]);
            string(&mut nar, &content.bytes(dependencies));
            strings(&mut nar, &[")", ")"]);
        }
        string(&mut nar, b")");
        nar
    }
}

fn strings(nar: &mut Vec<u8>, strings: &[&str]) {
    strings.iter().for_each(|it| string(nar, it.as_bytes()));
}

/// Appends a string as a nar spells it.
fn string(nar: &mut Vec<u8>, bytes: &[u8]) {
    nar.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    nar.extend_from_slice(bytes);
    nar.resize(nar.len().next_multiple_of(8), 0);
}

impl Content {
    fn bytes(&self, dependencies: u64) -> Vec<u8> {
        let mut bytes = self.without_paths();
        let mut put = |at: usize, number: u64| {
            let path = store_path(dependencies, number);
            bytes[at..at + path.len()].copy_from_slice(path.as_bytes());
        };
        match self.kind {
            Kind::Text => {}
            Kind::Script => put(2, 0),
            // The search path of its libraries near the beginning, and two folders of data
            // among its constants.
            Kind::Program => {
                put(1000, 0);
                put(1100, 1);
                put(self.bytes * 3 / 4, 2);
                put(self.bytes * 3 / 4 + 5000, 3);
            }
        }
        bytes
    }

    fn without_paths(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes + 64);
        let mut old = Random(self.seed);
        let mut new = Random(self.seed + 1_000_000);
        while bytes.len() < self.bytes {
            // At two places of the file.
            let percent = (bytes.len() * 100 / self.bytes) as u64;
            let random = match percent % 50 < self.updated / 2 {
                true => &mut new,
                false => &mut old,
            };
            match self.kind {
                Kind::Program => instruction(&mut bytes, random),
                Kind::Text | Kind::Script => word(&mut bytes, random),
            }
        }
        bytes.truncate(self.bytes);
        bytes
    }
}

/// A dependency as another build of it has it.
fn store_path(dependencies: u64, number: u64) -> String {
    let digest = Sha256::digest([dependencies.to_be_bytes(), number.to_be_bytes()].concat());
    let digits =
        digest.map(|byte| char::from(b"0123456789abcdfghijklmnpqrsvwxyz"[usize::from(byte % 32)]));
    let hash: String = digits.into_iter().collect();
    format!("/gnu/store/{hash}-dependency/lib")
}

/// Knuth's MMIX generator: the content is the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A number below `end`; small ones come far more often.
    fn rank(&mut self, end: u64) -> u64 {
        let least = (0..3).map(|_| self.next() % end).min();
        least.unwrap_or_default()
    }
}

/// A few bytes of code: one of many operations, and what it is about.
fn instruction(bytes: &mut Vec<u8>, random: &mut Random) {
    let operation = random.rank(600).wrapping_mul(0x9e37_79b9);
    bytes.extend_from_slice(&operation.to_le_bytes()[..3]);
    match random.next() % 4 {
        0 => bytes.extend_from_slice(&(random.next() as u32 % 70_000).to_le_bytes()),
        1 => bytes.push(random.rank(32) as u8 * 8),
        _ => {}
    }
}

/// A word of a few thousand, or the end of a line.
fn word(bytes: &mut Vec<u8>, random: &mut Random) {
    let digest = Sha256::digest(random.rank(4000).to_be_bytes());
    let length = 2 + usize::from(digest[31] % 8);
    bytes.extend(digest[..length].iter().map(|byte| b'a' + byte % 20));
    bytes.extend_from_slice(match random.next() % 9 {
        0 => b"\n    ",
        1 => b"(",
        2 => b" = ",
        _ => b" ",
    });
}
