//! Where each signal goes, by `OTEL_*_EXPORTER` and the variables of OTLP.

use crate::Error;
use crate::otlp::Otlp;
use crate::variables::Variables;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Exporter {
    Otlp(Otlp),
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
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Otlp(otlp) if otlp.protocol == Protocol::Grpc => "otlp (grpc)",
            Self::Otlp(_) => "otlp (http)",
            Self::Console => "console",
            Self::None => "none",
        }
    }

    #[cfg(feature = "grpc")]
    pub(crate) fn is_over(&self, protocol: Protocol) -> bool {
        matches!(self, Self::Otlp(otlp) if otlp.protocol == protocol)
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

    /// Of a collector's endpoint over HTTP.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The signal's own variable, and the one of all signals.
    pub(crate) fn otlp(self, what: &str) -> [String; 2] {
        [format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name()), format!("OTEL_EXPORTER_OTLP_{what}")]
    }

    /// The exporter that its variable names; else OTLP where an endpoint is set, and the console where none is.
    ///
    /// # Errors
    ///
    /// What would send telemetry to nowhere, or needs a feature that is not there.
    pub(crate) fn exporter(self, variables: &mut Variables<'_>) -> Result<Exporter, Error> {
        let name = format!("OTEL_{}_EXPORTER", self.name());
        let chosen = variables.word(&name, "one of otlp, console and none", |value| match value {
            "otlp" => Some(Chosen::Otlp),
            // `logging` is an older name of the same.
            "console" | "logging" => Some(Chosen::Console),
            "none" => Some(Chosen::None),
            _ => None,
        });
        match chosen {
            Some(Chosen::Otlp) => Otlp::read(self, variables).map(Exporter::Otlp),
            Some(Chosen::None) => Ok(Exporter::None),
            None if self.otlp("ENDPOINT").iter().any(|endpoint| variables.is_set(endpoint)) => {
                Otlp::read(self, variables).map(Exporter::Otlp)
            }
            Some(Chosen::Console) | None => Ok(Exporter::Console),
        }
    }
}

enum Chosen {
    Otlp,
    Console,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

    #[test]
    fn an_endpoint_is_enough_for_otlp() {
        let url = "http://127.0.0.1:4318";
        for (given, expected) in [
            (&[][..], "console"),
            (&[(ENDPOINT, "")], "console"),
            (&[(ENDPOINT, url)], "otlp (http)"),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1]:4318/v1/traces")], "otlp (http)"),
            (&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url)], "console"),
            (&[("OTEL_TRACES_EXPORTER", "OTLP")], "otlp (http)"),
            (&[(ENDPOINT, url), ("OTEL_TRACES_EXPORTER", "none")], "none"),
            (&[(ENDPOINT, url), ("OTEL_TRACES_EXPORTER", "Console")], "console"),
            (&[(ENDPOINT, url), ("OTEL_METRICS_EXPORTER", "none")], "otlp (http)"),
        ] {
            let mut variables = Variables::given(given);
            let exporter = Signal::Traces.exporter(&mut variables);
            assert_eq!(exporter.map(|exporter| exporter.name()), Ok(expected), "{given:?}");
            assert_eq!(variables.into_warnings(), Vec::<String>::new(), "{given:?}");
        }
        let mut variables = Variables::given(&[("OTEL_TRACES_EXPORTER", "zipkin")]);
        assert_eq!(Signal::Traces.exporter(&mut variables), Ok(Exporter::Console));
        let warnings = variables.into_warnings();
        assert!(
            warnings[0].starts_with("OTEL_TRACES_EXPORTER takes one of otlp, console and none, not `zipkin`"),
            "{warnings:?}"
        );
    }
}
