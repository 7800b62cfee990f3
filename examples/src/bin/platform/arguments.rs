//! The command line.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

pub(crate) const HELP: &str = "\
Usage: platform <serve|demo|load> [OPTIONS]

The order platform: seven services, which one trace connects.

Commands:
  serve SERVICE  One of the services, until it is asked to end
  demo           All of them at once, three orders, and a picture of their traces
  load           All of them at once, many orders, and how long each hop took

Options:
  -h, --help     This text; after a command, more about it";

pub(crate) const SERVE: &str = "\
Usage: platform serve SERVICE

Services: gateway, user-service, order-service, inventory-worker, analytics-worker, job-worker, notifier.

Environment:
  LISTEN                        Where it listens, workers too: for their health checks
  GRPC_LISTEN                   Where the user service listens for gRPC
  USER_SERVICE_URL, USER_SERVICE_GRPC_URL, ORDER_SERVICE_URL
                                Where the gateway finds the others
  RABBITMQ_URL, KAFKA_BROKERS, REDIS_URL, DATABASE_URL
                                Where the brokers are, and the database: sqlite://FILE?mode=rwc or postgres://..
  OTEL_*                        As everywhere: OTEL_EXPORTER_OTLP_ENDPOINT is where telemetry goes";

const DEMO: &str = "\
Usage: platform demo [--svg FILE]

Three orders travel through seven services, each a process of its own: by HTTP, gRPC, RabbitMQ, Kafka, jobs in SQLite, and Redis. Coffee
goes well, tea needs a second attempt, and saffron cannot be paid for. The terminal shows their traces, as they came by OTLP.

Options:
      --svg FILE  Also write the picture as SVG
  -h, --help      This text

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT  Send all telemetry on to there, by OTLP over HTTP: http://127.0.0.1:4318
  NO_COLOR                     No colours
  TRACED_RABBITMQ_URL          The RabbitMQ to use; otherwise a container or a process of this machine is started
  TRACED_REDIS_URL             The Redis to use; otherwise a container or a process of this machine is started
  TRACED_KAFKA_URL             The Kafka to use, as host:port; otherwise librdkafka's mock cluster, inside this process
  TRACED_BROKERS               address, docker or local: only this way to have a RabbitMQ and a Redis";

const LOAD: &str = "\
Usage: platform load [OPTIONS]

Many orders, and how long they took: rates, each hop's latencies, errors, and messages that came without a context.

Options:
      --orders N       So many orders; 200 by default
      --concurrency N  So many at a time; 8 by default
      --gateway URL    Of a platform that runs already. Its spans are where it sends them, so that there are no hops in the summary
      --health URL     Of a service of such a platform, for its messages without a context; can be given repeatedly
  -h, --help           This text

Environment: that of `platform demo`.";

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
    Serve(String),
    Demo(Demo),
    Load(Load),
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Demo {
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) orders: usize,
    pub(crate) concurrency: usize,
    pub(crate) gateway: Option<String>,
    pub(crate) health: Vec<String>,
}

impl Default for Load {
    fn default() -> Self {
        Self { orders: 200, concurrency: 8, gateway: None, health: Vec::new() }
    }
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let arguments: Result<Vec<_>, _> = arguments.into_iter().map(OsString::into_string).collect();
    let arguments = arguments.map_err(|argument| format!("{} is no UTF-8", argument.display()))?;
    let mut arguments = arguments.into_iter();
    match arguments.next().as_deref() {
        Some("serve") => serve(arguments),
        Some("demo") => demo(arguments),
        Some("load") => load(arguments),
        Some("-h" | "--help") => Ok(Command::Help(HELP)),
        Some(other) => Err(unknown(other)),
        None => Err("a command is missing".to_owned()),
    }
}

fn serve(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let service = arguments.next().ok_or("a service's name is missing")?;
    match (service.as_str(), arguments.next()) {
        ("-h" | "--help", _) => Ok(Command::Help(SERVE)),
        (option, _) if option.starts_with('-') => Err(unknown(option)),
        (_, Some(other)) => Err(unknown(&other)),
        (_, None) => Ok(Command::Serve(service)),
    }
}

fn demo(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut demo = Demo::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help(DEMO)),
            "--svg" => demo.svg = Some(arguments.next().ok_or("--svg needs a file's name")?.into()),
            other => return Err(unknown(other)),
        }
    }
    Ok(Command::Demo(demo))
}

fn load(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut load = Load::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help(LOAD)),
            "--orders" => load.orders = number(&argument, &value()?)?,
            "--concurrency" => load.concurrency = number(&argument, &value()?)?,
            "--gateway" => load.gateway = Some(url(&argument, &value()?)?),
            "--health" => load.health.push(url(&argument, &value()?)?),
            other => return Err(unknown(other)),
        }
    }
    if load.gateway.is_none() && !load.health.is_empty() {
        return Err("--health goes with --gateway".to_owned());
    }
    Ok(Command::Load(load))
}

fn number(option: &str, value: &str) -> Result<usize, String> {
    let number = value.parse().map(NonZeroUsize::get);
    number.map_err(|_| format!("{option} takes a number above zero, not {value}"))
}

fn url(option: &str, value: &str) -> Result<String, String> {
    match reqwest::Url::parse(value) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(value.trim_end_matches('/').to_owned()),
        _ => Err(format!("{option} takes a URL such as http://127.0.0.1:8080, not {value}")),
    }
}

fn unknown(argument: &str) -> String {
    format!("unknown argument {argument}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn known_arguments_are_read() {
        let load = |load| Ok(Command::Load(load));
        let all = Load {
            orders: 7,
            concurrency: 2,
            gateway: Some("http://a:1".to_owned()),
            health: vec!["http://b:2".to_owned(), "http://c:3".to_owned()],
        };
        for (line, expected) in [
            ("serve gateway", Ok(Command::Serve("gateway".to_owned()))),
            ("demo", Ok(Command::Demo(Demo::default()))),
            ("demo --svg a.svg", Ok(Command::Demo(Demo { svg: Some("a.svg".into()) }))),
            // `cargo xtask demo` names one, and its user may name another.
            ("demo --svg a.svg --svg b.svg", Ok(Command::Demo(Demo { svg: Some("b.svg".into()) }))),
            ("load", load(Load::default())),
            (
                "load --orders 7 --concurrency 2 --gateway http://a:1/ --health http://b:2 --health http://c:3",
                load(all),
            ),
        ] {
            assert_eq!(parse_line(line), expected, "{line}");
        }
    }

    #[test]
    fn help_is_there_for_all_of_it() {
        for (line, part) in [
            ("--help", "<serve|demo|load>"),
            ("serve -h", "platform serve"),
            ("demo --svg a.svg --help", "platform demo"),
            ("load --help", "platform load"),
        ] {
            assert!(matches!(parse_line(line), Ok(Command::Help(text)) if text.contains(part)), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, expected) in [
            ("", "a command is missing"),
            ("run", "unknown argument run"),
            ("serve", "a service's name is missing"),
            ("serve --all", "unknown argument --all"),
            ("serve gateway notifier", "unknown argument notifier"),
            ("demo --png a", "unknown argument --png"),
            ("demo --svg", "--svg needs a file's name"),
            ("load --orders", "--orders needs a value"),
            ("load --health http://a:1", "--health goes with --gateway"),
            ("load --orders 0", "--orders takes a number above zero, not 0"),
            ("load --concurrency many", "--concurrency takes a number above zero, not many"),
            (
                "load --gateway localhost:8080",
                "--gateway takes a URL such as http://127.0.0.1:8080, not localhost:8080",
            ),
        ] {
            assert_eq!(parse_line(line), Err(expected.to_owned()), "{line}");
        }
    }
}
