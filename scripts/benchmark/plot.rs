//! A plot with logarithmic axes, as SVG.

use std::fmt::Write;

/// The ends of the axes, in a picture of 760 by 400.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 500.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 350.0;

const COLOURS: [&str; 8] = [
    "#1b6ca8", "#7fb3d5", "#999999", "#cccccc", "#c0392b", "#e59866", "#1e8449", "#8e44ad",
];

pub struct Plot {
    title: String,
    x: String,
    y: String,
    pub lines: Vec<Series>,
}

/// One way of doing it, at several sizes.
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Series {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            points: Vec::new(),
        }
    }

    pub fn push(&mut self, x: u64, y: Option<f64>) {
        self.points.extend(y.map(|y| (x as f64, y)));
    }
}

impl Plot {
    pub fn new(title: &str, x: &str, y: &str) -> Self {
        Self {
            title: title.to_owned(),
            x: x.to_owned(),
            y: y.to_owned(),
            lines: Vec::new(),
        }
    }

    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let (low_x, high_x) = decades(points().map(|point| point.0));
        let (low_y, high_y) = decades(points().map(|point| point.1));
        let at_x = |x: f64| LEFT + (x.log10() - low_x) / (high_x - low_x) * (RIGHT - LEFT);
        let at_y = |y: f64| BOTTOM - (y.log10() - low_y) / (high_y - low_y) * (BOTTOM - TOP);
        let mut out = String::from(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 400\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"760\" height=\"400\" fill=\"white\"/>\n",
        );
        let mut text = |x: f64, y: f64, anchor: &str, text: &str| {
            let _ = writeln!(
                out,
                "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>"
            );
        };
        text(LEFT, 22.0, "start", &self.title);
        text((LEFT + RIGHT) / 2.0, BOTTOM + 38.0, "middle", &self.x);
        text(8.0, TOP - 8.0, "start", &self.y);
        let mut rules = String::new();
        for decade in low_x as i32..=high_x as i32 {
            let x = at_x(10f64.powi(decade));
            text(x, BOTTOM + 18.0, "middle", &power(decade));
            rules += &line((x, TOP), (x, BOTTOM));
        }
        for decade in low_y as i32..=high_y as i32 {
            let y = at_y(10f64.powi(decade));
            text(LEFT - 6.0, y + 4.0, "end", &power(decade));
            rules += &line((LEFT, y), (RIGHT, y));
        }
        let drawn = self.lines.iter().filter(|line| !line.points.is_empty());
        let mut curves = String::new();
        for (at, series) in drawn.enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let points: Vec<String> = series
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", at_x(*x), at_y(*y)))
                .collect();
            let _ = writeln!(
                curves,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            );
            for point in &points {
                let (x, y) = point.split_once(',').unwrap_or_default();
                let _ = writeln!(
                    curves,
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.5\" fill=\"{colour}\"/>"
                );
            }
            let y = TOP + 14.0 + 20.0 * at as f64;
            let _ = writeln!(
                curves,
                "<rect x=\"520\" y=\"{:.0}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>",
                y - 6.0
            );
            text(540.0, y, "start", &series.name);
        }
        out + &rules + &curves + "</svg>\n"
    }
}

/// The whole powers of ten around these values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value.log10()), high.max(value.log10()))
    });
    let low = low.floor();
    (low, high.ceil().max(low + 1.0))
}

fn power(decade: i32) -> String {
    match decade {
        ..0 => format!("{:.*}", -decade as usize, 10f64.powi(decade)),
        _ => format!("{}", 10f64.powi(decade)),
    }
}

fn line(from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>\n",
        from.0, from.1, to.0, to.1
    )
}
