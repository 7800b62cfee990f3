//! The settings of a Kafka of one node, the same in a container and as a process:
//! <https://kafka.apache.org/41/documentation.html#brokerconfigs>.

/// What does not depend on where it runs. A factor above one would wait for brokers that never come.
const FIXED: [(&str, &str); 15] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    // Not by the clients' listener: from inside a container its advertised address may lead nowhere.
    ("inter.broker.listener.name", "BROKER"),
    ("listener.security.protocol.map", "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("auto.create.topics.enable", "true"),
    // A group's first member would wait three seconds for others.
    ("group.initial.rebalance.delay.ms", "0"),
    // It would be 50, made when the first group comes.
    ("offsets.topic.num.partitions", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];

/// Where it listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listeners {
    /// Where clients are heard; its own two are on loopback.
    pub(super) host: &'static str,
    pub(super) clients: u16,
    pub(super) broker: u16,
    pub(super) controller: u16,
}

impl Listeners {
    /// The text of `server.properties`. Clients keep the address that they were given only to ask for the advertised one.
    pub(super) fn properties(&self, data: &str, advertised_host: &str, advertised_port: u16) -> String {
        let Self { host, clients, broker, controller } = self;
        let mut text = format!(
            "listeners=CLIENT://{host}:{clients},BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=CLIENT://{advertised_host}:{advertised_port},BROKER://127.0.0.1:{broker}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             log.dirs={data}\n"
        );
        for (name, value) in FIXED {
            text += &format!("{name}={value}\n");
        }
        text
    }
}

/// Log4j's: to standard output, where the line is waited for.
pub(super) const LOG: &str = "\
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.stdout.ref = stdout
";
