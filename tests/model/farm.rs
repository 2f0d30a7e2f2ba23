//! Two build farms and all that happens to them in some weeks, made at once from a
//! seed, so that any moment can be asked for.

use crate::fate::{CORE, baked, events, fault, references};
use crate::item::{DAY, Fault, Item, ItemId, Minute, Plan};
use crate::random::Random;
use std::collections::HashMap;

/// The system that is mirrored.
pub const SYSTEM: &str = "x86_64-linux";
const OTHER_SYSTEMS: [&str; 3] = ["i686-linux", "aarch64-linux", "riscv64-linux"];

/// The builds that the list shows at most.
pub const MOST_LISTED: usize = 1000;

pub struct World {
    pub items: Vec<Item>,
    pub farms: Vec<Farm>,
    pub by_hash: HashMap<String, ItemId>,
    pub by_nar: HashMap<String, ItemId>,
}

pub struct Farm {
    pub order: Order,
    /// In the order in which they were begun.
    builds: Vec<Build>,
    /// The spans in which it refuses connections.
    pub down: Vec<(Minute, Minute)>,
    /// The spans in which it answers everything with 503.
    pub busy: Vec<(Minute, Minute)>,
}

/// The order of the list of builds.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Newest evaluation first: one that ends late is far down.
    Evaluation,
    /// Last to end first, after those that have not ended.
    Finished,
}

struct Build {
    id: usize,
    evaluation: u64,
    system: &'static str,
    outputs: Vec<(&'static str, ItemId)>,
    /// Each status with the moment from which the build has it, the first when it is
    /// listed for the first time.
    events: Vec<(Minute, i8)>,
}

impl World {
    pub fn new(seed: u64, days: u64, builds_a_day: u64) -> Self {
        let mut random = Random::new(seed);
        let mut items = Vec::new();
        for number in 0..CORE {
            let plan = Plan {
                name: format!("core-{number}"),
                references: Vec::new(),
                farm: 0,
                is_elsewhere: false,
                baked: 0,
                fault: Fault::None,
            };
            items.push(Item::make(&mut random, plan, &items));
        }
        let order = |first: bool| match first {
            true => Order::Evaluation,
            false => Order::Finished,
        };
        let first = random.chance(500);
        let mut farms = vec![
            Farm::new(&mut random, order(first), days),
            Farm::new(&mut random, order(!first), days),
        ];
        let mut evaluation = 0;
        let mut now = 0;
        while now < days * DAY {
            evaluation += 1;
            let pause = random.between(60, 480);
            // The second farm is the smaller one.
            let farm = usize::from(random.chance(200));
            for _ in 0..(builds_a_day * pause).div_ceil(DAY) {
                farms[farm].begin(&mut random, evaluation, now, farm, &mut items);
            }
            now += pause;
        }
        let numbered = || items.iter().enumerate();
        Self {
            by_hash: numbered().map(|(id, it)| (it.hash.clone(), id)).collect(),
            by_nar: numbered()
                .map(|(id, it)| (it.nar_path.clone(), id))
                .collect(),
            items,
            farms,
        }
    }

    /// All that these items refer to, themselves included.
    pub fn closure(&self, of: impl IntoIterator<Item = ItemId>) -> Vec<ItemId> {
        let mut open: Vec<ItemId> = of.into_iter().collect();
        let mut closure = std::collections::BTreeSet::new();
        while let Some(id) = open.pop() {
            if closure.insert(id) {
                open.extend(&self.items[id].references);
            }
        }
        closure.into_iter().collect()
    }
}

impl Farm {
    fn new(random: &mut Random, order: Order, days: u64) -> Self {
        // The number of days does not change what happens in the first of them.
        let mut spans = |every: u64, longest: u64| {
            let mut random = random.fork();
            let mut spans = Vec::new();
            let mut at = random.between(DAY, 2 * every * DAY);
            while at < days * DAY {
                let end = at + random.between(10, longest);
                spans.push((at, end));
                at = end + random.between(DAY, 2 * every * DAY);
            }
            spans
        };
        Self {
            order,
            builds: Vec::new(),
            down: spans(8, 10 * 60),
            busy: spans(6, 6 * 60),
        }
    }

    /// Begins a build, and decides how it will end.
    fn begin(
        &mut self,
        random: &mut Random,
        evaluation: u64,
        now: Minute,
        farm: usize,
        items: &mut Vec<Item>,
    ) {
        let begun = now + random.between(0, 10);
        let (events, succeeded) = events(random, begun);
        let system = match random.chance(150) {
            false => SYSTEM,
            true => random.pick(&OTHER_SYSTEMS).unwrap(),
        };
        let mut outputs = Vec::new();
        let names: &[&str] = match random.chance(150) {
            true => &["out", "doc"],
            false => &["out"],
        };
        for output in names {
            let plan = Plan {
                name: format!("job{}-{output}", items.len()),
                references: references(random, items),
                farm,
                is_elsewhere: random.chance(50),
                baked: baked(random, succeeded),
                fault: match succeeded {
                    Some(succeeded) => fault(random, succeeded),
                    None => Fault::None,
                },
            };
            outputs.push((*output, items.len()));
            items.push(Item::make(random, plan, items));
        }
        self.builds.push(Build {
            id: 1000 + self.builds.len(),
            evaluation,
            system,
            outputs,
            events,
        });
    }

    pub fn is_down(&self, now: Minute) -> bool {
        within(&self.down, now)
    }

    pub fn is_busy(&self, now: Minute) -> bool {
        within(&self.busy, now)
    }

    /// The end of the last span before `now` in which it did not serve.
    pub fn last_trouble(&self, now: Minute) -> Minute {
        let spans = self.down.iter().chain(&self.busy);
        let begun = spans.filter(|(start, _)| *start <= now);
        begun.map(|(_, end)| *end).max().unwrap_or(0)
    }

    /// The builds that the list shows, in its order.
    fn listed(&self, now: Minute, system: Option<&str>, count: usize) -> Vec<(&Build, i8)> {
        // Nothing ends more than a week after it began.
        let begun = self.builds.iter().rev();
        let recent = begun
            .skip_while(|build| build.events[0].0 > now)
            .take_while(|build| build.events[0].0 + 10 * DAY > now);
        let mut listed: Vec<(&Build, i8, Minute)> = recent
            .filter(|build| system.is_none_or(|system| system == build.system))
            .filter_map(|build| {
                let (since, status) = build.state(now)?;
                Some((build, status, since))
            })
            .collect();
        match self.order {
            Order::Evaluation => {
                listed.sort_by_key(|(build, ..)| std::cmp::Reverse((build.evaluation, build.id)));
            }
            Order::Finished => listed.sort_by_key(|(build, status, since)| {
                std::cmp::Reverse((*status < 0, *since, build.id))
            }),
        }
        let listed = listed.into_iter().take(count.min(MOST_LISTED));
        listed.map(|(build, status, _)| (build, status)).collect()
    }

    /// The outputs of the successful builds that the longest list shows.
    pub fn successful(&self, now: Minute) -> Vec<ItemId> {
        let listed = self.listed(now, Some(SYSTEM), MOST_LISTED).into_iter();
        let successful = listed.filter(|(_, status)| *status == 0);
        successful
            .flat_map(|(build, _)| build.outputs.iter().map(|(_, id)| *id))
            .collect()
    }

    /// The list as JSON.
    pub fn list(&self, items: &[Item], now: Minute, system: Option<&str>, count: usize) -> String {
        let listed = self.listed(now, system, count).into_iter();
        let builds: Vec<String> = listed
            .map(|(build, status)| build.json(items, status))
            .collect();
        format!("[{}]", builds.join(","))
    }
}

impl Build {
    /// The last status and the moment since when, once it is listed.
    fn state(&self, now: Minute) -> Option<(Minute, i8)> {
        let past = self.events.iter().rev();
        past.copied().find(|(since, _)| *since <= now)
    }

    fn json(&self, items: &[Item], status: i8) -> String {
        let outputs = self.outputs.iter().map(|(name, id)| {
            let path = &items[*id].basename;
            format!("\"{name}\":{{\"path\":\"/gnu/store/{path}\"}}")
        });
        let outputs: Vec<String> = outputs.collect();
        let Self {
            id,
            evaluation,
            system,
            ..
        } = self;
        format!(
            "{{\"id\":{id},\"evaluation\":{evaluation},\"jobset\":\"guix\",\"system\":\"{system}\",\
             \"job\":\"job{id}.{system}\",\"nixname\":\"job{id}\",\"buildstatus\":{status},\
             \"buildoutputs\":{{{}}}}}",
            outputs.join(","),
        )
    }
}

fn within(spans: &[(Minute, Minute)], now: Minute) -> bool {
    spans
        .iter()
        .any(|(start, end)| (*start..*end).contains(&now))
}
