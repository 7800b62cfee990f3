//! The waterfall of made-up spans, as golden text and as SVG.
#![cfg(feature = "testing")]

use std::time::{Duration, SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use traced_envelope::testing::{CapturedSpan, Colour, Forest};

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const NIGHTLY: u128 = 0x9e07_10c5_5d1a_4b0e_8b52_6a3f_77aa_0001;

fn context(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(
        TraceId::from(trace),
        SpanId::from(span),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    )
}

fn data(ids: (u128, u64, u64), name: &'static str, kind: SpanKind, times: [u64; 2]) -> SpanData {
    let at = |micros| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_micros(micros)
    };
    SpanData {
        span_context: context(ids.0, ids.1),
        parent_span_id: SpanId::from(ids.2),
        parent_span_is_remote: false,
        span_kind: kind,
        name: name.into(),
        start_time: at(times[0]),
        end_time: at(times[1]),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("made-up").build(),
    }
}

fn link(mut data: SpanData, trace: u128, span: u64) -> SpanData {
    data.links
        .links
        .push(Link::new(context(trace, span), Vec::new(), 0));
    data
}

fn attempt(mut data: SpanData, attempt: i64) -> SpanData {
    data.attributes
        .push(KeyValue::new("traced.message.attempt", attempt));
    data
}

fn failed(mut data: SpanData, description: &'static str) -> SpanData {
    data.status = Status::error(description);
    data
}

/// An order that passes two queues, fails once, is retried, and is counted by a nightly job in a
/// trace of its own.
fn sample() -> Forest {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let span = |id, parent, name, kind, times| data((TRACE, id, parent), name, kind, times);
    let inventory = |id, times| {
        link(
            span(
                id,
                2,
                "process orders:order.created:inventory",
                Consumer,
                times,
            ),
            TRACE,
            2,
        )
    };
    let shipments = link(
        span(8, 7, "process shipments", Consumer, [31_700, 44_000]),
        TRACE,
        7,
    );
    let nightly = data(
        (NIGHTLY, 11, 0),
        "process shipments (batch)",
        Consumer,
        [60_000, 72_500],
    );
    let spans = [
        ("shop", span(1, 0, "POST /orders", Server, [0, 48_100])),
        (
            "shop",
            span(2, 1, "publish orders:order.created", Producer, [900, 3_200]),
        ),
        (
            "warehouse",
            attempt(failed(inventory(3, [6_000, 14_400]), "out of stock"), 1),
        ),
        (
            "warehouse",
            failed(
                span(4, 3, "reserve stock", Internal, [7_100, 11_200]),
                "out of stock",
            ),
        ),
        ("warehouse", attempt(inventory(5, [22_000, 34_000]), 2)),
        (
            "warehouse",
            span(6, 5, "reserve stock", Internal, [22_400, 26_500]),
        ),
        (
            "warehouse",
            span(7, 5, "publish shipments", Producer, [27_000, 29_300]),
        ),
        ("mailer", attempt(shipments, 1)),
        (
            "mailer",
            span(9, 8, "send mail", Internal, [33_000, 43_200]),
        ),
        (
            "mailer",
            span(10, 8, "mark sent", Internal, [43_500, 43_500]),
        ),
        ("reports", link(link(nightly, TRACE, 7), TRACE, 2)),
        (
            "reports",
            data(
                (NIGHTLY, 12, 11),
                "INSERT daily_totals",
                Client,
                [62_500, 70_100],
            ),
        ),
    ];
    Forest::new(spans.map(|(service, data)| CapturedSpan::new(service, data)))
}

fn many(count: u64, name: &'static str) -> Forest {
    // Each span is the child of the one before: as deep as a tree can be.
    let data = |id| {
        data(
            (TRACE, id, id - 1),
            name,
            SpanKind::Internal,
            [id, 1000 - id],
        )
    };
    Forest::new((1..=count).map(|id| CapturedSpan::new("shop", data(id))))
}

fn plain(forest: &Forest) -> String {
    forest.waterfall().colour(Colour::Never).to_string()
}

fn widest(text: &str) -> usize {
    text.lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default()
}

#[test]
fn a_trace_through_two_queues_is_drawn() {
    let confirmed =
        |span: &CapturedSpan| (span.kind() == SpanKind::Producer).then(|| "confirmed".to_owned());
    let picture = sample()
        .waterfall()
        .colour(Colour::Never)
        .note(confirmed)
        .to_string();
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
    let text = forest
        .waterfall()
        .colour(Colour::Never)
        .width(140)
        .note(|_| Some("seen".to_owned()))
        .to_string();
    assert!(
        text.contains("  seen, out of stock, attempt 1, waited 2.8 ms\n"),
        "{text}"
    );
    let svg = forest
        .waterfall()
        .note(|_| Some("seen".to_owned()))
        .to_svg();
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
    assert!(
        coloured.contains("\u{1b}[34mshop     \u{1b}[0m"),
        "{coloured}"
    );
    assert!(coloured.contains("\u{1b}[31m"), "errors are red");
    let mut text = String::new();
    for (index, part) in coloured.split("\u{1b}[").enumerate() {
        text.push_str(if index == 0 {
            part
        } else {
            part.split_once('m').unwrap().1
        });
    }
    let trimmed: String = text
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    assert_eq!(trimmed, plain(&sample()));
}

#[test]
fn every_width_is_kept() {
    for width in [60, 80, 100, 140, 200] {
        let text = sample()
            .waterfall()
            .colour(Colour::Never)
            .width(width)
            .to_string();
        assert!(widest(&text) <= width.max(99), "{width}:\n{text}");
    }
    // The header alone needs 99.
    let rows = sample()
        .waterfall()
        .colour(Colour::Never)
        .width(60)
        .to_string();
    let rows: Vec<_> = rows
        .lines()
        .filter(|line| !line.starts_with("trace"))
        .collect();
    assert!(widest(&rows.join("\n")) <= 60);
}

#[test]
fn deep_trees_and_long_names_keep_to_the_width() {
    let forest = many(
        200,
        "a name that goes on and on, as generated names do, until nobody reads it to its very end",
    );
    let text = plain(&forest);
    assert_eq!(text.lines().count(), 201);
    assert!(widest(&text) <= 100, "{text}");
    assert!(text.lines().last().unwrap().contains("└─ a name"), "{text}");
}

#[test]
fn what_takes_no_time_is_still_seen() {
    let spans = [data((TRACE, 1, 0), "at once", SpanKind::Internal, [5, 5])];
    let forest = Forest::new(spans.map(|data| CapturedSpan::new("shop", data)));
    assert!(
        plain(&forest).contains("at once  ▏····"),
        "{}",
        plain(&forest)
    );
    assert!(forest.to_svg().contains("width=\"2.0\""));
}

#[test]
fn names_cannot_move_the_cursor_nor_become_markup() {
    let evil = "a\u{1b}[2J\nb <script>&\"'</text>\u{0}\u{ffff}";
    let spans = [failed(
        data((TRACE, 1, 0), evil, SpanKind::Internal, [0, 5]),
        evil,
    )];
    let forest = Forest::new(spans.map(|data| CapturedSpan::new(evil, data)));
    let text = plain(&forest);
    assert!(
        !text.contains('\u{1b}') && text.lines().count() == 2,
        "{text:?}"
    );
    let svg = forest.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert!(
        document
            .descendants()
            .all(|node| !node.has_tag_name("script"))
    );
    let texts: Vec<_> = document
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("b <script>&\"'</text>")),
        "{texts:?}"
    );
}

#[test]
fn a_drawing_is_well_formed_and_stands_alone() {
    let svg = sample().to_svg();
    if let Some(path) = std::env::var_os("TRACED_SAMPLE_SVG") {
        std::fs::write(path, &svg).unwrap();
    }
    let document = roxmltree::Document::parse(&svg).unwrap();
    let root = document.root_element();
    let name = ("http://www.w3.org/2000/svg", "svg");
    assert_eq!(root.tag_name(), name.into());
    assert_eq!(root.attribute("role"), Some("img"));
    let labels = root.attribute("aria-labelledby").unwrap().split(' ');
    let by_id = |id| {
        document
            .descendants()
            .find(|node| node.attribute("id") == Some(id))
    };
    let labels: Vec<_> = labels
        .map(|id| by_id(id).unwrap().text().unwrap())
        .collect();
    assert_eq!(labels[0], "Waterfall of 2 traces");
    assert!(
        labels[1].contains("48.1 ms, 3 services, 3 broker hops, 0 broken"),
        "{labels:?}"
    );

    for node in document.descendants() {
        assert!(
            !node
                .attributes()
                .any(|attribute| attribute.name().ends_with("href"))
        );
        for number in ["x", "y", "width", "height", "cx", "cy"] {
            if let Some(number) = node.attribute(number) {
                assert!(number.parse::<f64>().unwrap() >= 0.0, "{node:?}");
            }
        }
    }
    assert!(!svg.contains("@import") && svg.matches("http").count() == 1);
    assert!(svg.matches("url(").count() == svg.matches("url(#arrow-").count());
}

#[test]
fn a_drawing_has_a_bar_for_each_span_and_an_arrow_for_each_link_that_is_not_the_parent() {
    let svg = sample().to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let count = |tag: &str, class: Option<&str>| {
        let of_class = |node: &roxmltree::Node<'_, '_>| {
            node.has_tag_name(tag) && node.attribute("class") == class
        };
        document.descendants().filter(of_class).count()
    };
    assert_eq!(count("rect", None) + count("rect", Some("failed")), 12);
    assert_eq!(count("rect", Some("failed")), 2);
    assert_eq!(count("rect", Some("wait")), 3);
    assert_eq!(count("path", Some("link")), 2);
}

#[test]
fn two_hundred_spans_are_drawn_within_the_page() {
    let svg = many(200, "step").to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let height: f64 = document
        .root_element()
        .attribute("height")
        .unwrap()
        .parse()
        .unwrap();
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    assert!(texts.clone().count() > 600);
    assert!(
        texts
            .filter_map(|text| text.attribute("y"))
            .all(|y| y.parse::<f64>().unwrap() < height)
    );
}
