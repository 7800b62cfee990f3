//! The service that customers talk to. It knows who they are, and hands their orders on.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use tonic::Code;
use traced_telemetry::opentelemetry::{
    Context, KeyValue, baggage::BaggageExt as _, context::FutureExt as _, trace::TraceContextExt as _,
};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{
    http_client::HttpClient,
    order::{Accepted, NewOrder},
    orders, service,
    settings::Settings,
    shutdown::Shutdown,
    users::{
        self,
        client::{Address, Users},
    },
};

pub(crate) const NAME: &str = "gateway";
const PORT: u16 = 8080;

/// Why an order was not taken.
type Refusal = (StatusCode, String);

#[derive(Clone)]
struct Gateway {
    http: HttpClient,
    users: Users,
    orders_url: String,
}

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let http = HttpClient::new()?;
    let users = Users::new(&settings, http.clone())?;
    let gateway = Gateway { http, users, orders_url: format!("{}/orders", settings.order_service_url) };
    let routes = Router::new().route("/orders", post(post_order)).with_state(gateway);
    service::run(&settings, routes, shutdown.clone(), service::idle(shutdown)).await
}

async fn post_order(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Json(order): Json<NewOrder>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let tenant = headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()).unwrap_or("public").to_owned();
    // The request's span, which axum's layer made.
    let request = tracing::Span::current();
    request.set_attribute("tenant.id", tenant.clone());
    request.set_attribute("order.item", order.item.clone());
    // Goes wherever the order goes, through gRPC, HTTP and all queues. In place of the baggage that came in from outside.
    let context = Context::current().with_baggage([KeyValue::new("tenant.id", tenant)]);
    let accepted = gateway.place(&order).with_context(context).await?;
    request.set_attribute("order.id", accepted.id.clone());
    // For the support: the number under which this order's trace is found.
    let trace = Context::current().span().span_context().trace_id();
    let answer = json!({"id": accepted.id, "status": accepted.status, "trace_id": trace.to_string()});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

impl Gateway {
    async fn place(&self, order: &NewOrder) -> Result<Accepted, Refusal> {
        // Both at once, each with a span: they are siblings.
        let (user, address) = tokio::join!(self.users.get(&order.user), self.users.address(&order.user));
        let user = user.map_err(|status| match status.code() {
            Code::NotFound => (StatusCode::NOT_FOUND, format!("there is no user {}", order.user)),
            _ => unavailable(users::NAME, &status),
        })?;
        let Address { city } = address.map_err(|error| unavailable(users::NAME, &error))?;
        tracing::info!(user = user.id, city, "an order");

        let request = self.http.post(&self.orders_url).json(order);
        let response = self.http.send(request).await.map_err(|error| match error.status() {
            Some(status) if status.is_client_error() => (status, "the order was refused".to_owned()),
            _ => unavailable(orders::NAME, &error),
        })?;
        response.json().await.map_err(|error| unavailable(orders::NAME, &error))
    }
}

fn unavailable(service: &str, error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error, "{service} does not answer");
    (StatusCode::BAD_GATEWAY, format!("{service} does not answer"))
}
