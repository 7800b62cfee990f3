//! The report as a route of a web service.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// A router with `GET /health/tracing`: the report as JSON, for [`Router::merge`].
///
/// Always 200, also when telemetry is degraded: a service must not be taken for dead because its collector is. Whoever wants an alarm
/// looks at `status`. The report names destinations and the last export error; like metrics, it is not for the public.
///
/// ```
/// let app: axum::Router = axum::Router::new().merge(traced_telemetry::routes());
/// # assert!(app.has_routes());
/// ```
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/health/tracing", get(report))
}

async fn report() -> ([(axum::http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/json")], crate::health().to_json().to_string())
}
