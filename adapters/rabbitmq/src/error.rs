//! What lapin's errors and the broker's answers are called in `error.type`.

use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPSoftError};
use lapin::types::ShortString;
use lapin::{Confirmation, Error, ErrorKind};
use traced_envelope::Outcome;

/// How a publish ended, by the broker's answer. A message that came back as unroutable is an error although the broker confirms it.
pub(crate) fn of_confirmation(answer: &lapin::Result<Confirmation>) -> Outcome {
    answer.as_ref().map_or_else(of_error, of_answer)
}

pub(crate) fn of_answer(answer: &Confirmation) -> Outcome {
    match answer {
        Confirmation::Ack(None) | Confirmation::NotRequested => Outcome::Ok,
        Confirmation::Ack(Some(returned)) => {
            Outcome::error(reply_code_name(returned.reply_code), returned.reply_text.as_str().to_owned())
        }
        Confirmation::Nack(_) => Outcome::error("nack", "the broker could not take the message"),
    }
}

/// A message that was answered but did not arrive, as an error for those who wait for what comes after it. Not an I/O error: lapin's users
/// connect anew on those.
pub(crate) fn refused(answer: Confirmation) -> lapin::Result<()> {
    let refusal = |text: String| {
        let text = ShortString::try_new(text).unwrap_or_default();
        AMQPError::new(AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED), text)
    };
    let reason = match answer {
        Confirmation::Ack(None) | Confirmation::NotRequested => return Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            returned.error().unwrap_or_else(|| refusal(format!("the message came back: {}", returned.reply_text)))
        }
        Confirmation::Nack(None) => refusal("the broker did not take the message (basic.nack)".to_owned()),
    };
    Err(ErrorKind::ProtocolError(reason).into())
}

pub(crate) fn of_error(error: &Error) -> Outcome {
    Outcome::error(error_type(error), error.to_string())
}

fn error_type(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::ProtocolError(error) => reply_code_name(error.get_id()),
        ErrorKind::ChannelsLimitReached => "channels_limit_reached",
        ErrorKind::InvalidProtocolVersion(_) => "invalid_protocol_version",
        ErrorKind::InvalidChannel(_) => "invalid_channel",
        ErrorKind::InvalidChannelState(..) => "invalid_channel_state",
        ErrorKind::InvalidConnectionState(_) => "invalid_connection_state",
        ErrorKind::IOError(_) => "io_error",
        ErrorKind::RuntimeShutdownError(_) => "runtime_shutdown",
        ErrorKind::ParsingError(_) => "parsing_error",
        ErrorKind::SerialisationError(_) => "serialisation_error",
        ErrorKind::AuthProviderError(_) => "auth_provider_error",
        ErrorKind::FutureCompleted => "future_completed",
        ErrorKind::NoDefaultRuntime => "no_default_runtime",
        ErrorKind::MissingHeartbeatError => "missing_heartbeat",
        _ => "_OTHER",
    }
}

/// The reply codes' names of AMQP 0-9-1 (section 1.1, "AMQP-defined constants").
fn reply_code_name(code: u16) -> &'static str {
    match code {
        311 => "CONTENT_TOO_LARGE",
        312 => "NO_ROUTE",
        313 => "NO_CONSUMERS",
        320 => "CONNECTION_FORCED",
        402 => "INVALID_PATH",
        403 => "ACCESS_REFUSED",
        404 => "NOT_FOUND",
        405 => "RESOURCE_LOCKED",
        406 => "PRECONDITION_FAILED",
        501 => "FRAME_ERROR",
        502 => "SYNTAX_ERROR",
        503 => "COMMAND_INVALID",
        504 => "CHANNEL_ERROR",
        505 => "UNEXPECTED_FRAME",
        506 => "RESOURCE_ERROR",
        530 => "NOT_ALLOWED",
        540 => "NOT_IMPLEMENTED",
        541 => "INTERNAL_ERROR",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn lapins_errors_have_names_of_low_cardinality() {
        for (error, name) in [
            (Error::from(io::Error::from(io::ErrorKind::ConnectionReset)), "io_error"),
            (Error::from(ErrorKind::InvalidChannel(7)), "invalid_channel"),
            (Error::from(ErrorKind::MissingHeartbeatError), "missing_heartbeat"),
        ] {
            assert_eq!(error_type(&error), name);
        }
    }

    #[test]
    fn only_a_confirmed_message_that_was_not_returned_is_a_success() {
        assert_eq!(of_confirmation(&Ok(Confirmation::Ack(None))), Outcome::Ok);
        assert_eq!(of_confirmation(&Ok(Confirmation::NotRequested)), Outcome::Ok);
        assert!(
            matches!(of_confirmation(&Ok(Confirmation::Nack(None))), Outcome::Error { kind, .. } if kind == "nack")
        );
    }
}
