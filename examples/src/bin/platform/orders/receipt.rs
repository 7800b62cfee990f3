//! A receipt's checksum: work for a processor, which must not hold up the other requests.

use tokio::task::spawn_blocking;
use traced_telemetry::opentelemetry::Context;

use crate::order::Order;

/// On a thread for such work. It knows nothing of the request: the context is handed over.
pub(super) async fn seal(order: &Order, last_digits: &str) -> anyhow::Result<String> {
    let text = format!("{} {} x {} ****{last_digits}", order.id, order.quantity, order.item);
    let context = Context::current();
    let receipt = spawn_blocking(move || {
        let _attached = context.attach(); // until the closure returns: without it, the span below would start a trace
        sealed(text)
    });
    Ok(receipt.await?)
}

#[tracing::instrument(name = "seal receipt", skip_all)]
fn sealed(text: String) -> String {
    let checksum = checksum(text.as_bytes());
    format!("{text} #{checksum:016x}")
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
