//! OTLP over gRPC, to a server that tonic makes.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::process::service;

#[derive(Clone, Default)]
struct Traces(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let key = request.metadata().get("api-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let names = scopes.flat_map(|scope| scope.spans).map(|span| format!("{} {key}", span.name));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[test]
fn spans_arrive_over_grpc_from_inside_and_outside_of_a_runtime() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let endpoint = listener.local_addr()?.to_string();
    let traces = Traces::default();
    let served = TraceServiceServer::new(traces.clone());
    runtime.spawn(async move {
        let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?);
        tonic::transport::Server::builder().add_service(served).serve_with_incoming(incoming).await?;
        anyhow::Ok(())
    });
    for scene in ["order", "order in tokio", "order in tokio with threads"] {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "gRPC"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of-a-test"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", " "),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ];
        let health = service(scene, &variables)?.health()?;
        assert_eq!(
            (&health["status"], &health["spans"]["exporter"]),
            (&"ok".into(), &"otlp (grpc)".into()),
            "{health:#}"
        );
        assert_eq!(health["spans"]["exported"], 3, "{scene}: {health:#}");
        let mut names = std::mem::take(&mut *traces.0.lock().unwrap_or_else(PoisonError::into_inner));
        names.sort_unstable();
        assert_eq!(names, ["checkout of-a-test", "process orders of-a-test", "reserve of-a-test"], "{scene}");
    }
    Ok(())
}

/// The runtime that was made for it went away inside of the program's, which is a panic if it is waited for.
#[test]
fn a_set_up_that_fails_inside_of_a_runtime_does_not_panic() -> Result<()> {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let written = service("foreign subscriber in tokio", &variables)?;
    assert!(written.result()?.starts_with("a `tracing` subscriber was installed"), "{}", written.result()?);
    Ok(())
}
