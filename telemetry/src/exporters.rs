//! Where each signal goes, by `OTEL_*_EXPORTER` and the variables of OTLP.

use crate::Error;
use crate::variables::{Variables, shown};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exporter {
    Otlp(Protocol),
    Console,
    None,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    Http,
    HttpJson,
    Grpc,
}

impl Exporter {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Otlp(Protocol::Http | Protocol::HttpJson) => "otlp (http)",
            Self::Otlp(Protocol::Grpc) => "otlp (grpc)",
            Self::Console => "console",
            Self::None => "none",
        }
    }
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// The signal's own variable, and the one of all signals.
    fn otlp(self, what: &str) -> [String; 2] {
        [format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name()), format!("OTEL_EXPORTER_OTLP_{what}")]
    }

    /// The exporter that its variable names; else OTLP where an endpoint is set, and the console where none is.
    ///
    /// # Errors
    ///
    /// What would send telemetry to nowhere, or needs a feature that is not there.
    pub(crate) fn exporter(self, variables: &mut Variables<'_>) -> Result<Exporter, Error> {
        let name = format!("OTEL_{}_EXPORTER", self.name());
        let chosen = variables.parsed(&name, "one of otlp, console and none", |value| match value {
            "otlp" => Some(Chosen::Otlp),
            // `logging` is an older name of the same.
            "console" | "logging" => Some(Chosen::Console),
            "none" => Some(Chosen::None),
            _ => None,
        });
        match chosen {
            Some(Chosen::Otlp) => self.otlp_exporter(variables),
            Some(Chosen::None) => Ok(Exporter::None),
            None if self.otlp("ENDPOINT").iter().any(|endpoint| variables.is_set(endpoint)) => {
                self.otlp_exporter(variables)
            }
            Some(Chosen::Console) | None => Ok(Exporter::Console),
        }
    }

    fn otlp_exporter(self, variables: &mut Variables<'_>) -> Result<Exporter, Error> {
        let protocol = self.protocol(variables)?;
        // The most particular one is used, so only that one is looked at.
        let endpoints = self.otlp("ENDPOINT");
        let found = endpoints.iter().find_map(|name| variables.text(name).map(|value| (name, value)));
        if let Some((name, endpoint)) = found {
            check_endpoint(name, &endpoint)?;
            if protocol != Protocol::Grpc && authority(&endpoint).ends_with(":4317") {
                variables.warn(format!(
                    "{name} has port 4317, which is gRPC's by convention, and OTEL_EXPORTER_OTLP_PROTOCOL is not grpc: \
                     HTTP's port is 4318"
                ));
            }
        }
        self.check_the_rest(variables);
        Ok(Exporter::Otlp(protocol))
    }

    fn protocol(self, variables: &mut Variables<'_>) -> Result<Protocol, Error> {
        for name in self.otlp("PROTOCOL") {
            let known = |value: &str| Some(value.to_owned()).filter(|value| PROTOCOLS.contains(&value.as_str()));
            let Some(protocol) = variables.parsed(&name, "one of http/protobuf, http/json and grpc", known) else {
                continue;
            };
            return match protocol.as_str() {
                "grpc" if cfg!(feature = "grpc") => Ok(Protocol::Grpc),
                "grpc" => Err(lacking(&name, "grpc", "grpc")),
                "http/json" if cfg!(feature = "http-json") => Ok(Protocol::HttpJson),
                "http/json" => Err(lacking(&name, "http/json", "http-json")),
                _ => Ok(Protocol::Http),
            };
        }
        Ok(Protocol::Http)
    }

    /// What the exporter reads by itself, and says nothing about.
    fn check_the_rest(self, variables: &mut Variables<'_>) {
        for name in self.otlp("TIMEOUT") {
            variables.milliseconds(&name);
        }
        for name in self.otlp("COMPRESSION") {
            let takes = if cfg!(feature = "gzip") { "gzip or none" } else { "none (gzip needs the feature `gzip`)" };
            let known = |value: &str| (value == "none" || value == "gzip" && cfg!(feature = "gzip")).then_some(());
            variables.parsed(&name, takes, known);
        }
        for name in self.otlp("HEADERS") {
            // Without the value: headers hold keys to other people's services.
            let valid = |entry: &str| entry.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty());
            if variables
                .text(&name)
                .is_some_and(|list| !list.split(',').filter(|entry| !entry.trim().is_empty()).all(valid))
            {
                variables.warn(format!("{name} takes key=value,key=value: what is not so is left out"));
            }
        }
        for what in ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            for name in self.otlp(what) {
                if variables.is_set(&name) {
                    variables.warn(format!("{name} is not supported by OpenTelemetry's Rust exporter: ignored"));
                }
            }
        }
    }
}

enum Chosen {
    Otlp,
    Console,
    None,
}

const PROTOCOLS: [&str; 3] = ["http/protobuf", "http/json", "grpc"];

fn lacking(name: &str, value: &str, feature: &str) -> Error {
    Error::configuration(format!("{name} is {value}, which needs the feature `{feature}` of traced-telemetry"))
}

fn check_endpoint(name: &str, endpoint: &str) -> Result<(), Error> {
    let url = endpoint.to_ascii_lowercase();
    if url.starts_with("https://") && !cfg!(feature = "tls") {
        return Err(lacking(name, "an https endpoint", "tls"));
    }
    let known = url.starts_with("http://") || url.starts_with("https://");
    let host = authority(endpoint).rsplit_once('@').map_or(authority(endpoint), |(_, host)| host);
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if !known || host.is_empty() || host.starts_with(':') || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        let message = format!("{name} takes a URL such as http://127.0.0.1:4318, not `{}`", shown(endpoint));
        return Err(Error::configuration(message));
    }
    Ok(())
}

fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

    fn traces(given: &[(&str, &str)]) -> (Result<Exporter, Error>, Vec<String>) {
        let mut variables = Variables::given(given);
        let exporter = Signal::Traces.exporter(&mut variables);
        (exporter, variables.into_warnings())
    }

    #[test]
    fn an_endpoint_is_enough_for_otlp() {
        let otlp = Exporter::Otlp(Protocol::Http);
        let url = "http://127.0.0.1:4318";
        for (given, expected) in [
            (&[][..], Exporter::Console),
            (&[(ENDPOINT, "")], Exporter::Console),
            (&[(ENDPOINT, url)], otlp),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1]:4318/v1/traces")], otlp),
            (&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url)], Exporter::Console),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], otlp),
            (&[(ENDPOINT, url), ("OTEL_TRACES_EXPORTER", "none")], Exporter::None),
            (&[(ENDPOINT, url), ("OTEL_TRACES_EXPORTER", "console")], Exporter::Console),
            (&[(ENDPOINT, url), ("OTEL_METRICS_EXPORTER", "none")], otlp),
        ] {
            assert_eq!(traces(given), (Ok(expected), vec![]), "{given:?}");
        }
    }

    #[test]
    fn what_would_send_to_nowhere_is_an_error() {
        for endpoint in
            ["localhost:4318", "127.0.0.1", "ftp://collector", "http://", "http://:4318", "http://collector:http"]
        {
            let (exporter, _) = traces(&[(ENDPOINT, endpoint)]);
            let error = exporter.expect_err(endpoint).to_string();
            assert!(error.starts_with(ENDPOINT) && error.contains("takes a URL"), "{error}");
        }
    }

    #[test]
    fn what_is_ignored_is_named() {
        let endpoint = (ENDPOINT, "http://collector:4318");
        for (given, expected) in [
            (
                ("OTEL_TRACES_EXPORTER", "zipkin"),
                "OTEL_TRACES_EXPORTER takes one of otlp, console and none, not `zipkin`",
            ),
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift"), "OTEL_EXPORTER_OTLP_PROTOCOL takes one of"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "OTEL_EXPORTER_OTLP_TIMEOUT takes milliseconds"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "api-key"), "OTEL_EXPORTER_OTLP_HEADERS takes key=value"),
            (("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"), "OTEL_EXPORTER_OTLP_COMPRESSION takes"),
            (("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"), "OTEL_EXPORTER_OTLP_CERTIFICATE is not supported"),
        ] {
            let (exporter, warnings) = traces(&[endpoint, given]);
            assert_eq!(exporter, Ok(Exporter::Otlp(Protocol::Http)));
            assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:?}");
        }
        let (_, warnings) = traces(&[(ENDPOINT, "http://collector:4317")]);
        assert!(warnings[0].contains("port 4317"), "{warnings:?}");
    }

    #[cfg(not(feature = "grpc"))]
    #[test]
    fn a_protocol_whose_feature_is_not_there_is_an_error() {
        let (exporter, _) = traces(&[(ENDPOINT, "http://collector:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        let expected = "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which needs the feature `grpc` of traced-telemetry";
        assert_eq!(exporter.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}
