//! Starting a send span, and writing its context into the message's headers.

use crate::{HeaderExtractor, HeaderInjector};
use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use traced_envelope::{MessageSpan, Operation, Telemetry};

pub(crate) fn send(
    telemetry: &Telemetry,
    operation: Operation<'_>,
    payload: &[u8],
    properties: BasicProperties,
) -> (MessageSpan, BasicProperties) {
    inject(telemetry, operation, payload, properties, |operation, headers| telemetry.send(operation, headers))
}

/// `start` writes into a copy of the headers: lapin gives them by reference only. Where nothing is to be written the properties stay as
/// they are.
pub(crate) fn inject(
    telemetry: &Telemetry,
    operation: Operation<'_>,
    payload: &[u8],
    properties: BasicProperties,
    start: impl FnOnce(Operation<'_>, &mut HeaderInjector<'_>) -> MessageSpan,
) -> (MessageSpan, BasicProperties) {
    if !telemetry.is_enabled() {
        return (start(operation, &mut HeaderInjector(&mut FieldTable::default())), properties);
    }
    let mut operation = operation
        .body_size(payload.len())
        .message_id(properties.message_id().as_ref().map(ShortString::as_str))
        .conversation_id(properties.correlation_id().as_ref().map(ShortString::as_str));
    let mut headers = match properties.headers() {
        Some(headers) => {
            operation = operation.existing(telemetry.existing(&HeaderExtractor(headers)));
            headers.clone()
        }
        None => FieldTable::default(),
    };
    let span = start(operation, &mut HeaderInjector(&mut headers));
    (span, with_headers(properties, headers))
}

/// Headers that are empty where there were none leave the properties as they are.
pub(crate) fn with_headers(properties: BasicProperties, headers: FieldTable) -> BasicProperties {
    let untouched = headers.inner().is_empty() && properties.headers().is_none();
    if untouched { properties } else { properties.with_headers(headers) }
}
