//! The same numbers as a picture: for each row a bar for each peer, the shorter the better.

use std::fmt::Write;

use crate::report::{Line, Numbers};

const WIDTH: usize = 960;
const BAR: usize = 14;
/// Where bars begin, and how long the longest is.
const LEFT: usize = 110;
const LONGEST: f64 = 700.0;

/// Draws, as SVG.
pub fn draw(numbers: &Numbers) -> String {
    let mut body = String::new();
    let mut y = 30;
    for line in numbers.lines() {
        y = draw_line(&mut body, numbers, line, y);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-weight=\"bold\">What a request costs the whole machine, in \
         instructions (W7: octets of a connection); the line is what resin must not exceed</text>\n\
         {body}</svg>\n"
    )
}

/// Draws a row from `y` on, and says where the next one begins.
fn draw_line(body: &mut String, numbers: &Numbers, line: &Line, mut y: usize) -> usize {
    let value = |peer: &&'static str| Some((*peer, numbers.median(line.name, peer)?));
    let values: Vec<_> = numbers.peers().iter().filter_map(value).collect();
    let most = values
        .iter()
        .map(|&(_, value)| value)
        .max_by(f64::total_cmp);
    let most = most.unwrap_or(1.0).max(line.aim.unwrap_or(1.0)).max(1.0);
    let length = |value: f64| value.max(0.0) / most * LONGEST;
    y += 18;
    // Writing to a String cannot fail.
    let _ = writeln!(
        body,
        "<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{} {}</text>",
        line.name, line.about
    );
    y += 6;
    let top = y;
    for (peer, value) in values {
        let colour = if peer == "resin" {
            "#b5471b"
        } else {
            "#9aa7b5"
        };
        let (base, end) = (y + BAR - 3, LEFT as f64 + length(value));
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{peer}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{base}\">{value:.0}</text>",
            LEFT - 8,
            length(value),
            BAR - 2,
            end + 6.0
        );
        y += BAR;
    }
    if let Some(aim) = line.aim {
        let x = LEFT as f64 + length(aim);
        let _ = writeln!(
            body,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{y}\" stroke=\"#1b6e3c\" stroke-width=\"2\"/>"
        );
    }
    y + 6
}
