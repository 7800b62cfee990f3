//! The service that takes orders, and knows what became of them.

mod announcer;
mod dead_letters;
mod receipt;
mod routes;
pub(crate) mod store;

use std::sync::Arc;

use announcer::Announcer;
use anyhow::Context as _;
use routes::Orders;
use store::Store;

use crate::{jobs::Jobs, rabbitmq::Publisher, reconnect, service, settings::Settings, shutdown::Shutdown};

pub(crate) const NAME: &str = "order-service";
const PORT: u16 = 8082;

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let store = Store::open(&settings.database_url).await?;
    let jobs = Jobs::open(&settings.database_url).await?;
    let publisher = Publisher::open(&settings.rabbitmq_url).await?;
    let announcer = Announcer::new(publisher, jobs);

    let open = async || dead_letters::Intake::open(&settings.rabbitmq_url).await;
    let work = async |intake: dead_letters::Intake| intake.work(&store, &shutdown).await;
    let first = open().await.context("no connection to RabbitMQ")?;
    let dead_letters = reconnect::work(&shutdown, "RabbitMQ", first, open, work);
    let routes = routes::routes(Arc::new(Orders { store: store.clone(), announcer: announcer.clone() }));
    let served = service::run(&settings, routes, shutdown.clone(), dead_letters).await;
    // After the last request.
    announcer.finish().await;
    served
}
