//! Bars beside each other, as SVG: one for each way of doing the same.

use std::fmt::Write;

const LEFT: f64 = 300.0;
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 20.0;

/// A plot of seconds, or of another unit.
pub struct Bars {
    title: String,
    show: fn(f64) -> String,
    bars: Vec<(String, f64, bool)>,
}

impl Bars {
    pub fn new(title: &str) -> Self {
        Self::showing(title, crate::table::seconds)
    }

    /// A plot of values that `show` writes.
    pub fn showing(title: &str, show: fn(f64) -> String) -> Self {
        Self {
            title: title.to_owned(),
            show,
            bars: Vec::new(),
        }
    }

    /// A bar of the program.
    pub fn own(&mut self, label: impl Into<String>, value: f64) {
        self.bars.push((label.into(), value, true));
    }

    /// A bar of something that it is compared with.
    pub fn other(&mut self, label: impl Into<String>, value: Option<f64>) {
        let label = label.into();
        self.bars.extend(value.map(|value| (label, value, false)));
    }

    pub fn svg(&self) -> String {
        let longest = self.bars.iter().map(|bar| bar.1).fold(0.001, f64::max);
        let height = 50.0 + HEIGHT * self.bars.len() as f64;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height:.0}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"760\" height=\"{height:.0}\" fill=\"white\"/>\n\
             <text x=\"10\" y=\"22\">{}</text>\n",
            self.title
        );
        for (at, (label, value, is_own)) in self.bars.iter().enumerate() {
            let y = 40.0 + HEIGHT * at as f64;
            let width = (value / longest * WIDTH).max(1.0);
            let colour = if *is_own { "#1b6ca8" } else { "#999999" };
            let shown = (self.show)(*value);
            let _ = writeln!(
                out,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{label}</text>\n\
                 <rect x=\"{LEFT:.0}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{:.0}\" \
                 fill=\"{colour}\"/>\n<text x=\"{:.0}\" y=\"{:.0}\">{shown}</text>",
                LEFT - 6.0,
                y + 12.0,
                HEIGHT - 6.0,
                LEFT + width + 6.0,
                y + 12.0,
            );
        }
        out + "</svg>\n"
    }
}
