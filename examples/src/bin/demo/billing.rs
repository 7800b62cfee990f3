//! The hop through a job queue: the warehouse enqueues the job `process_order`, the service `billing` writes the invoice and enqueues
//! the job `send_notification`, which is its own as well.

use std::time::Duration;

use apalis_sqlite::SqliteStorage;
use opentelemetry_sdk::trace::SdkTracer;
use tokio::{select, sync::mpsc::Sender, time::sleep};
use traced_apalis::{
    TracedProducer,
    apalis_core::{
        backend::{TaskSink as _, ext::BackendExt as _},
        task::data::Data,
        worker::{
            builder::WorkerBuilder, context::WorkerContext, event::Event, ext::event_listener::EventListenerExt as _,
        },
    },
    opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{TraceContextExt as _, Tracer as _},
    },
};

use crate::{database::Database, failure::Failure, service::Service};

const PROCESS_ORDER: &str = "process_order";
const SEND_NOTIFICATION: &str = "send_notification";

/// After so long a worker looks for a job again.
const INTERVAL: Duration = Duration::from_millis(5);

type Queue = TracedProducer<SqliteStorage<String>>;

/// The end of the service before.
#[derive(Clone)]
pub(crate) struct Jobs(Queue);

impl Jobs {
    pub(crate) fn open(database: &Database, service: &Service) -> Self {
        Self::of(PROCESS_ORDER, database, service)
    }

    fn of(queue: &str, database: &Database, service: &Service) -> Self {
        Self(TracedProducer::with_settings(database.queue(queue), &service.settings()).queue(queue))
    }

    pub(crate) async fn push(&self, item: &str) -> Result<(), Failure> {
        let mut queue = self.0.clone(); // of the same database
        // Once the job is stored the span ends.
        Ok(queue.push(item.to_owned()).await?)
    }
}

pub(crate) struct Billing {
    orders: Jobs,
    notifications: Jobs,
    tracer: SdkTracer,
    done: Sender<String>,
}

impl Billing {
    pub(crate) fn open(database: &Database, service: &Service, done: Sender<String>) -> Self {
        let jobs = |queue| Jobs::of(queue, database, service);
        Self { orders: jobs(PROCESS_ORDER), notifications: jobs(SEND_NOTIFICATION), tracer: service.tracer(), done }
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Self { orders, notifications, tracer, done } = self;
        let orders = WorkerBuilder::new(PROCESS_ORDER)
            .backend(orders.0.poll_with_interval(INTERVAL))
            .data(tracer.clone())
            .data(notifications.clone())
            .on_event(report_to(done.clone()))
            .build(process_order);
        let notifications = WorkerBuilder::new(SEND_NOTIFICATION)
            .backend(notifications.0.poll_with_interval(INTERVAL))
            .data(tracer)
            .on_event(report_to(done))
            .build(send_notification);
        select! {
            ended = orders.run() => ended?,
            ended = notifications.run() => ended?,
        }
        Ok(())
    }
}

/// Every span in here is a child of the process span, and so is the next job's.
async fn process_order(item: String, tracer: Data<SdkTracer>, notifications: Data<Jobs>) -> Result<String, Failure> {
    invoice().with_context(Context::current_with_span(tracer.start("write invoice"))).await;
    notifications.push(&item).await?;
    Ok(format!("billing writes an invoice for {item}"))
}

async fn send_notification(item: String, tracer: Data<SdkTracer>) -> Result<String, Failure> {
    mail().with_context(Context::current_with_span(tracer.start("send e-mail"))).await;
    Ok(format!("billing mails the invoice for {item}"))
}

/// What a job returned, once its span has ended: a worker tells from around all layers.
fn report_to(done: Sender<String>) -> impl Fn(&WorkerContext, &Event) + Send + Sync + 'static {
    move |worker, event| match event {
        Event::Success(returned) => {
            if let Some(report) = returned.downcast_ref::<String>() {
                done.try_send(report.clone()).ok();
            }
        }
        Event::Error(error) => {
            eprintln!("demo: billing, {}: {error}", worker.name());
            worker.stop().ok();
        }
        _ => {}
    }
}

async fn invoice() {
    sleep(Duration::from_millis(3)).await;
}

async fn mail() {
    sleep(Duration::from_millis(2)).await; // the mail server
}
