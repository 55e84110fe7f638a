//! Prints a made-up status in one of its forms: `cargo run --example status_page html >page.html`.

fn main() {
    let format = std::env::args().nth(1).unwrap_or_default();
    match resin_host::status_sample::page(&format) {
        Some(page) => print!("{page}"),
        None => eprintln!("usage: status_page html|json|openmetrics|prometheus|text"),
    }
}
