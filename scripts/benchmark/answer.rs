//! The answer to one question of the benchmark: its tables, its plot and its targets.

use crate::table::Table;
use std::fmt::Write;

/// The figures of one question.
pub struct Answer {
    /// Its name on the command line, and that of its plot's file.
    pub name: &'static str,
    pub tables: Vec<Table>,
    /// As SVG.
    pub plot: String,
    pub targets: Vec<Target>,
}

/// A figure beside the most or the least that it should be.
pub struct Target {
    figure: String,
    measured: f64,
    limit: f64,
    unit: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    AtMost,
    AtLeast,
}

impl Target {
    pub fn at_most(
        figure: impl Into<String>,
        measured: f64,
        limit: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            figure: figure.into(),
            measured,
            limit,
            unit,
            bound: Bound::AtMost,
        }
    }

    pub fn at_least(
        figure: impl Into<String>,
        measured: f64,
        limit: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            bound: Bound::AtLeast,
            ..Self::at_most(figure, measured, limit, unit)
        }
    }
}

/// The targets as a table in Markdown.
pub fn summary<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> String {
    let mut text = String::from("| on Kubo | measured | target | |\n| --- | --- | --- | --- |\n");
    for target in answers.into_iter().flat_map(|answer| &answer.targets) {
        let Target {
            figure,
            measured,
            limit,
            unit,
            bound,
        } = target;
        let (sign, is_met) = match bound {
            Bound::AtMost => ("≤", measured <= limit),
            Bound::AtLeast => ("≥", measured >= limit),
        };
        let met = if is_met { "met" } else { "not met" };
        let measured = short(*measured);
        let limit = short(*limit);
        let _ = writeln!(
            text,
            "| {figure} | {measured}{unit} | {sign} {limit}{unit} | {met} |"
        );
    }
    text
}

fn short(number: f64) -> String {
    match number {
        small if small < 0.01 => format!("{small:.4}"),
        small if small < 10.0 => format!("{small:.2}"),
        large => format!("{large:.0}"),
    }
}
