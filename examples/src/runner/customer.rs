//! Who orders.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::Client;
use serde_json::{Value, json};
use traced_envelope::opentelemetry::TraceId;

use super::http_client;

/// The number that every order is paid with. It must be nowhere in the telemetry.
pub const CARD: &str = "4111 1111 1111 1111";

/// An answer may wait for a broker that restarts.
const LIMIT: Duration = Duration::from_secs(60);

/// A customer of the platform: sends requests, and makes no spans itself. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Customer {
    http: Client,
}

/// An order that was taken.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its number.
    pub id: String,
    /// The trace that it is the beginning of.
    pub trace_id: TraceId,
    /// How long the answer took.
    pub took: Duration,
}

impl Customer {
    /// Makes one with connections of its own.
    ///
    /// # Errors
    ///
    /// When the client cannot be set up.
    pub fn new() -> Result<Self> {
        Ok(Self { http: http_client(LIMIT)? })
    }

    /// Orders one piece of `item` at the gateway with this URL, with headers besides those of HTTP.
    ///
    /// # Errors
    ///
    /// When there is no answer, or the order is refused.
    pub async fn order(&self, gateway: &str, item: &str, headers: &[(&str, &str)]) -> Result<Accepted> {
        let body = json!({"user": "ada", "item": item, "quantity": 1, "card": CARD});
        let mut request = self.http.post(format!("{gateway}/orders")).json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let start = Instant::now();
        let answer = request.send().await.context("the gateway does not answer")?;
        let status = answer.status();
        let body = answer.text().await?;
        let took = start.elapsed();
        if !status.is_success() {
            bail!("the gateway answers {status}: {body}");
        }
        let accepted: Value = serde_json::from_str(&body)?;
        let text = |key: &str| accepted.get(key).and_then(Value::as_str).with_context(|| format!("no {key} in {body}"));
        let trace_id = TraceId::from_hex(text("trace_id")?)?;
        Ok(Accepted { id: text("id")?.to_owned(), trace_id, took })
    }

    /// What the order service with this URL says about an order: `accepted`, `paid` or `failed`. In a trace that nobody records.
    ///
    /// # Errors
    ///
    /// When there is no answer, or no such order.
    pub async fn status(&self, orders: &str, id: &str) -> Result<String> {
        let request = self.http.get(format!("{orders}/orders/{id}"));
        let request = request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
        let order: Value = request.header("b3", "0").send().await?.error_for_status()?.json().await?;
        Ok(order.get("status").and_then(Value::as_str).context("an order without a status")?.to_owned())
    }

    /// What a service with this URL says about its telemetry.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn health(&self, service: &str) -> Result<Value> {
        Ok(self.http.get(format!("{service}/health/tracing")).send().await?.json().await?)
    }
}
