//! How a Kafka is started: in a container of the official image, and as a process, by the same commands with the same settings.

use std::{
    fs,
    io::{self, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Result, anyhow, bail};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::{
    KAFKA, answers, jars, java,
    properties::{LOG, Listeners},
};
use crate::{
    Broker,
    broker::Served,
    port::free_port,
    recipe::{Commands, Place, Recipe},
    shared::Shared,
};

/// A Kafka to test with: one node; topics are made when they are first named, with one partition.
///
/// Topics, messages and offsets outlast [`Broker::stop`] and [`Broker::kill`]; after a kill it takes some nine seconds more to
/// start again: its controller waits until the session of the broker that is no more has run out. The first group of a new Kafka
/// waits one to three seconds for its coordinator, later ones do not.
pub type Kafka = Broker<OfKafka>;

/// Stands for Kafka.
#[derive(Debug)]
pub struct OfKafka;

impl Served for OfKafka {
    const RECIPE: Recipe = Recipe {
        kind: KAFKA,
        ports: 1,
        url: str::to_owned,
        container,
        once_addressed: Some(prepare_container),
        commands,
        ask: answers::ask,
    };

    fn shared() -> &'static Shared<Kafka> {
        static SHARED: Shared<Kafka> = Shared::new();
        &SHARED
    }
}

impl Kafka {
    /// [`Broker::url`] by the name that Kafka has for it: a client's `bootstrap.servers`, as `host:port[,host:port]`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        self.url()
    }
}

/// Any will do: 16 bytes in URL-safe Base64.
const CLUSTER: &str = "dHJhY2VkLXRlc3RzLi4uLg";
/// Small, and quick to start.
const JVM: [&str; 3] = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const FORMAT: &str = "kafka.tools.StorageTool";
const SERVER: &str = "kafka.Kafka";

/// Where it is in the image.
const IMAGE_LIBS: &str = "/opt/kafka/libs";
/// Ours in the container.
const DIRECTORY: &str = "/tmp/traced";

/// Kafka tells its clients where to go on to, and what the engine's machine is called is known only once the container runs:
/// so it waits for a script that says so. At a later start the script is there.
fn container(image: GenericImage, port: u16) -> ContainerRequest<GenericImage> {
    let wait = format!("until [ -f {DIRECTORY}/start.sh ]; do sleep 0.1; done; . {DIRECTORY}/start.sh");
    image.with_entrypoint("sh").with_cmd(["-c", &wait]).with_mapped_port(port, KAFKA.port.tcp())
}

/// Not the image's own start: a later one need not do without formatting what is formatted.
fn prepare_container(host: &str, port: u16) -> String {
    let listeners = Listeners { host: "0.0.0.0", clients: KAFKA.port, broker: 19_092, controller: 19_093 };
    let properties = listeners.properties(&format!("{DIRECTORY}/data"), host, port);
    let java = arguments(&format!("{DIRECTORY}/log4j2.properties"), IMAGE_LIBS).join(" ");
    let file = format!("{DIRECTORY}/server.properties");
    // The script comes last, and whole or not at all.
    format!(
        "set -ef
mkdir -p {DIRECTORY}
cat >{file} <<'END'
{properties}END
cat >{DIRECTORY}/log4j2.properties <<'END'
{LOG}END
cat >{DIRECTORY}/new.sh <<'END'
set -ef
[ -f {DIRECTORY}/data/meta.properties ] || java {java} {FORMAT} format --cluster-id {CLUSTER} --config {file}
exec java {java} {SERVER} {file}
END
mv {DIRECTORY}/new.sh {DIRECTORY}/start.sh
"
    )
}

fn commands(place: &Place<'_>) -> Result<Commands> {
    java::check(place.program).map_err(|why| anyhow!(why))?;
    // Past the test harness, which keeps what is printed to itself: a download that nobody sees looks like a test that hangs.
    let say = |line: &str| drop(writeln!(io::stderr(), "test-brokers: {line}"));
    let libs = jars::provide(place.environment, &say).map_err(|why| anyhow!(why))?;

    let host = "127.0.0.1";
    let listeners = Listeners { host, clients: place.port, broker: free_port()?, controller: free_port()? };
    let (properties, log) = (place.path("server.properties"), place.path("log4j2.properties"));
    fs::write(&properties, listeners.properties(&place.path("data").display().to_string(), host, place.port))?;
    fs::write(&log, LOG)?;

    let java = |class: &str| {
        let mut java = Command::new(place.program);
        java.args(arguments(&log.display().to_string(), &libs.display().to_string())).arg(class);
        java
    };
    let formatted = java(FORMAT)
        .args(["format", "--cluster-id", CLUSTER, "--config"])
        .arg(&properties)
        .current_dir(place.directory)
        .stdin(Stdio::null())
        .output()?;
    if !formatted.status.success() {
        let why = String::from_utf8_lossy(&formatted.stderr).trim().to_owned();
        bail!("its storage cannot be formatted ({}): {why}", formatted.status);
    }
    let mut server = java(SERVER);
    server.arg(&properties);
    Ok(Commands { helpers: Vec::new(), server })
}

/// Of `java`, up to the class.
fn arguments(log: &str, libs: &str) -> Vec<String> {
    let log = format!("-Dlog4j2.configurationFile={log}");
    let mut arguments: Vec<_> = JVM.map(str::to_owned).into();
    arguments.extend([log, "-cp".to_owned(), format!("{libs}/*")]);
    arguments
}
