//! The waterfall as SVG: well-formed, complete, standing alone.
#![cfg(feature = "testing")]

mod testing_sample;

use opentelemetry::trace::SpanKind;
use testing_sample::{TRACE, data, failed, many, sample};
use traced_envelope::testing::{CapturedSpan, Colour, Forest};

#[test]
fn names_cannot_move_the_cursor_nor_become_markup() {
    let evil = "a\u{1b}[2J\nb <script>&\"'</text>\u{0}\u{ffff}";
    let spans = [failed(data((TRACE, 1, 0), evil, SpanKind::Internal, [0, 5]), evil)];
    let forest = Forest::new(spans.map(|data| CapturedSpan::new(evil, data)));
    let text = forest.waterfall().colour(Colour::Never).to_string();
    assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    let svg = forest.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert!(document.descendants().all(|node| !node.has_tag_name("script")));
    let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(texts.iter().any(|text| text.contains("b <script>&\"'</text>")), "{texts:?}");
}

#[test]
fn a_drawing_is_well_formed_and_stands_alone() {
    let svg = sample().to_svg();
    // To look at it: no test sees what is ugly.
    if let Some(path) = std::env::var_os("TRACED_SAMPLE_SVG") {
        std::fs::write(path, &svg).unwrap();
    }
    let document = roxmltree::Document::parse(&svg).unwrap();
    let root = document.root_element();
    let name = ("http://www.w3.org/2000/svg", "svg");
    assert_eq!(root.tag_name(), name.into());
    assert_eq!(root.attribute("role"), Some("img"));
    let labels = root.attribute("aria-labelledby").unwrap().split(' ');
    let by_id = |id| document.descendants().find(|node| node.attribute("id") == Some(id));
    let labels: Vec<_> = labels.map(|id| by_id(id).unwrap().text().unwrap()).collect();
    assert_eq!(labels[0], "Waterfall of 2 traces");
    assert!(labels[1].contains("48.1 ms, 3 services, 3 broker hops, 0 broken"), "{labels:?}");

    for node in document.descendants() {
        assert!(!node.attributes().any(|attribute| attribute.name().ends_with("href")));
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
        let of_class = |node: &roxmltree::Node<'_, '_>| node.has_tag_name(tag) && node.attribute("class") == class;
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
    let height: f64 = document.root_element().attribute("height").unwrap().parse().unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    assert!(texts.clone().count() > 600);
    assert!(texts.filter_map(|text| text.attribute("y")).all(|y| y.parse::<f64>().unwrap() < height));
}
