//! A channel that has recovered: its delivery tags start again.

use lapin::Acker;
use lapin::message::Delivery;
use std::sync::{Arc, Mutex, PoisonError};
use traced_envelope::{MessageSpan, OpenSpans, Ticket};

/// An acker of the channel as it is now, and the last span that was left open. lapin poisons the ackers of a channel that is lost; those of a
/// channel that was recovered are new ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastStarted(Arc<Mutex<Option<(Acker, Ticket)>>>);

impl LastStarted {
    /// Registers a span, and says where the tags have started again: to acknowledge `multiple` messages settles none from before.
    pub(crate) fn register(&self, open: &OpenSpans, delivery: &Delivery, span: MessageSpan) -> Ticket {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ticket)) = last.take_if(|(acker, _)| acker.poisoned() && !delivery.acker.poisoned()) {
            open.restarted(ticket);
        }
        // Not held on to: the register ends spans that waited too long, and exporters may take their time.
        drop(last);
        let ticket = open.insert(delivery.delivery_tag, span);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *last {
            Some((_, before)) => *before = ticket,
            None => *last = Some((delivery.acker.clone(), ticket)),
        }
        ticket
    }
}
