//! Consuming by callbacks that lapin's executor calls.

use crate::source::Source;
use crate::{TracedConsumer, TracedDelivery};
use lapin::ConsumerDelegate;
use lapin::message::DeliveryResult;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use traced_envelope::Outcome;

impl TracedConsumer {
    /// [`Consumer::set_delegate`](lapin::Consumer::set_delegate), with each message's call inside its process span. The delegate is
    /// lapin's: a type, or a closure that takes a [`DeliveryResult`]. It returns nothing, so that its span has no error unless it panics
    /// or is dropped; to say how it ended, use [`set_handler`](Self::set_handler).
    ///
    /// ```no_run
    /// use lapin::{Consumer, message::DeliveryResult, options::BasicAckOptions};
    /// use traced_rabbitmq::TracedConsumer;
    ///
    /// # fn example(consumer: Consumer) {
    /// TracedConsumer::new(consumer).set_delegate(async |delivery: DeliveryResult| {
    ///     if let Ok(Some(delivery)) = delivery {
    ///         delivery.ack(BasicAckOptions::default()).await.ok();
    ///     }
    /// });
    /// # }
    /// ```
    pub fn set_delegate<D: ConsumerDelegate + 'static>(&self, delegate: D) {
        self.consumer.set_delegate(TracedDelegate { delegate, source: Arc::clone(&self.source) });
    }

    /// Calls a closure with each message, as [`Consumer::set_delegate`](lapin::Consumer::set_delegate) does: on lapin's executor,
    /// concurrently. `None` says that the broker cancelled the consumer; of a cancellation that the application asked for lapin tells
    /// nobody.
    ///
    /// ```no_run
    /// use lapin::Consumer;
    /// use traced_rabbitmq::TracedConsumer;
    ///
    /// # fn example(consumer: Consumer) {
    /// TracedConsumer::new(consumer).set_handler(async |delivery| {
    ///     if let Ok(Some(delivery)) = delivery {
    ///         delivery.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await.ok();
    ///     }
    /// });
    /// # }
    /// ```
    pub fn set_handler<H, F>(&self, handler: H)
    where
        H: Fn(lapin::Result<Option<TracedDelivery>>) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let source = Arc::clone(&self.source);
        self.consumer.set_delegate(move |delivery: DeliveryResult| handler(source.wrap(delivery)));
    }
}

struct TracedDelegate<D> {
    delegate: D,
    source: Arc<Source>,
}

impl<D: ConsumerDelegate + 'static> ConsumerDelegate for TracedDelegate<D> {
    fn on_new_delivery(&self, delivery: DeliveryResult) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self.source.wrap(delivery) {
            Ok(Some(delivery)) => {
                // lapin calls in the deliveries' order and spawns what it is given: the call itself belongs here, not into that task.
                let (mut span, delivery) = delivery.into_parts();
                let future = span.enter(|| self.delegate.on_new_delivery(Ok(Some(delivery))));
                Box::pin(span.run_with(future, |()| Outcome::Ok))
            }
            other => self.delegate.on_new_delivery(other.map(|_| None)),
        }
    }

    fn drop_prefetched_messages(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.delegate.drop_prefetched_messages()
    }
}
