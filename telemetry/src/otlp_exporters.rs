//! OTLP's exporters, made as `Otlp` says.

use crate::Error;
#[cfg(any(feature = "grpc", feature = "http-json"))]
use crate::exporters::Protocol;
use crate::otlp::Otlp;
use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig,
};
use reqwest::blocking::Client;
use std::thread;

pub(crate) fn spans(otlp: &Otlp) -> Result<SpanExporter, Error> {
    match otlp.protocol {
        #[cfg(feature = "grpc")]
        Protocol::Grpc => grpc(SpanExporter::builder().with_tonic(), otlp)?.build(),
        _ => http(SpanExporter::builder().with_http(), otlp)?.build(),
    }
    .map_err(unmade)
}

pub(crate) fn metrics(otlp: &Otlp) -> Result<MetricExporter, Error> {
    match otlp.protocol {
        #[cfg(feature = "grpc")]
        Protocol::Grpc => grpc(MetricExporter::builder().with_tonic(), otlp)?.build(),
        _ => http(MetricExporter::builder().with_http(), otlp)?.build(),
    }
    .map_err(unmade)
}

pub(crate) fn logs(otlp: &Otlp) -> Result<LogExporter, Error> {
    match otlp.protocol {
        #[cfg(feature = "grpc")]
        Protocol::Grpc => grpc(LogExporter::builder().with_tonic(), otlp)?.build(),
        _ => http(LogExporter::builder().with_http(), otlp)?.build(),
    }
    .map_err(unmade)
}

fn http<B: WithExportConfig + WithHttpConfig>(builder: B, otlp: &Otlp) -> Result<B, Error> {
    // Said to the exporter: where the feature `http-json` is on, JSON is its default.
    let protocol = match otlp.protocol {
        #[cfg(feature = "http-json")]
        Protocol::HttpJson => opentelemetry_otlp::Protocol::HttpJson,
        // What needs a feature that is off was refused before.
        _ => opentelemetry_otlp::Protocol::HttpBinary,
    };
    let builder = builder.with_endpoint(&otlp.endpoint).with_timeout(otlp.timeout).with_protocol(protocol);
    // The exporter decodes them once more.
    let headers = otlp.headers.iter().map(|(name, value)| (name.clone(), value.replace('%', "%25"))).collect();
    let builder = builder.with_http_client(client(otlp)?).with_headers(headers);
    Ok(if otlp.gzip { builder.with_compression(Compression::Gzip) } else { builder })
}

/// Batches are sent from threads without a reactor. The exporter would take a client that needs one, if any crate of the program turned its
/// feature `reqwest-client` on. On a thread, since a client of this kind must not be made inside of a runtime.
fn client(otlp: &Otlp) -> Result<Client, Error> {
    let timeout = otlp.timeout;
    let made = thread::spawn(move || Client::builder().timeout(timeout).build()).join();
    let problem = |problem: &dyn std::fmt::Display| Error::configuration(format!("no client for OTLP: {problem}"));
    made.map_err(|_| problem(&"its thread panicked"))?.map_err(|error| problem(&error))
}

#[cfg(feature = "grpc")]
fn grpc<B: WithExportConfig + opentelemetry_otlp::WithTonicConfig>(builder: B, otlp: &Otlp) -> Result<B, Error> {
    use tonic::metadata::{AsciiMetadataKey, MetadataMap};
    let mut metadata = MetadataMap::new();
    for (name, value) in &otlp.headers {
        // As over HTTP, what no header can be is left out.
        if let (Ok(name), Ok(value)) = (name.parse::<AsciiMetadataKey>(), value.parse()) {
            metadata.insert(name, value);
        }
    }
    let builder = builder.with_endpoint(&otlp.endpoint).with_timeout(otlp.timeout).with_metadata(metadata);
    Ok(if otlp.gzip { builder.with_compression(Compression::Gzip) } else { builder })
}

fn unmade(error: ExporterBuildError) -> Error {
    Error::configuration(format!("OTLP: {error}"))
}
