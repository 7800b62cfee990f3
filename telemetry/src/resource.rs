//! What a service says of itself on everything that it sends.

use crate::variables::{Variables, shown};
use opentelemetry::KeyValue;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE_NAME: &str = "service.name";

/// `given` is the program's own; what the environment says goes before it.
pub(crate) fn resource(variables: &mut Variables<'_>, given: &[KeyValue]) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.instance.id", instance_id(RandomIdGenerator::default().new_trace_id())),
        KeyValue::new("process.pid", i64::from(std::process::id())),
        KeyValue::new("host.arch", host_arch()),
    ];
    let host = rustix::system::uname();
    if let Ok(name) = host.nodename().to_str()
        && !name.is_empty()
    {
        attributes.push(KeyValue::new("host.name", name.to_owned()));
    }
    attributes.extend(given.iter().cloned());
    attributes.extend(from_list(variables));
    attributes.extend(variables.text("OTEL_SERVICE_NAME").map(|name| KeyValue::new(SERVICE_NAME, name)));
    Resource::builder_empty().with_detector(Box::new(TelemetryResourceDetector)).with_attributes(attributes).build()
}

/// The service's name, as it came out.
pub(crate) fn service_name(resource: &Resource) -> String {
    resource.get(&SERVICE_NAME.into()).map_or_else(String::new, |name| name.to_string())
}

/// By the specification of `OTEL_RESOURCE_ATTRIBUTES`, values are percent-encoded, and one fault makes the whole list void: half of it
/// would be another service. The SDK's own reader does neither.
fn from_list(variables: &mut Variables<'_>) -> Vec<KeyValue> {
    let Some(list) = variables.text(ATTRIBUTES) else { return Vec::new() };
    let entries = list.split(',').filter(|entry| !entry.trim().is_empty());
    let parsed: Result<Vec<_>, &str> = entries.map(|entry| attribute(entry).ok_or(entry)).collect();
    parsed.unwrap_or_else(|entry| {
        let entry = shown(entry.trim());
        variables.warn(format!(
            "{ATTRIBUTES} takes key=value,key=value with values percent-encoded, which `{entry}` is not: all of it is ignored"
        ));
        Vec::new()
    })
}

fn attribute(entry: &str) -> Option<KeyValue> {
    let (key, value) = entry.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    (!key.is_empty()).then_some(())?;
    Some(KeyValue::new(percent_decoded(key)?, percent_decoded(value)?))
}

pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// A random UUID, as the conventions recommend: without it, the metrics of two instances would be one series that jumps.
fn instance_id(random: TraceId) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = random.to_bytes();
    let node: String = rest.iter().skip(2).map(|byte| format!("{byte:02x}")).collect();
    let [i, j, ..] = rest;
    let (version, variant) = (g & 0x0f | 0x40, i & 0x3f | 0x80);
    format!("{a:02x}{b:02x}{c:02x}{d:02x}-{e:02x}{f:02x}-{version:02x}{h:02x}-{variant:02x}{j:02x}-{node}")
}

/// The conventions' names, where they are not the compiler's.
fn host_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &str, name: &str) -> (Resource, Vec<String>) {
        let given = [(ATTRIBUTES, list), ("OTEL_SERVICE_NAME", name)];
        let mut variables = Variables::given(&given);
        let own = [KeyValue::new(SERVICE_NAME, "own"), KeyValue::new("service.version", "1.0.0")];
        (resource(&mut variables, &own), variables.into_warnings())
    }

    fn value(resource: &Resource, key: &'static str) -> Option<String> {
        resource.get(&key.into()).map(|value| value.to_string())
    }

    #[test]
    fn the_environment_goes_before_the_program() {
        let (resource, _) = of("service.name=listed,service.version=2,deployment.environment.name=a%2Cb%20c", "");
        assert_eq!(service_name(&resource), "listed");
        assert_eq!(value(&resource, "service.version").as_deref(), Some("2"));
        assert_eq!(value(&resource, "deployment.environment.name").as_deref(), Some("a,b c"));
        assert_eq!(value(&resource, "telemetry.sdk.language").as_deref(), Some("rust"));
        assert!(value(&resource, "host.name").is_some_and(|name| !name.is_empty()));
        let (resource, _) = of("service.name=listed", "named");
        assert_eq!(service_name(&resource), "named");
        let (resource, _) = of("", "");
        assert_eq!(service_name(&resource), "own");
    }

    #[test]
    fn one_fault_makes_the_list_void() {
        for list in ["a=1,nothing", "a=1,b=%zz", "a=1,=2", "a=1,b=%2", "a=1,b=%ff"] {
            let (resource, warnings) = of(list, "");
            assert_eq!(value(&resource, "a"), None, "{list}");
            assert!(warnings.len() == 1 && warnings[0].starts_with(ATTRIBUTES), "{warnings:?}");
        }
    }

    #[test]
    fn an_instance_is_a_random_uuid() {
        let id = instance_id(TraceId::from_bytes([0xff; 16]));
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_ne!(value(&of("", "").0, "service.instance.id"), value(&of("", "").0, "service.instance.id"));
    }
}
