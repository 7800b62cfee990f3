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
    /// The addresses to go on to: clients keep the first one only to ask for these.
    pub(super) fn advertised(&self, host: &str, port: u16) -> String {
        format!("CLIENT://{host}:{port},BROKER://127.0.0.1:{}", self.broker)
    }

    /// All properties but `advertised.listeners`.
    pub(super) fn properties(&self, data: &str) -> Vec<(&'static str, String)> {
        let Self { host, clients, broker, controller } = self;
        let listeners =
            format!("CLIENT://{host}:{clients},BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}");
        let mut properties: Vec<_> = FIXED.map(|(name, value)| (name, value.to_owned())).into();
        properties.push(("listeners", listeners));
        properties.push(("controller.quorum.voters", format!("1@127.0.0.1:{controller}")));
        properties.push(("log.dirs", data.to_owned()));
        properties
    }
}

/// A property's name as the official image takes it from the environment.
pub(super) fn variable(property: &str) -> String {
    format!("KAFKA_{}", property.to_uppercase().replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_a_variable_that_the_image_maps_back_to_it() {
        assert_eq!(variable("transaction.state.log.min.isr"), "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR");
        // The image's mapping has other marks for these two.
        assert!(FIXED.iter().all(|(name, _)| !name.contains(['_', '-'])));
    }
}
