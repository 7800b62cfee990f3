//! What the variables of OTLP say for one signal: all of it read here, and handed over to the exporter, which would read the environment
//! with other eyes (an empty variable as one that is set, white space as a part of a URL).

use crate::Error;
use crate::exporters::{Protocol, Signal};
use crate::resource::percent_decoded;
use crate::variables::{Variables, shown};
use std::time::Duration;

/// The specification's.
const TIMEOUT: Duration = Duration::from_secs(10);

const PROTOCOLS: [&str; 3] = ["http/protobuf", "http/json", "grpc"];

#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Otlp {
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: String,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    /// Names and values, decoded.
    pub(crate) headers: Vec<(String, String)>,
}

/// Without headers, which hold keys to other people's services.
impl std::fmt::Debug for Otlp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { protocol, endpoint, timeout, gzip, .. } = self;
        write!(formatter, "Otlp({protocol:?}, {endpoint}, {timeout:?}, gzip: {gzip})")
    }
}

impl Otlp {
    /// # Errors
    ///
    /// What would send telemetry to nowhere, or needs a feature that is not there.
    pub(crate) fn read(signal: Signal, variables: &mut Variables<'_>) -> Result<Self, Error> {
        let protocol = protocol(signal, variables)?;
        let endpoint = endpoint(signal, protocol, variables)?;
        let timeout = signal.otlp("TIMEOUT").iter().find_map(|name| variables.milliseconds(name)).unwrap_or(TIMEOUT);
        let gzip = signal.otlp("COMPRESSION").iter().find_map(|name| compression(name, variables)).unwrap_or(false);
        let headers = signal.otlp("HEADERS").iter().find_map(|name| headers(name, variables)).unwrap_or_default();
        for what in ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            for name in signal.otlp(what) {
                if variables.is_set(&name) {
                    variables.warn(format!("{name} is not supported by OpenTelemetry's Rust exporter: ignored"));
                }
            }
        }
        Ok(Self { protocol, endpoint, timeout, gzip, headers })
    }
}

fn protocol(signal: Signal, variables: &mut Variables<'_>) -> Result<Protocol, Error> {
    for name in signal.otlp("PROTOCOL") {
        let known = |value: &str| PROTOCOLS.into_iter().find(|known| *known == value);
        return match variables.word(&name, "one of http/protobuf, http/json and grpc", known) {
            Some("grpc") if cfg!(feature = "grpc") => Ok(Protocol::Grpc),
            Some("grpc") => Err(lacking(&name, "is grpc", "grpc")),
            Some("http/json") if cfg!(feature = "http-json") => Ok(Protocol::HttpJson),
            Some("http/json") => Err(lacking(&name, "is http/json", "http-json")),
            Some(_) => Ok(Protocol::Http),
            None => continue,
        };
    }
    Ok(Protocol::Http)
}

/// A signal's own is used as it is, the common one is a base over HTTP: the specification's "Endpoint URLs for OTLP/HTTP".
fn endpoint(signal: Signal, protocol: Protocol, variables: &mut Variables<'_>) -> Result<String, Error> {
    let names @ [own, _] = &signal.otlp("ENDPOINT");
    // The most particular one is used, so only that one is looked at.
    let found = names.iter().find_map(|name| variables.text(name).map(|value| (name, value)));
    let Some((name, given)) = found else {
        let default = if protocol == Protocol::Grpc { "http://localhost:4317" } else { "http://localhost:4318" };
        return Ok(if protocol == Protocol::Grpc { default.to_owned() } else { format!("{default}{}", signal.path()) });
    };
    let url = if protocol == Protocol::Grpc { with_scheme(signal, name, given, variables)? } else { given };
    check(name, &url, protocol)?;
    if protocol != Protocol::Grpc && authority(&url).ends_with(":4317") {
        variables.warn(format!(
            "{name} has port 4317, which is gRPC's by convention, and OTEL_EXPORTER_OTLP_PROTOCOL is not grpc: HTTP's port is 4318"
        ));
    }
    let base = name != own && protocol != Protocol::Grpc;
    Ok(if base { format!("{}{}", url.strip_suffix('/').unwrap_or(&url), signal.path()) } else { url })
}

/// gRPC's may be `host:port` alone, which is TLS unless `.._INSECURE` says otherwise.
fn with_scheme(signal: Signal, name: &str, given: String, variables: &mut Variables<'_>) -> Result<String, Error> {
    let insecure = signal.otlp("INSECURE").iter().find_map(|name| variables.flag(name)).unwrap_or(false);
    if given.contains("://") {
        return Ok(given);
    }
    if !insecure && !cfg!(feature = "tls") {
        let message = format!(
            "{name} has no scheme, which means https, and that needs the feature `tls` of traced-telemetry: write http://{}, or set \
             OTEL_EXPORTER_OTLP_INSECURE to true",
            shown(&given)
        );
        return Err(Error::configuration(message));
    }
    Ok(format!("{}://{given}", if insecure { "http" } else { "https" }))
}

fn check(name: &str, endpoint: &str, protocol: Protocol) -> Result<(), Error> {
    let url = endpoint.to_ascii_lowercase();
    if url.starts_with("https://") && !cfg!(feature = "tls") {
        return Err(lacking(name, "is an https endpoint", "tls"));
    }
    let known = url.starts_with("http://") || url.starts_with("https://");
    let host = authority(endpoint).rsplit_once('@').map_or(authority(endpoint), |(_, host)| host);
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if !known || host.is_empty() || host.starts_with(':') || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        let port = if protocol == Protocol::Grpc { 4317 } else { 4318 };
        let message = format!("{name} takes a URL such as http://127.0.0.1:{port}, not `{}`", shown(endpoint));
        return Err(Error::configuration(message));
    }
    Ok(())
}

fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn lacking(name: &str, what: &str, feature: &str) -> Error {
    Error::configuration(format!("{name} {what}, which needs the feature `{feature}` of traced-telemetry"))
}

fn compression(name: &str, variables: &mut Variables<'_>) -> Option<bool> {
    let takes = if cfg!(feature = "gzip") { "gzip or none" } else { "none (gzip needs the feature `gzip`)" };
    variables.word(name, takes, |value| match value {
        "none" => Some(false),
        "gzip" if cfg!(feature = "gzip") => Some(true),
        _ => None,
    })
}

fn headers(name: &str, variables: &mut Variables<'_>) -> Option<Vec<(String, String)>> {
    let list = variables.text(name)?;
    let entry = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        let valid = !key.is_empty() && !value.is_empty();
        valid.then(|| (key.to_owned(), percent_decoded(value).unwrap_or_else(|| value.to_owned())))
    };
    let entries: Vec<_> = list.split(',').filter(|entry| !entry.trim().is_empty()).map(entry).collect();
    if entries.iter().any(Option::is_none) {
        // Without the value.
        variables.warn(format!("{name} takes key=value,key=value: what is not so is left out"));
    }
    Some(entries.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

    fn read(given: &[(&str, &str)]) -> (Result<Otlp, Error>, Vec<String>) {
        let mut variables = Variables::given(given);
        let otlp = Otlp::read(Signal::Traces, &mut variables);
        (otlp, variables.into_warnings())
    }

    #[test]
    fn empty_is_unset_and_white_space_is_no_part_of_a_value() {
        let given = [
            (ENDPOINT, " http://collector:4318/ "),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", " 500 "),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, other=c"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", " "),
        ];
        let (otlp, warnings) = read(&given);
        let headers = [("api-key", "a b"), ("other", "c")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = Otlp {
            protocol: Protocol::Http,
            endpoint: "http://collector:4318/v1/traces".to_owned(),
            timeout: Duration::from_millis(500),
            gzip: false,
            headers: headers.to_vec(),
        };
        assert_eq!((otlp, warnings), (Ok(expected), vec![]));
    }

    #[test]
    fn where_spans_go() {
        let own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        for (given, expected) in [
            (&[][..], "http://localhost:4318/v1/traces"),
            (&[(ENDPOINT, "http://a:1/base")], "http://a:1/base/v1/traces"),
            (&[(ENDPOINT, "http://a:1"), (own, "http://b:2/spans")], "http://b:2/spans"),
        ] {
            assert_eq!(read(given).0.map(|otlp| otlp.endpoint), Ok(expected.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn what_would_send_to_nowhere_is_an_error() {
        for endpoint in
            ["localhost:4318", "127.0.0.1", "ftp://collector", "http://", "http://:4318", "http://collector:http"]
        {
            let error = read(&[(ENDPOINT, endpoint)]).0.expect_err(endpoint).to_string();
            assert!(error.starts_with(ENDPOINT) && error.contains("takes a URL"), "{error}");
        }
    }

    #[test]
    fn what_is_ignored_is_named() {
        let endpoint = (ENDPOINT, "http://collector:4318");
        for (given, expected) in [
            ((PROTOCOL, "thrift"), "OTEL_EXPORTER_OTLP_PROTOCOL takes one of"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "OTEL_EXPORTER_OTLP_TIMEOUT takes milliseconds"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "api-key"), "OTEL_EXPORTER_OTLP_HEADERS takes key=value"),
            (("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"), "OTEL_EXPORTER_OTLP_COMPRESSION takes"),
            (("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"), "OTEL_EXPORTER_OTLP_CERTIFICATE is not supported"),
        ] {
            let (otlp, warnings) = read(&[endpoint, given]);
            assert_eq!(otlp.map(|otlp| otlp.protocol), Ok(Protocol::Http));
            assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:?}");
        }
        let (_, warnings) = read(&[(ENDPOINT, "http://collector:4317")]);
        assert!(warnings[0].contains("port 4317"), "{warnings:?}");
    }

    #[cfg(not(feature = "grpc"))]
    #[test]
    fn a_protocol_whose_feature_is_not_there_is_an_error() {
        let (otlp, _) = read(&[(ENDPOINT, "http://collector:4317"), (PROTOCOL, "grpc")]);
        let expected = "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which needs the feature `grpc` of traced-telemetry";
        assert_eq!(otlp.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }

    #[cfg(feature = "grpc")]
    #[test]
    fn an_endpoint_of_grpc_needs_no_scheme() {
        let (grpc, insecure) = ((PROTOCOL, "GRPC"), "OTEL_EXPORTER_OTLP_INSECURE");
        let endpoint = |given: &[(&str, &str)]| read(given).0.map(|otlp| otlp.endpoint);
        assert_eq!(endpoint(&[grpc]), Ok("http://localhost:4317".to_owned()));
        for (given, expected) in [("collector:4317", "http://collector:4317"), ("https://a:1", "https://a:1")] {
            if !expected.starts_with("https") || cfg!(feature = "tls") {
                assert_eq!(endpoint(&[grpc, (ENDPOINT, given), (insecure, "True")]), Ok(expected.to_owned()));
            }
        }
        let secure = endpoint(&[grpc, (ENDPOINT, "collector:4317")]);
        if cfg!(feature = "tls") {
            assert_eq!(secure, Ok("https://collector:4317".to_owned()));
        } else {
            let error = secure.unwrap_err().to_string();
            assert!(error.contains("feature `tls`") && error.contains("OTEL_EXPORTER_OTLP_INSECURE"), "{error}");
        }
    }
}
