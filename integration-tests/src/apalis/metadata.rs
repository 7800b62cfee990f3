//! A job's metadata, as a message's headers.

use apalis_core::task::metadata::MetadataStore;
use traced_apalis::apalis_core;

/// Beside the context; with the ids of the W3C's examples.
const ENQUEUED_AT: &str = "traced-enqueued-at";
const BUILTIN: &str = "apalis_core.tracing.context";

pub(super) fn rich() -> MetadataStore {
    MetadataStore::from_iter([
        ("x-tenant", "acme"),
        ("X-Upper", "Case"),
        ("empty", ""),
        ("größe", "ü \"quoted\" \\ \u{1F4E7}\n"),
        ("long", &*"0123456789".repeat(500)),
        ("x-b3", "not a context"),
    ])
}

pub(super) fn with(mut native: MetadataStore, headers: &[(&str, &str)]) -> MetadataStore {
    native.extend(headers.iter().copied());
    native
}

/// Other languages have no apalis, but whoever writes into its tables may write names in any case.
pub(super) fn foreign(headers: &[(&str, &str)]) -> Vec<(&'static str, MetadataStore)> {
    let upper = headers.iter().map(|(name, value)| (name.to_uppercase(), *value));
    vec![("as ours", with(MetadataStore::new(), headers)), ("upper case", MetadataStore::from_iter(upper))]
}

pub(super) fn malformed() -> Vec<(&'static str, MetadataStore)> {
    let cases = [
        ("no context at all", "traceparent", "orders"),
        ("a context of zeros", "traceparent", "00-00000000000000000000000000000000-0000000000000000-01"),
        ("a context cut off", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba9"),
        ("apalis' own cut off", BUILTIN, "4bf92f3577b34da6a3ce929d0e0e4736;00f0;1;-"),
    ];
    cases.into_iter().map(|(case, name, value)| (case, MetadataStore::from_iter([(name, value)]))).collect()
}

pub(super) fn values(native: &MetadataStore, name: &str) -> Vec<String> {
    let of_name = native.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    of_name.map(|(_, value)| value.clone()).collect()
}

/// When a job was enqueued is written with its context.
pub(super) fn without(native: &MetadataStore, names: &[&str]) -> MetadataStore {
    let ours = |key: &str| names.iter().chain([&ENQUEUED_AT]).any(|name| key.eq_ignore_ascii_case(name));
    native.iter().filter(|(key, _)| !ours(key)).collect()
}
