//! Sends what came by OTLP on to the collector that the user's environment names.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use examples::runner::http_client;
use reqwest::{Client, Url};
use test_collector::{Export, Signal};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// For one request; then it is lost.
const LIMIT: Duration = Duration::from_secs(10);

/// Nothing, where the environment names no endpoint.
#[derive(Default)]
pub(crate) struct Forward {
    /// What comes before is not sent on.
    open: Arc<AtomicBool>,
    sender: Option<UnboundedSender<Export>>,
    sending: Option<JoinHandle<Sent>>,
}

/// What became of it.
#[derive(Default)]
struct Sent {
    exports: usize,
    failure: Option<String>,
}

/// Where each signal goes.
struct Endpoints {
    traces: Option<Url>,
    metrics: Option<Url>,
    logs: Option<Url>,
}

impl Forward {
    /// # Errors
    ///
    /// An endpoint that is no URL, and what the demo cannot do: gRPC and TLS.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let endpoints = Endpoints::read(|name| env::var(name).ok().filter(|value| !value.is_empty()))?;
        if endpoints.are_none() {
            return Ok(Self::default());
        }
        let http = http_client(LIMIT)?;
        let (sender, receiver) = unbounded_channel();
        let sending = tokio::spawn(send(http, endpoints, receiver));
        Ok(Self { open: Arc::default(), sender: Some(sender), sending: Some(sending) })
    }

    /// For the collector: called with each export.
    pub(crate) fn sender(&self) -> Option<impl Fn(Export) + Send + Sync + use<>> {
        let (open, sender) = (Arc::clone(&self.open), self.sender.clone()?.downgrade());
        Some(move |export| {
            if let (true, Some(sender)) = (open.load(Ordering::SeqCst), sender.upgrade()) {
                // An error: it has finished.
                sender.send(export).ok();
            }
        })
    }

    /// From here on exports are sent on.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Waits until all of it was sent. That nobody is there to take it is worth a line, and no reason to fail.
    pub(crate) async fn finish(&mut self, program: &str) {
        drop(self.sender.take());
        let Some(sending) = self.sending.take() else { return };
        match timeout(LIMIT, sending).await {
            Ok(Ok(Sent { exports, failure: None })) => println!("{program}: {exports} exports were sent on by OTLP"),
            Ok(Ok(Sent { failure: Some(failure), .. })) => {
                eprintln!("{program}: telemetry could not be sent on by OTLP: {failure}");
            }
            Ok(Err(panicked)) => eprintln!("{program}: telemetry could not be sent on by OTLP: {panicked}"),
            Err(_) => eprintln!("{program}: telemetry could not be sent on by OTLP within {} s", LIMIT.as_secs()),
        }
    }
}

async fn send(http: Client, endpoints: Endpoints, mut exports: UnboundedReceiver<Export>) -> Sent {
    let mut sent = Sent::default();
    while let Some(export) = exports.recv().await {
        let Some(url) = endpoints.of(export.signal) else { continue };
        let mut request = http.post(url.clone()).body(export.body.to_vec());
        for (name, value) in &export.headers {
            request = request.header(name, value);
        }
        match request.send().await.and_then(reqwest::Response::error_for_status) {
            Ok(_) => sent.exports += 1,
            Err(error) => sent.failure = Some(format!("{:#}", anyhow::Error::from(error))),
        }
    }
    sent
}

impl Endpoints {
    /// A signal's own endpoint is used as it is, the common one is a base: the specification's "Endpoint URLs for OTLP/HTTP".
    fn read(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let parse = |name: &str, value: &str| {
            let url = Url::parse(value).with_context(|| format!("{name} is no URL"))?;
            ensure!(
                url.scheme() == "http",
                "{name} begins with {}, and telemetry is sent on by http alone",
                url.scheme()
            );
            Ok(url)
        };
        let endpoint = |signal: Signal, own: &str| match (variable(own), variable(ENDPOINT)) {
            (Some(url), _) => parse(own, &url).map(Some),
            (None, Some(base)) => {
                parse(ENDPOINT, &format!("{}{}", base.trim_end_matches('/'), signal.path())).map(Some)
            }
            (None, None) => Ok(None),
        };
        let endpoints = Self {
            traces: endpoint(Signal::Traces, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")?,
            metrics: endpoint(Signal::Metrics, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")?,
            logs: endpoint(Signal::Logs, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")?,
        };
        let protocols =
            ["", "TRACES_", "METRICS_", "LOGS_"].map(|signal| format!("OTEL_EXPORTER_OTLP_{signal}PROTOCOL"));
        if let Some(name) = protocols.iter().find(|name| variable(name).is_some_and(|value| value == "grpc"))
            && !endpoints.are_none()
        {
            bail!("{name} is grpc, and telemetry is sent on by http/protobuf alone: a collector's port for it is 4318");
        }
        Ok(endpoints)
    }

    fn of(&self, signal: Signal) -> Option<&Url> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }

    fn are_none(&self) -> bool {
        self.traces.is_none() && self.metrics.is_none() && self.logs.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use test_collector::Collector;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Endpoints> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Endpoints::read(|name| variables.get(name).map(ToString::to_string))
    }

    #[test]
    fn the_common_endpoint_is_a_base_and_a_signal_s_own_is_not() {
        let own = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT";
        let endpoints = read(&[(ENDPOINT, "http://a:4318/base/"), (own, "http://b:1/logs")]).unwrap();
        let of = |signal| endpoints.of(signal).map(Url::as_str);
        assert_eq!(of(Signal::Traces), Some("http://a:4318/base/v1/traces"));
        assert_eq!(of(Signal::Metrics), Some("http://a:4318/base/v1/metrics"));
        assert_eq!(of(Signal::Logs), Some("http://b:1/logs"));
        assert!(read(&[]).unwrap().are_none());
        assert!(read(&[(own, "localhost")]).is_err_and(|error| error.to_string() == format!("{own} is no URL")));
    }

    #[test]
    fn what_cannot_be_sent_on_is_said_at_the_start() {
        let protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
        for (given, part) in [
            (&[(ENDPOINT, "https://a:4318")][..], "begins with https"),
            (&[(ENDPOINT, "http://a:4317"), (protocol, "grpc")], "port for it is 4318"),
        ] {
            let Err(error) = read(given) else { panic!("{given:?}") };
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(read(&[(protocol, "grpc")]).unwrap().are_none());
        assert!(read(&[(ENDPOINT, "http://a:4318"), (protocol, "http/json")]).is_ok());
    }

    #[tokio::test]
    async fn what_came_after_the_opening_arrives_elsewhere() {
        let collector = Collector::start().unwrap();
        let endpoints = read(&[(ENDPOINT, &collector.endpoint())]).unwrap();
        let (sender, receiver) = unbounded_channel();
        let sending = tokio::spawn(send(http_client(LIMIT).unwrap(), endpoints, receiver));
        let mut forward = Forward { sender: Some(sender), sending: Some(sending), ..Forward::default() };

        let send = forward.sender().unwrap();
        let headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("api-key".to_owned(), "of-a-test".to_owned()),
        ];
        let export = Export { signal: Signal::Traces, headers, body: b"{}".as_slice().into() };
        send(export.clone());
        forward.open();
        send(export.clone());
        forward.finish("test").await;
        send(export);
        assert_eq!(collector.received().requests(), 1);
        assert!(collector.received().headers().contains(&"api-key: of-a-test".to_owned()));
    }
}
