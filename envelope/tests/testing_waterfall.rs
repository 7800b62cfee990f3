//! The waterfall in the terminal, as golden text.
#![cfg(feature = "testing")]

mod testing_sample;

use opentelemetry::trace::SpanKind;
use testing_sample::{TRACE, data, many, sample};
use traced_envelope::testing::{CapturedSpan, Colour, Forest};

fn plain(forest: &Forest) -> String {
    forest.waterfall().colour(Colour::Never).to_string()
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

#[test]
fn a_trace_through_two_queues_is_drawn() {
    let confirmed = |span: &CapturedSpan| (span.kind() == SpanKind::Producer).then(|| "confirmed".to_owned());
    let picture = sample().waterfall().colour(Colour::Never).note(confirmed).to_string();
    let expected = "\
trace 4bf92f3577b34da6a3ce929d0e0e4736                 48.1 ms   3 services, 3 broker hops, 0 broken
shop       POST /orders                       ██████████████████  48.1 ms
shop       └─ publish orders:order.created    █·················   2.3 ms  confirmed
warehouse     ├─ process orders:order.cr…  ✗  ·░███·············   8.4 ms  out of stock, attempt 1,…
warehouse     │  └─ reserve stock  ✗          ···█··············   4.1 ms  out of stock
warehouse     └─ process orders:order.creat…  ·░░░░░░░█████·····  12.0 ms  attempt 2
warehouse        ├─ reserve stock             ········██········   4.1 ms
warehouse        └─ publish shipments         ··········█·······   2.3 ms  confirmed
mailer              └─ process shipments      ···········░████··  12.3 ms  attempt 1, waited 2.4 ms
mailer                 ├─ send mail           ············████··  10.2 ms
mailer                 └─ mark sent           ················▏·     0 µs

trace 9e0710c55d1a4b0e8b526a3f77aa0001                  12.5 ms   1 service, 2 broker hops, 0 broken
reports    process shipments (batch)          ██████████████████  12.5 ms
           ⇢ links publish shipments (trace 4bf92f35…)
           ⇢ links publish orders:order.created (trace 4bf92f35…)
reports    └─ INSERT daily_totals             ····███████████···   7.6 ms
";
    assert_eq!(picture, expected, "drawn:\n{picture}");
}

#[test]
fn what_the_caller_notes_comes_first() {
    let forest = sample();
    let text = forest.waterfall().colour(Colour::Never).width(200).note(|_| Some("seen".to_owned())).to_string();
    assert!(text.contains("  seen, out of stock, attempt 1, waited 2.8 ms\n"), "{text}");
    let svg = forest.waterfall().note(|_| Some("seen".to_owned())).to_svg();
    assert!(svg.contains(">seen, out of stock, attempt 1, "), "{svg}");
}

#[test]
fn no_spans_are_said_to_be_none() {
    assert_eq!(plain(&Forest::new([])), "no spans\n");
    assert!(Forest::new([]).to_svg().contains(">no spans</text>"));
}

#[test]
fn colours_are_sequences_around_the_same_text() {
    let coloured = sample().waterfall().colour(Colour::Always).to_string();
    assert!(coloured.contains("\u{1b}[34mshop     \u{1b}[0m"), "{coloured}");
    assert!(coloured.contains("\u{1b}[31m"), "errors are red");
    let mut text = String::new();
    for (index, part) in coloured.split("\u{1b}[").enumerate() {
        text.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    let trimmed: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    assert_eq!(trimmed, plain(&sample()));
}

#[test]
fn every_width_is_kept() {
    for width in [60, 80, 100, 140, 200] {
        let text = sample().waterfall().colour(Colour::Never).width(width).to_string();
        assert!(widest(&text) <= width.max(99), "{width}:\n{text}");
    }
    // The header alone needs 99.
    let rows = sample().waterfall().colour(Colour::Never).width(60).to_string();
    let rows: Vec<_> = rows.lines().filter(|line| !line.starts_with("trace")).collect();
    assert!(widest(&rows.join("\n")) <= 60);
}

#[test]
fn deep_trees_and_long_names_keep_to_the_width() {
    let forest = many(200, "a name that goes on and on, as generated names do, until nobody reads it to its very end");
    let text = plain(&forest);
    assert_eq!(text.lines().count(), 201);
    assert!(widest(&text) <= 100, "{text}");
    assert!(text.lines().last().unwrap().contains("└─ a name"), "{text}");
}

#[test]
fn what_takes_no_time_is_still_seen() {
    let spans = [data((TRACE, 1, 0), "at once", SpanKind::Internal, [5, 5])];
    let forest = Forest::new(spans.map(|data| CapturedSpan::new("shop", data)));
    assert!(plain(&forest).contains("at once  ▏····"), "{}", plain(&forest));
    assert!(forest.to_svg().contains("width=\"2.0\""));
}
