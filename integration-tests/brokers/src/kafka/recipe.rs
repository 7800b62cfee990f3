//! How a Kafka is started: in a container of the official image, and from its jars.

use std::{
    fs,
    io::{self, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Result, anyhow, bail};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::{
    KAFKA, answers, jars, java,
    properties::{Listeners, variable},
};
use crate::{
    port::free_port,
    recipe::{Commands, Place, Recipe},
};

pub(super) const RECIPE: Recipe =
    Recipe { kind: KAFKA, container, once_addressed: Some(advertise), commands, ask: answers::ask };

/// Any will do: 16 bytes in URL-safe Base64.
const CLUSTER: &str = "dHJhY2VkLXRlc3RzLi4uLg";
const HEAP: &str = "-Xmx512m";

const IN_CONTAINER: Listeners = Listeners { host: "0.0.0.0", clients: KAFKA.port, broker: 19_092, controller: 19_093 };
const START_SCRIPT: &str = "/tmp/start.sh";

/// Kafka tells its clients where to go on to, and what the engine's machine is called is known only once the container runs:
/// so it waits for a script that says so. At a later start the script is there.
fn container(image: GenericImage, port: u16) -> ContainerRequest<GenericImage> {
    let wait = format!("until [ -f {START_SCRIPT} ]; do sleep 0.1; done; . {START_SCRIPT}");
    let mut request = image
        .with_entrypoint("sh")
        .with_cmd(["-c", &wait])
        .with_mapped_port(port, KAFKA.port.tcp())
        .with_env_var("KAFKA_HEAP_OPTS", HEAP)
        .with_env_var("CLUSTER_ID", CLUSTER);
    for (name, value) in IN_CONTAINER.properties("/tmp/kraft-combined-logs") {
        request = request.with_env_var(variable(name), value);
    }
    request
}

/// Of a shell, in the container: brings the script, whole or not at all.
fn advertise(host: &str, port: u16) -> String {
    let advertised = IN_CONTAINER.advertised(host, port);
    format!(
        "echo 'export KAFKA_ADVERTISED_LISTENERS={advertised}; exec /etc/kafka/docker/run' >{START_SCRIPT}.new \
         && mv {START_SCRIPT}.new {START_SCRIPT}"
    )
}

fn commands(place: &Place<'_>) -> Result<Commands> {
    java::check(place.program).map_err(|why| anyhow!(why))?;
    // Past the test harness, which keeps what is printed to itself: a download that nobody sees looks like a test that hangs.
    let say = |line: &str| drop(writeln!(io::stderr(), "test-brokers: {line}"));
    let libs = jars::provide(place.environment, &say).map_err(|why| anyhow!(why))?;

    let listeners =
        Listeners { host: "127.0.0.1", clients: place.port, broker: free_port()?, controller: free_port()? };
    let (properties, log) = (place.path("server.properties"), place.path("log4j2.properties"));
    let mut text = format!("advertised.listeners={}\n", listeners.advertised("127.0.0.1", place.port));
    for (name, value) in listeners.properties(&place.path("data").display().to_string()) {
        text += &format!("{name}={value}\n");
    }
    fs::write(&properties, text)?;
    fs::write(&log, LOG)?;

    let java = |class: &str| {
        let mut java = Command::new(place.program);
        java.args([HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Dlog4j2.configurationFile={}", log.display()))
            .arg("-cp")
            .arg(libs.join("*"))
            .arg(class);
        java
    };
    let formatted = java("kafka.tools.StorageTool")
        .args(["format", "--cluster-id", CLUSTER, "--config"])
        .arg(&properties)
        .current_dir(place.directory)
        .stdin(Stdio::null())
        .output()?;
    if !formatted.status.success() {
        let why = String::from_utf8_lossy(&formatted.stderr).trim().to_owned();
        bail!("its storage cannot be formatted ({}): {why}", formatted.status);
    }
    let mut server = java("kafka.Kafka");
    server.arg(&properties);
    Ok(Commands { helpers: Vec::new(), server })
}

/// To standard output, where the line is waited for.
const LOG: &str = "\
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.stdout.ref = stdout
";
