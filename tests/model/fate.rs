//! The fate of builds and their items, as it is decided when a build begins.

use crate::item::{DAY, Fault, Item, ItemId, Minute, NEVER};
use crate::random::Random;

/// The first items, which are there from the beginning and without a fault.
pub const CORE: usize = 30;

/// The life of a build, and the moment of its success, if it comes.
pub fn events(random: &mut Random, begun: Minute) -> (Vec<(Minute, i8)>, Option<Minute>) {
    let mut events = vec![(begun, -2)];
    let running = begun + random.between(1, 60);
    events.push((running, -1));
    let late = match random.chance(40) {
        true => random.between(3 * 60, 36 * 60),
        false => 0,
    };
    let end = running + random.between(1, 120) + late;
    let status = match random.between(0, 100) {
        0..84 => 0,
        84..91 => 1,
        91..94 => 2,
        94..95 => 3,
        95..98 => 4,
        // It runs until it is forgotten.
        _ => return (events, None),
    };
    events.push((end, status));
    if status == 0 {
        return (events, Some(end));
    }
    if !random.chance(400) {
        return (events, None);
    }
    let restarted = end + random.between(10, 2 * DAY);
    let again = restarted + random.between(1, 120);
    events.extend([(restarted, -1), (again, 0)]);
    (events, Some(again))
}

/// The moment of a narinfo.
pub fn baked(random: &mut Random, succeeded: Option<Minute>) -> Minute {
    let Some(succeeded) = succeeded else {
        return NEVER;
    };
    match random.between(0, 1000) {
        0..600 => succeeded,
        600..880 => succeeded + random.between(1, 60),
        880..970 => succeeded + random.between(60, 12 * 60),
        970..990 => succeeded + random.between(12 * 60, 4 * DAY),
        _ => NEVER,
    }
}

/// The fault of a nar. A run tries a broken transfer again after some seconds, so
/// there are few of those, and for hours only.
pub fn fault(random: &mut Random, from: Minute) -> Fault {
    let soon = from + random.between(60, 6 * 60);
    let end = from + random.between(60, 2 * DAY);
    match random.between(0, 10_000) {
        0..10 => Fault::CutOnce,
        10..12 => Fault::Cut(soon),
        12..14 => Fault::Html(soon),
        14..60 => Fault::Lost(end),
        60..110 => Fault::Wrong(end),
        110..130 => Fault::Wrong(NEVER),
        _ => Fault::None,
    }
}

/// References to older items, not too deep: else a few items that never come would
/// keep all others waiting.
pub fn references(random: &mut Random, items: &[Item]) -> Vec<ItemId> {
    let mut references = Vec::new();
    let count = match random.between(0, 10) {
        0..5 => 0,
        5..8 => 1,
        _ => random.between(2, 4),
    };
    for _ in 0..count {
        let id = match random.chance(500) {
            true => random.between(0, CORE as u64) as ItemId,
            false => {
                let recent = items.len().saturating_sub(300) as u64;
                random.between(recent, items.len() as u64) as ItemId
            }
        };
        if items[id].depth < 3 && !references.contains(&id) {
            references.push(id);
        }
    }
    references
}
