//! A collector: an HTTP server on loopback that understands OTLP as protobuf, or never answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// It has threads of its own, which end with the process.
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answers: bool,
    received: Mutex<Received>,
}

#[derive(Clone, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) metrics: Vec<String>,
    pub(crate) logs: Vec<LogRecord>,
    pub(crate) resources: Vec<Resource>,
    /// Header lines of all requests, in lower case.
    pub(crate) headers: Vec<String>,
}

impl Collector {
    pub(crate) fn start() -> Result<Self> {
        Self::listen(true)
    }

    /// Takes requests, and never answers one.
    pub(crate) fn silent() -> Result<Self> {
        Self::listen(false)
    }

    fn listen(answers: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { answers, ..State::default() });
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                thread::spawn(move || state.serve(stream));
            }
        });
        Ok(Self { address, state })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Received {
        self.state.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where nothing listens.
pub(crate) fn unreachable() -> Result<String> {
    Ok(format!("http://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?))
}

impl State {
    fn serve(&self, stream: TcpStream) -> Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut lines = stream.by_ref().lines();
            let first = lines.next().context("closed")??;
            let path = first.split(' ').nth(1).context("no path")?.to_owned();
            let mut headers = Vec::new();
            for line in lines {
                let line = line?.to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                headers.push(line);
            }
            let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
            let mut body = vec![0; length.parse()?];
            stream.read_exact(&mut body)?;
            if !self.answers {
                // Holds the connection for good.
                loop {
                    thread::park();
                }
            }
            self.receive(&path, headers, &body)?;
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
            stream.get_mut().write_all(answer.as_bytes())?;
        }
    }

    fn receive(&self, path: &str, headers: Vec<String>, body: &[u8]) -> Result<()> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let json = headers.iter().any(|line| line == "content-type: application/json");
        received.headers.extend(headers);
        if json {
            serde_json::from_slice::<serde_json::Value>(body)?;
            return Ok(());
        }
        match path {
            "/v1/traces" => {
                for resource in ExportTraceServiceRequest::decode(body)?.resource_spans {
                    received.resources.extend(resource.resource);
                    received.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
                }
            }
            "/v1/metrics" => {
                for resource in ExportMetricsServiceRequest::decode(body)?.resource_metrics {
                    received.resources.extend(resource.resource);
                    let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
                    received.metrics.extend(metrics.map(|metric| metric.name));
                }
            }
            "/v1/logs" => {
                for resource in ExportLogsServiceRequest::decode(body)?.resource_logs {
                    received.resources.extend(resource.resource);
                    received.logs.extend(resource.scope_logs.into_iter().flat_map(|scope| scope.log_records));
                }
            }
            _ => bail!("{path}"),
        }
        Ok(())
    }
}

/// A text among attributes.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
