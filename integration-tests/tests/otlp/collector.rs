//! A collector: an HTTP server on loopback that understands OTLP as JSON, or never answers.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// It has threads of its own: exporters block, and must not wait for the test's runtime.
#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: bool,
    requests: AtomicUsize,
    received: Mutex<Vec<Value>>,
}

/// One span as it arrived, with its resource's service and its scope's name.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) scope: String,
    json: Value,
}

impl Collector {
    pub(crate) fn start() -> Result<Self> {
        Self::listen(true)
    }

    /// Takes connections and requests, and never answers one.
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
        endpoint(self.address)
    }

    /// How many requests came in whole.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// All spans that arrived.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let received = self.state.received.lock().unwrap_or_else(PoisonError::into_inner);
        let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let mut spans = Vec::new();
        for resource in received.iter().flat_map(|request| list(request, "resourceSpans")) {
            let service = attribute(&resource["resource"], "service.name").unwrap_or_default();
            for scoped in list(&resource, "scopeSpans") {
                let scope = text(&scoped["scope"], "name");
                let of_scope = list(&scoped, "spans").into_iter();
                spans.extend(of_scope.map(|json| Span { service: service.clone(), scope: scope.clone(), json }));
            }
        }
        spans
    }
}

/// Where nothing listens.
pub(crate) fn unreachable() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(endpoint(listener.local_addr()?))
}

fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}/v1/traces")
}

impl State {
    fn serve(&self, stream: TcpStream) -> Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let body = request(&mut stream)?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            if !self.answers {
                // Holds the connection for good; the thread ends with the process.
                loop {
                    thread::park();
                }
            }
            let json = serde_json::from_slice(&body)?;
            self.received.lock().unwrap_or_else(PoisonError::into_inner).push(json);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            stream.get_mut().write_all(answer)?;
        }
    }
}

/// The body of one request. What is no OTLP request as JSON ends the connection, and the exporter reports a failure.
fn request(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut lines = stream.by_ref().lines();
    let first = lines.next().context("closed")??;
    ensure!(first == "POST /v1/traces HTTP/1.1", "{first}");
    let (mut length, mut json) = (None, false);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some(("content-length", value)) => length = Some(value.parse()?),
            Some(("content-type", value)) => json = value == "application/json",
            _ => {}
        }
    }
    ensure!(json, "no JSON");
    let mut body = vec![0; length.context("no length")?];
    stream.read_exact(&mut body)?;
    Ok(body)
}

impl Span {
    pub(crate) fn name(&self) -> String {
        text(&self.json, "name")
    }

    pub(crate) fn trace_id(&self) -> String {
        text(&self.json, "traceId")
    }

    pub(crate) fn id(&self) -> String {
        text(&self.json, "spanId")
    }

    /// Empty for the first span of a trace.
    pub(crate) fn parent_id(&self) -> String {
        text(&self.json, "parentSpanId")
    }

    /// As OTLP numbers kinds.
    pub(crate) fn kind(&self) -> &'static str {
        match self.json["kind"].as_u64() {
            Some(1) => "INTERNAL",
            Some(3) => "CLIENT",
            Some(4) => "PRODUCER",
            Some(5) => "CONSUMER",
            _ => "unexpected",
        }
    }

    /// Trace and span of each link.
    pub(crate) fn links(&self) -> Vec<(String, String)> {
        let links = self.json["links"].as_array().map_or(&[][..], Vec::as_slice);
        links.iter().map(|link| (text(link, "traceId"), text(link, "spanId"))).collect()
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.json, key)
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A string, or an integer, which OTLP's JSON writes as a string too.
fn attribute(value: &Value, key: &str) -> Option<String> {
    let attributes = value["attributes"].as_array()?;
    let value = &attributes.iter().find(|attribute| attribute["key"] == key)?["value"];
    let value = value.get("stringValue").or_else(|| value.get("intValue"))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
