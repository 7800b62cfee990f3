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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn the_report_is_served_also_before_anything_is_set_up() {
        let app: Router = Router::new().merge(routes());
        let answer = app.oneshot(Request::get("/health/tracing").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let report: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&report["status"], &report["spans"]["created"]), (&"not initialized".into(), &0.into()));
    }
}
