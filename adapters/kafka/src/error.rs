//! What Kafka's errors are called in `error.type`.

use rdkafka::bindings::rd_kafka_resp_err_t;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::borrow::Cow;
use traced_envelope::Outcome;

pub(crate) fn of_result<T>(result: &Result<T, KafkaError>) -> Outcome {
    result.as_ref().map_or_else(of_error, |_| Outcome::Ok)
}

/// By librdkafka's code; rdkafka's own errors, which have none, by what happened.
pub(crate) fn of_error(error: &KafkaError) -> Outcome {
    let kind = match error {
        KafkaError::Canceled => "canceled".into(),
        KafkaError::Nul(_) => "nul_byte".into(),
        KafkaError::PartitionEOF(_) => "_PARTITION_EOF".into(),
        error => error.rdkafka_error_code().map_or("_OTHER".into(), code_name),
    };
    Outcome::error(kind, error.to_string())
}

/// librdkafka's name of the code (its function `rd_kafka_err2name`): that of the constant without its prefix. `NOT_LEADER_FOR_PARTITION`
/// was the broker's answer; `_MSG_TIMED_OUT`, with an underscore, is librdkafka's own.
fn code_name(code: RDKafkaErrorCode) -> Cow<'static, str> {
    // The discriminants of rdkafka's codes are librdkafka's.
    let Ok(constant) = rd_kafka_resp_err_t::try_from(code as i32) else { return "_OTHER".into() };
    let constant = format!("{constant:?}");
    constant.strip_prefix("RD_KAFKA_RESP_ERR_").map_or("_OTHER".into(), |name| name.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    #[test]
    fn errors_have_librdkafkas_names() {
        for (error, name) in [
            (KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut), "_MSG_TIMED_OUT"),
            (KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "_QUEUE_FULL"),
            (KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownTopicOrPartition), "UNKNOWN_TOPIC_OR_PART"),
            (KafkaError::Global(RDKafkaErrorCode::Unknown), "UNKNOWN"),
            (KafkaError::Canceled, "canceled"),
            (KafkaError::from(CString::new("\0").unwrap_err()), "nul_byte"),
            (KafkaError::PartitionEOF(3), "_PARTITION_EOF"),
            (KafkaError::Subscription("orders".to_owned()), "_OTHER"),
        ] {
            let expected = Outcome::error(name, error.to_string());
            assert_eq!(of_error(&error), expected);
            assert_eq!(of_result(&Err::<(), _>(error)), expected);
        }
        assert_eq!(of_result(&Ok(7)), Outcome::Ok);
    }
}
