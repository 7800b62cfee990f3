//! A queue whose jobs are pushed and worked on in this process.

use anyhow::{Context as _, Result};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use traced_envelope::testing::{Capture, CapturedSpan};

use crate::worker::soon;

/// A worker's signal to end: so many spans have.
pub(crate) fn until_ended(capture: &Capture, spans: usize) -> impl Future<Output = io::Result<()>> + Send + 'static {
    let capture = capture.clone();
    async move {
        soon(capture.spans_ended(spans)).await.map(|_| ()).map_err(|error| {
            io::Error::other(format!("{error}, {} open, ended:\n{}", capture.open_spans().len(), capture.forest()))
        })
    }
}

/// A handler that fails at first.
pub(crate) fn second_time_lucky() -> impl FnMut(Vec<u8>) -> std::future::Ready<Result<(), io::Error>> + Clone + Send {
    let attempts = Arc::new(AtomicUsize::new(0));
    move |_| {
        let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        std::future::ready(if first { Err(io::Error::other("no stock")) } else { Ok(()) })
    }
}

/// The spans of this name, in the order in which they ended.
pub(crate) fn named(capture: &Capture, name: &str) -> Vec<CapturedSpan> {
    capture.spans().into_iter().filter(|span| span.name() == name).collect()
}

/// That a job's process span says for when it was put off, as its push's span does, and how long it waited since then.
pub(crate) fn assert_was_put_off(push: &CapturedSpan, process: &CapturedSpan) -> Result<()> {
    let run_at = process.attribute("apalis.run_at").context("no time for which it was put off")?;
    assert_eq!(push.attribute("apalis.run_at"), Some(run_at));
    let run_at = Duration::from_secs(run_at.to_string().parse()?);
    let late = process.start().duration_since(SystemTime::UNIX_EPOCH)?.saturating_sub(run_at).as_secs_f64();
    let waited = process.attribute("traced.message.wait.duration").context("it did not wait")?;
    let waited = waited.to_string().parse::<f64>()?;
    // Since it was pushed it waited for more than a second more.
    assert!((waited - late).abs() < 0.5, "it waited for {waited}, and was {late} late");
    assert_eq!((process.parent_id(), process.links().len()), (None, 1), "a job that was put off is linked");
    assert_eq!(process.links().first().map(|link| link.span_context.span_id()), Some(push.span_id()));
    Ok(())
}
