//! The benchmark of `scripts/bench`. Every figure is a median of runs in one process,
//! and stands beside the one it is compared with: the machine is noisy, ratios are
//! less so.

#[allow(dead_code, unused_macros, unused_imports)]
#[path = "../../tests/commands/support/mod.rs"]
mod support;

mod answer;
mod bars;
mod beside;
mod blocks;
mod delta;
mod distant;
mod encoding;
mod everything;
mod export;
mod farm;
mod fetched;
mod first_sync;
mod floor;
mod folder_nar;
mod large_nar;
mod measure;
mod mirror_of;
mod peers;
mod plot;
mod real_nars;
mod rebuild;
mod results;
mod table;
mod year;

use answer::Answer;

/// A question by its name, and the way to answer it for mirrors of up to so many items.
type Question = (&'static str, fn(u64) -> Answer);

/// In the order of their letters in the results.
const QUESTIONS: [Question; 7] = [
    ("beside", beside::run),
    ("first-sync", |largest| {
        first_sync::run((largest / 10).clamp(100, 10_000))
    }),
    ("large-nar", |largest| {
        large_nar::run(if largest < 100_000 { 64 << 20 } else { 1 << 30 })
    }),
    ("distant", |_| distant::run()),
    ("everything", everything::run),
    ("real-nars", |_| real_nars::run()),
    ("delta", |largest| match largest < 100_000 {
        true => delta::run(40, 6, 32 << 20),
        false => delta::run(200, 30, 256 << 20),
    }),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let largest = arguments.iter().find_map(|argument| argument.parse().ok());
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let is_part = QUESTIONS.iter().any(|(name, _)| named(name));
    let before = results::load();
    let mut answers = Vec::new();
    for (name, ask) in QUESTIONS {
        if !is_part || named(name) {
            answers.push(ask(largest.unwrap_or(1_000_000)));
        }
    }
    let text = results::text(&answers, &before);
    println!("{text}");
    if !is_part && largest.is_none() {
        results::keep(&answers, &text);
    }
}
