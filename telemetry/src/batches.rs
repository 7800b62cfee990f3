//! How spans and log records are batched: `OTEL_BSP_*`, `OTEL_BLRP_*`, `OTEL_METRIC_EXPORT_INTERVAL`.

use crate::variables::Variables;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Batches {
    pub(crate) queue: usize,
    pub(crate) batch: usize,
    pub(crate) delay: Duration,
}

impl Batches {
    /// Spans: a queue of 2048, batches of 512, a delay of `delay` unless the environment says otherwise.
    pub(crate) fn of_spans(variables: &mut Variables<'_>, delay: Duration) -> Self {
        Self::read(variables, "OTEL_BSP", delay)
    }

    pub(crate) fn of_logs(variables: &mut Variables<'_>) -> Self {
        Self::read(variables, "OTEL_BLRP", Duration::from_secs(1))
    }

    fn read(variables: &mut Variables<'_>, prefix: &str, delay: Duration) -> Self {
        let queue = variables.size(&format!("{prefix}_MAX_QUEUE_SIZE")).unwrap_or(2048);
        let batch_variable = format!("{prefix}_MAX_EXPORT_BATCH_SIZE");
        let given = variables.size(&batch_variable);
        if given.is_some_and(|batch| batch > queue) {
            variables.warn(format!("{batch_variable} takes at most the queue's size, {queue}: {queue} is used"));
        }
        let delay = variables.pause(&format!("{prefix}_SCHEDULE_DELAY")).unwrap_or(delay);
        let timeout = format!("{prefix}_EXPORT_TIMEOUT");
        if variables.is_set(&timeout) {
            variables
                .warn(format!("{timeout} is not supported by OpenTelemetry's Rust SDK: OTEL_EXPORTER_OTLP_TIMEOUT is"));
        }
        Self { queue, batch: given.unwrap_or(512).min(queue), delay }
    }
}

/// How often metrics are exported; a minute by default.
pub(crate) fn metric_interval(variables: &mut Variables<'_>) -> Duration {
    let minute = Duration::from_secs(60);
    variables.pause("OTEL_METRIC_EXPORT_INTERVAL").unwrap_or(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_specifications() {
        let mut variables = Variables::given(&[]);
        let expected = Batches { queue: 2048, batch: 512, delay: Duration::from_secs(5) };
        assert_eq!(Batches::of_spans(&mut variables, Duration::from_secs(5)), expected);
        assert_eq!(metric_interval(&mut variables), Duration::from_secs(60));
    }

    #[test]
    fn no_loop_without_a_pause_and_no_queue_without_an_end() {
        let given = [
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ];
        let mut variables = Variables::given(&given);
        let expected = Batches { queue: 2048, batch: 512, delay: Duration::from_secs(5) };
        assert_eq!(Batches::of_spans(&mut variables, Duration::from_secs(5)), expected);
        assert_eq!(metric_interval(&mut variables), Duration::from_secs(60));
        assert_eq!(variables.into_warnings().len(), 3);
    }

    #[test]
    fn a_batch_is_no_larger_than_the_queue() {
        let given = [
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "30000"),
        ];
        let mut variables = Variables::given(&given);
        let expected = Batches { queue: 100, batch: 100, delay: Duration::from_millis(10) };
        assert_eq!(Batches::of_spans(&mut variables, Duration::from_secs(5)), expected);
        let warning = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE takes at most the queue's size, 100: 100 is used";
        let timeout =
            "OTEL_BSP_EXPORT_TIMEOUT is not supported by OpenTelemetry's Rust SDK: OTEL_EXPORTER_OTLP_TIMEOUT is";
        assert_eq!(variables.into_warnings(), [warning, timeout]);
    }
}
