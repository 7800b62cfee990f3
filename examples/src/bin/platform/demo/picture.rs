//! The traces, drawn.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use traced_envelope::testing::{CapturedSpan, Forest};
use traced_rabbitmq::opentelemetry::trace::SpanKind;

use crate::rabbitmq::{DEAD, INVENTORY};

pub(super) fn show(forest: &Forest, svg: Option<&Path>) -> anyhow::Result<()> {
    let waterfall = forest.waterfall().width(width()).note(note);
    println!("\n{waterfall}\n█ a span  ░ since its message was published  ✗ an error  ⇢ a link to another span");
    if let Some(file) = svg {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        fs::write(file, waterfall.to_svg()).with_context(|| format!("cannot write {}", file.display()))?;
        println!("demo: the picture is in {}", file.display());
    }
    Ok(())
}

/// What the platform knows about a span and the span does not say: all its channels have confirms on, it awaits each delivery report, and
/// a pushed job is stored, so that a span that sends without an error is one that the broker confirmed. Redis answers too, but keeps
/// nothing.
fn note(span: &CapturedSpan) -> Option<String> {
    // A message that is sent on keeps its context: its span is a client's.
    if !matches!(span.kind(), SpanKind::Producer | SpanKind::Client) || span.is_error() {
        return None;
    }
    let system = span.attribute("messaging.system")?.as_str().into_owned();
    let (_, to) = span.name().split_once(' ')?;
    let note = match (system.as_str(), to) {
        ("rabbitmq", INVENTORY) => "retry, confirmed",
        ("rabbitmq", DEAD) => "dead letter, confirmed",
        ("rabbitmq" | "kafka", _) => "confirmed",
        ("redis", _) => return None,
        _ => "stored",
    };
    Some(note.to_owned())
}

/// As wide as the terminal; where there is none, wide enough for every name.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => 160,
    }
}
