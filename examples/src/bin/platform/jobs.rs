//! The service that gets orders paid. Its jobs come from the order service, by apalis; what is paid goes on to the notifier.

mod notification;
mod often;
mod payment;
mod queue;

use std::sync::Arc;

use axum::Router;
use often::Often;
use payment::{Cashier, process_order};
use queue::{PROCESS_ORDER, Queue, SEND_NOTIFICATION};
use tokio::try_join;
use traced_apalis::apalis_core::{backend::ext::BackendExt as _, worker::builder::WorkerBuilder};

use crate::{
    notifier::Notifications, orders::store::Store, rabbitmq::Publisher, reconnect, service, settings::Settings,
    shutdown::Shutdown,
};
use notification::send_notification;
pub(crate) use queue::{Jobs, ProcessOrder};

pub(crate) const NAME: &str = "job-worker";
const PORT: u16 = 8085;

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let store = Store::open(&settings.database_url).await?;
    let dead_letters = Publisher::open(&settings.rabbitmq_url).await?;
    let notifications = Notifications::open(&settings.redis_url).await?;
    let jobs = Jobs::open(&settings.database_url).await?;
    let cashier = Arc::new(Cashier { store, dead_letters, jobs: jobs.clone() });

    let open = async || Ok(jobs.clone());
    let work = async |jobs: Jobs| work(jobs, Arc::clone(&cashier), notifications.clone(), &shutdown).await;
    let work = reconnect::work(&shutdown, "the database", jobs.clone(), open, work);
    service::run(&settings, Router::new(), shutdown.clone(), work).await
}

/// As without us: the spans come with the queues.
async fn work(
    jobs: Jobs,
    cashier: Arc<Cashier>,
    notifications: Notifications,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let stop = || {
        let shutdown = shutdown.clone();
        async move {
            shutdown.wait().await;
            std::io::Result::Ok(())
        }
    };
    // One builder for each storage: their types differ.
    let orders = async {
        let worker = WorkerBuilder::new(PROCESS_ORDER);
        match jobs.orders {
            Queue::Sqlite(queue) => {
                let worker = worker.backend(queue.poll_with_strategy(Often::default())).data(cashier);
                worker.build(process_order).run_until(stop()).await
            }
            Queue::Postgres(queue) => {
                let worker = worker.backend(queue.poll_with_strategy(Often::default())).data(cashier);
                worker.build(process_order).run_until(stop()).await
            }
        }
    };
    let notifications = async {
        let worker = WorkerBuilder::new(SEND_NOTIFICATION);
        match jobs.notifications {
            Queue::Sqlite(queue) => {
                let worker = worker.backend(queue.poll_with_strategy(Often::default())).data(notifications);
                worker.build(send_notification).run_until(stop()).await
            }
            Queue::Postgres(queue) => {
                let worker = worker.backend(queue.poll_with_strategy(Often::default())).data(notifications);
                worker.build(send_notification).run_until(stop()).await
            }
        }
    };
    try_join!(orders, notifications)?;
    Ok(())
}
