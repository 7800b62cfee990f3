//! The command line.

use std::{ffi::OsString, path::PathBuf};

pub(crate) const HELP: &str = "\
Usage: demo [--svg FILE]

Orders travel through a real RabbitMQ: one is processed at once, one at the second attempt, one ends as a dead letter.
What was packed goes on through a job queue in SQLite, Kafka and a real Redis. The terminal shows their traces.

Options:
      --svg FILE  Also write the picture as SVG
  -h, --help      This text

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT  Also send the spans there, by OTLP over HTTP: http://127.0.0.1:4318
  NO_COLOR                     No colours
  TRACED_RABBITMQ_URL          The RabbitMQ to use; otherwise a container or a process of this machine is started
  TRACED_REDIS_URL             The Redis to use; otherwise a container or a process of this machine is started
  TRACED_KAFKA_URL             The Kafka to use, as host:port; otherwise librdkafka's mock cluster, inside this process
  TRACED_BROKERS               address, docker or local: only this way to have a RabbitMQ and a Redis";

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Parsed {
    Help,
    Run(Arguments),
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, String> {
    let mut arguments = arguments.into_iter();
    let mut parsed = Arguments::default();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("-h" | "--help") => return Ok(Parsed::Help),
            Some("--svg") => parsed.svg = Some(arguments.next().ok_or("--svg needs a file's name")?.into()),
            _ => return Err(format!("unknown argument {}", argument.display())),
        }
    }
    Ok(Parsed::Run(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Parsed, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn known_arguments_are_read() {
        assert_eq!(parse_line(""), Ok(Parsed::Run(Arguments::default())));
        assert_eq!(parse_line("--svg a.svg"), Ok(Parsed::Run(Arguments { svg: Some("a.svg".into()) })));
        assert_eq!(parse_line("--svg a.svg --help"), Ok(Parsed::Help));
    }

    #[test]
    fn unknown_ones_are_named() {
        assert_eq!(parse_line("--png a"), Err("unknown argument --png".to_owned()));
        assert_eq!(parse_line("--svg"), Err("--svg needs a file's name".to_owned()));
    }
}
