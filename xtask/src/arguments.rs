//! The command line.

use test_brokers::{KINDS, Kind, RABBITMQ, REDIS, Way};

const HELP: &str = "\
Usage: cargo xtask <demo|test> [OPTIONS] [-- ARGUMENTS]

Commands:
  demo  Orders travel through seven services, a real RabbitMQ and Redis; the terminal shows their traces
  test  All tests of the workspace, against a real RabbitMQ, Kafka, Redis and PostgreSQL";

const OPTIONS: &str = "\
Options:
  -y, --yes             Install what is missing without asking
      --with-docker     Only a container will do
      --without-docker  Only a server process of this machine will do
  -h, --help            This text; after a command, more about it";

const BROKERS: &str = "\
Each broker is the first of these that there is: the one that TRACED_RABBITMQ_URL, TRACED_KAFKA_URL, TRACED_REDIS_URL,
TRACED_REDIS_CLUSTER_URL or TRACED_POSTGRES_URL names (URLs, and Kafka's bootstrap servers as host:port[,host:port]); a container,
where a Docker engine answers; a process of this machine. On Debian and Ubuntu root gets what is missing for that by apt-get:
rabbitmq-server, redis-server, postgresql, Java and Maven. It lists the packages first and asks on a terminal, and no service
is started. Maven then fetches Kafka's jars, once, into ~/.cache/traced.

TRACED_BROKERS=address|docker|local leaves one way only, for all brokers. TRACED_RABBITMQ_IMAGE, TRACED_KAFKA_IMAGE,
TRACED_REDIS_IMAGE and TRACED_POSTGRES_IMAGE name other images, TRACED_RABBITMQ_SERVER, TRACED_REDIS_SERVER and
TRACED_POSTGRES_SERVER the server's program, TRACED_KAFKA_HOME the directory of a Kafka 4, which needs no Maven.";

const DEMO: &str = "\
Usage: cargo xtask demo [OPTIONS] [-- ARGUMENTS OF THE DEMO]

Runs the demo: orders travel through seven services, a real RabbitMQ, job queues in SQLite, Kafka and a real Redis, and the terminal
shows their traces. With OTEL_EXPORTER_OTLP_ENDPOINT set they also go there. The picture is written to target/demo/trace.svg as well,
or where `-- --svg FILE` says.";

const TEST: &str = "\
Usage: cargo xtask test [OPTIONS] [-- ARGUMENTS OF CARGO TEST]

Runs `cargo test --locked --workspace --all-features`; arguments after `--` take the place of the last two, as in
`cargo xtask test -- -p integration-tests --test conformance`.
The tests with partners in Python need python3 with venv: where it is missing and apt-get is there, root gets it too.";

/// What to run once there are brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Demo,
    Test,
}

impl Task {
    /// Its word on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Test => "test",
        }
    }

    /// The kinds of broker that it needs.
    pub(crate) fn kinds(self) -> &'static [&'static Kind] {
        match self {
            Self::Demo => &[&RABBITMQ, &REDIS],
            Self::Test => &KINDS,
        }
    }
}

/// A command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) task: Task,
    /// The only way that will do.
    pub(crate) way: Option<Way>,
    pub(crate) yes: bool,
    /// What stands after `--`.
    pub(crate) rest: Vec<String>,
}

/// What to do about a command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Help(String),
    Run(Request),
}

/// Reads the arguments, the program's name left out. An error says where to read what there is.
pub(crate) fn parse(arguments: &[String]) -> Result<Parsed, String> {
    let mut arguments = arguments.iter().map(String::as_str);
    let task = match arguments.next() {
        Some("demo") => Task::Demo,
        Some("test") => Task::Test,
        Some("-h" | "--help" | "help") => return Ok(Parsed::Help(format!("{HELP}\n\n{OPTIONS}\n\n{BROKERS}"))),
        Some(other) => return Err(format!("unknown command {other:?}; `cargo xtask --help` lists what there is")),
        None => return Err("no command given; `cargo xtask --help` lists what there is".to_owned()),
    };
    options(task, arguments)
        .map_err(|error| format!("{error}; `cargo xtask {} --help` lists what there is", task.name()))
}

fn options<'a>(task: Task, mut arguments: impl Iterator<Item = &'a str>) -> Result<Parsed, String> {
    let about = match task {
        Task::Demo => DEMO,
        Task::Test => TEST,
    };
    let mut request = Request { task, way: None, yes: false, rest: Vec::new() };
    while let Some(argument) = arguments.next() {
        match argument {
            "-y" | "--yes" => request.yes = true,
            "--with-docker" => set_way(&mut request, Way::Docker)?,
            "--without-docker" => set_way(&mut request, Way::Local)?,
            "-h" | "--help" => return Ok(Parsed::Help(format!("{about}\n\n{OPTIONS}\n\n{BROKERS}"))),
            "--" => request.rest = arguments.by_ref().map(str::to_owned).collect(),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(Parsed::Run(request))
}

fn set_way(request: &mut Request, way: Way) -> Result<(), String> {
    match request.way.replace(way) {
        Some(other) if other != way => Err("--with-docker and --without-docker rule each other out".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Parsed, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_stands_after_two_dashes_is_passed_on() {
        let expected = Request {
            task: Task::Test,
            way: Some(Way::Local),
            yes: true,
            rest: ["-p", "x", "--", "--yes"].map(str::to_owned).to_vec(),
        };
        assert_eq!(parse_line("test --without-docker -y -- -p x -- --yes"), Ok(Parsed::Run(expected)));
    }

    #[test]
    fn each_command_has_its_help() {
        for (line, part) in [("--help", "<demo|test>"), ("demo --help", "xtask demo"), ("test -y -h", "xtask test")] {
            let Ok(Parsed::Help(text)) = parse_line(line) else { panic!("no help for {line}") };
            assert!(text.contains(part) && text.contains("--without-docker"), "{text}");
        }
    }

    #[test]
    fn what_is_unknown_or_contradicts_itself_is_an_error() {
        for (line, help) in [
            ("", "`cargo xtask --help`"),
            ("tset", "`cargo xtask --help`"),
            ("test --fast", "`cargo xtask test --help`"),
            ("demo more", "`cargo xtask demo --help`"),
            ("test --with-docker --without-docker", "`cargo xtask test --help`"),
        ] {
            let error = parse_line(line).expect_err(line);
            assert!(error.contains(help), "{error}");
        }
    }
}
