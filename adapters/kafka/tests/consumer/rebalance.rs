//! A group whose partitions move while messages are processed.

use crate::cluster::{Cluster, within};
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, DefaultConsumerContext, Rebalance, StreamConsumer};
use tokio::sync::{mpsc, oneshot};
use traced_kafka::{Outcome, TracedConsumer};

/// Tells when partitions were taken away.
struct Revocations(mpsc::UnboundedSender<()>);

impl ClientContext for Revocations {}

impl ConsumerContext for Revocations {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Revoke(_)) {
            self.0.send(()).ok();
        }
    }
}

#[tokio::test]
async fn a_rebalance_in_the_middle_of_processing_leaves_no_span_open() {
    let cluster = Cluster::new();
    for _ in 0..3 {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    let (revoked, mut revocations) = mpsc::unbounded_channel();
    let consumer: StreamConsumer<Revocations> = cluster.subscribed(Revocations(revoked));
    let consumer = TracedConsumer::with_settings(consumer, &cluster.capture.settings("warehouse"));
    let (release, released) = oneshot::channel::<()>();
    let finished = within(consumer.recv()).await.unwrap();
    let finished = finished.process(async |_| released.await);
    let open = within(consumer.recv()).await.unwrap().start();
    let abandoned = within(consumer.recv()).await.unwrap();
    let abandoned = abandoned.process(async |_| std::future::pending::<Result<(), std::fmt::Error>>().await);

    let second: StreamConsumer = cluster.subscribed(DefaultConsumerContext);
    {
        // All are in the middle of it when the partitions go: polling serves the rebalance.
        let mut release = Some(release);
        let (mut finished, mut abandoned) = (Box::pin(finished), Box::pin(abandoned));
        let turn = async {
            loop {
                tokio::select! {
                    result = &mut finished => break result,
                    _ = &mut abandoned => unreachable!(),
                    _ = consumer.recv() => {}
                    _ = second.recv() => {}
                    Some(()) = revocations.recv() => {
                        assert_eq!(cluster.capture.open_spans().len(), 3);
                        release.take().map(|release| release.send(()));
                    }
                }
            }
        };
        within(turn).await.unwrap();
    }
    open.finish(Outcome::Ok);
    cluster.capture.assert_no_open_spans();
    let spans = cluster.capture.spans();
    let processed = spans.iter().filter(|span| span.name() == "process orders");
    let errors: Vec<_> = processed.map(|span| span.attribute("error.type").map(ToString::to_string)).collect();
    assert_eq!(errors, [None, Some("cancelled".to_owned()), None]);
}
