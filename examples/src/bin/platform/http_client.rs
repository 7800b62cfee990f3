//! Calls of other services: one pool of connections, a CLIENT span for each request, and the context in its headers.

use std::time::Duration;

use opentelemetry_http::HeaderInjector;
use reqwest::{Client, IntoUrl, RequestBuilder, Response};
use traced_telemetry::opentelemetry::global;
use tracing::{Instrument as _, field::Empty};

/// Clones share the pool.
#[derive(Clone)]
pub(crate) struct HttpClient(Client);

impl HttpClient {
    pub(crate) fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(10))
            // A connection lives on between two requests.
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(64);
        Ok(Self(client.build()?))
    }

    pub(crate) fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.get(url)
    }

    pub(crate) fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.post(url)
    }

    /// # Errors
    ///
    /// reqwest's own, and an answer of 400 or more, which is an error for a client.
    pub(crate) async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let mut request = request.build()?;
        // Names and values: the conventions of HTTP clients.
        let span = tracing::info_span!(
            "HTTP request",
            otel.name = %request.method(),
            otel.kind = "client",
            otel.status_code = Empty,
            "error.type" = Empty,
            http.request.method = %request.method(),
            http.response.status_code = Empty,
            server.address = request.url().host_str(),
            server.port = request.url().port_or_known_default(),
            url.full = %request.url(),
        );
        let sent = async {
            // What is current in here is the span, and the baggage of those around it.
            global::get_text_map_propagator(|propagator| propagator.inject(&mut HeaderInjector(request.headers_mut())));
            self.0.execute(request).await
        };
        let answer = sent.instrument(span.clone()).await.inspect(|response| {
            span.record("http.response.status_code", i64::from(response.status().as_u16()));
        });
        answer.and_then(Response::error_for_status).inspect_err(|error| {
            span.record("otel.status_code", "ERROR");
            match error.status() {
                Some(status) => span.record("error.type", status.as_str()),
                None if error.is_timeout() => span.record("error.type", "timeout"),
                None => span.record("error.type", "connection"),
            };
        })
    }
}
