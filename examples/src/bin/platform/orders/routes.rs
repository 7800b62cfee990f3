//! What the order service answers.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::Value;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{announcer::Announcer, receipt, store::Store};
use crate::order::{Accepted, NewOrder, Order};

/// What handlers share.
pub(super) struct Orders {
    pub(super) store: Store,
    pub(super) announcer: Announcer,
}

pub(super) fn routes(orders: Arc<Orders>) -> Router {
    Router::new().route("/orders", post(create)).route("/orders/{id}", get(show)).with_state(orders)
}

async fn create(
    State(orders): State<Arc<Orders>>,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Accepted>), StatusCode> {
    if new.quantity == 0 || new.item.is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let NewOrder { user, item, quantity, card } = new;
    let order = Order { id: Uuid::new_v4().to_string(), user, item, quantity };
    // The request's span, which axum's layer made. What support asks for is on it; the card is not.
    let request = tracing::Span::current();
    request.set_attribute("order.id", order.id.clone());
    request.set_attribute("order.item", order.item.clone());
    request.set_attribute("order.quantity", i64::from(order.quantity));

    let receipt = receipt::seal(&order, card.last_digits()).await.map_err(failed)?;
    orders.store.insert(&order, receipt).await.map_err(failed)?;
    orders.announcer.announce(order.clone(), card).await;
    Ok((StatusCode::ACCEPTED, Json(Accepted { id: order.id, status: "accepted".to_owned() })))
}

async fn show(State(orders): State<Arc<Orders>>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let order = orders.store.find(&id).await.map_err(failed)?;
    order.map(Json).ok_or(StatusCode::NOT_FOUND)
}

fn failed(error: anyhow::Error) -> StatusCode {
    tracing::error!(error = format!("{error:#}"), "the order is not stored");
    StatusCode::INTERNAL_SERVER_ERROR
}
