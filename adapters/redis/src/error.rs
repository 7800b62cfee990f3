//! What redis' errors are called in `error.type`.

use redis::{ErrorKind, RedisError};
use traced_envelope::Outcome;

/// How a command ended.
pub(crate) fn of_result<T>(result: &redis::RedisResult<T>) -> Outcome {
    result.as_ref().map_or_else(of_error, |_| Outcome::Ok)
}

pub(crate) fn of_error(error: &RedisError) -> Outcome {
    Outcome::error(error_type(error), error.to_string())
}

/// The server's codes as they are (`NOAUTH`, `READONLY`), and names for what happens on this side.
fn error_type(error: &RedisError) -> &'static str {
    if error.is_timeout() {
        return "timeout";
    }
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => code(error),
        ErrorKind::AuthenticationFailed => "authentication_failed",
        ErrorKind::Client => "client_error",
        ErrorKind::ClusterConnectionNotFound => "cluster_connection_not_found",
        ErrorKind::EmptySentinelList => "empty_sentinel_list",
        ErrorKind::InvalidClientConfig => "invalid_client_config",
        ErrorKind::Io => "io_error",
        ErrorKind::MasterNameNotFoundBySentinel => "master_name_not_found",
        ErrorKind::NoValidReplicasFoundBySentinel => "no_valid_replicas",
        ErrorKind::Parse => "parse_error",
        ErrorKind::RESP3NotSupported => "resp3_not_supported",
        ErrorKind::UnexpectedReturnType => "unexpected_return_type",
        _ => "_OTHER",
    }
}

/// The server's codes; others come from modules and scripts, and there may be any number of them.
fn code(error: &RedisError) -> &'static str {
    const KNOWN: [&str; 24] = [
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "CROSSSLOT",
        "DENIED",
        "ERR",
        "EXECABORT",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOGOODSLAVE",
        "NOPERM",
        "NOPROTO",
        "NOREPLICAS",
        "NOSCRIPT",
        "NOTBUSY",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
        "WRONGPASS",
        "WRONGTYPE",
    ];
    KNOWN.into_iter().find(|known| error.code() == Some(*known)).unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn errors_have_names_of_low_cardinality() {
        for (error, name) in [
            (io::Error::from(io::ErrorKind::TimedOut).into(), "timeout"),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), "io_error"),
            ((ErrorKind::Client, "x").into(), "client_error"),
            ((ErrorKind::UnexpectedReturnType, "x").into(), "unexpected_return_type"),
            (redis::make_extension_error("NOAUTH".to_owned(), None), "NOAUTH"),
            (redis::make_extension_error("order-7-failed".to_owned(), None), "_OTHER"),
        ] {
            assert_eq!(error_type(&error), name, "{error:?}");
        }
    }
}
