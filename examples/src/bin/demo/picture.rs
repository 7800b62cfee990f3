//! The traces, drawn.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use traced_envelope::testing::{CapturedSpan, Forest};
use traced_rabbitmq::opentelemetry::trace::SpanKind;

use crate::{notifier, queues};

pub(crate) fn show(forest: &Forest, svg: Option<&Path>) -> anyhow::Result<()> {
    let waterfall = forest.waterfall().width(width()).note(note);
    println!("\n{waterfall}\n█ a span  ░ since its message was published  ✗ an error  ⇢ a link to another span");
    if let Some(file) = svg {
        fs::write(file, waterfall.to_svg()).with_context(|| format!("cannot write {}", file.display()))?;
        println!("demo: the picture is in {}", file.display());
    }
    Ok(())
}

/// What the demo knows about a span and the span does not say: all its channels have confirms on, it awaits each delivery report, and a
/// pushed job is stored, so that a span that sends without an error is one that the broker confirmed. Redis answers too, but keeps nothing.
fn note(span: &CapturedSpan) -> Option<String> {
    if !matches!(span.kind(), SpanKind::Producer | SpanKind::Client) || span.is_error() {
        return None;
    }
    let (operation, to) = span.name().split_once(' ')?;
    let note = match (operation, to) {
        ("publish", queues::STOCK) => "retry, confirmed",
        ("publish", queues::DEAD) => "dead letter, confirmed",
        ("publish", notifier::SHIPPED) => return None,
        ("publish" | "send", _) => "confirmed",
        ("push", _) => "stored",
        _ => return None,
    };
    Some(note.to_owned())
}

/// As wide as the terminal; where there is none, wide enough for every name.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => 130,
    }
}
