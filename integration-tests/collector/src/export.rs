use std::{error::Error, sync::Arc};

use crate::{Received, http::Request};

/// One request as it came in, to be sent on to another collector as it is.
#[derive(Clone, Debug)]
pub struct Export {
    /// What it carries.
    pub signal: Signal,
    /// Its headers, names in lower case, without those that are the connection's own.
    pub headers: Vec<(String, String)>,
    /// Its body, in the form that the header `content-type` names.
    pub body: Arc<[u8]>,
}

/// What OTLP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// The path below an endpoint: `/v1/traces`.
    ///
    /// ```
    /// assert_eq!(test_collector::Signal::Logs.path(), "/v1/logs");
    /// ```
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    fn of(path: &str) -> Option<Self> {
        [Self::Traces, Self::Metrics, Self::Logs].into_iter().find(|signal| signal.path() == path)
    }
}

/// The body's form.
#[derive(Clone, Copy)]
enum Form {
    Protobuf,
    Json,
}

/// Why a request is not taken, as a status of HTTP.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal(pub(crate) u16);

/// Adds what a request carries, all or nothing.
pub(crate) fn receive(request: &Request, received: &mut Received) -> Result<Signal, Refusal> {
    let signal = Signal::of(&request.path).ok_or(Refusal(404))?;
    if request.header("content-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(Refusal(415));
    }
    let form = match request.header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim()) {
        Some("application/x-protobuf") => Form::Protobuf,
        Some("application/json") => Form::Json,
        _ => return Err(Refusal(415)),
    };
    let read = match signal {
        Signal::Traces => decode(form, &request.body).map(|traces| received.add_traces(traces)),
        Signal::Metrics => decode(form, &request.body).map(|metrics| received.add_metrics(metrics)),
        Signal::Logs => decode(form, &request.body).map(|logs| received.add_logs(logs)),
    };
    read.map_or(Err(Refusal(400)), |()| Ok(signal))
}

fn decode<T>(form: Form, body: &[u8]) -> Result<T, Box<dyn Error>>
where
    T: prost::Message + Default + serde::de::DeserializeOwned,
{
    match form {
        Form::Protobuf => Ok(T::decode(body)?),
        Form::Json => Ok(serde_json::from_slice(body)?),
    }
}
