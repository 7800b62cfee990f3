//! When lapin has taken what it was given.

use std::future::{Future, poll_fn};
use std::pin::Pin;

/// Runs a call of lapin that sends something. lapin queues all its frames when the call is polled first (4.12, `Channel::basic_publish` and
/// `Acker`) and then waits until they are written: to drop the call after that withdraws nothing. `handed_over` hears of it with each poll.
pub(crate) async fn handing_over<F: Future>(mut call: Pin<&mut F>, mut handed_over: impl FnMut()) -> F::Output {
    poll_fn(|task| {
        let polled = call.as_mut().poll(task);
        handed_over();
        polled
    })
    .await
}
