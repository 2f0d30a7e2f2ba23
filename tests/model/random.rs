//! Random numbers that a seed repeats: splitmix64 (Steele, Lea and Flood, 2014).

/// A generator.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a part of the work, so that a change there does not
    /// change all that comes after it.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high - 1`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// Returns true so many times in a thousand.
    pub fn chance(&mut self, in_a_thousand: u64) -> bool {
        self.between(0, 1000) < in_a_thousand
    }

    /// An element, unless there is none.
    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        match of.len() {
            0 => None,
            length => of.get(self.between(0, length as u64) as usize),
        }
    }
}
