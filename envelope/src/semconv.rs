//! The messaging conventions' names: every attribute key, metric and span-name rule of this workspace is written here, once.
//!
//! Sources: OpenTelemetry semantic conventions, *Messaging spans*, *Messaging metrics* and the RabbitMQ and Kafka pages, releases
//! 1.44 and 1.45. 1.45 renamed some attributes; [`SemConv`] says which names are written. The crate
//! `opentelemetry-semantic-conventions` 0.33 still has 1.42's, so it is not used.

use opentelemetry::{Key, KeyValue, Value};

/// Which release of the messaging conventions names the attributes.
///
/// The default is [`SemConv::V1_44`], which the instrumentations of the other languages write and dashboards read, unless the
/// environment variable `OTEL_SEMCONV_STABILITY_OPT_IN` lists `messaging` ([`SemConv::V1_45`]) or `messaging/dup`
/// ([`SemConv::Both`]).
///
/// ```
/// use traced_envelope::SemConv;
///
/// assert_eq!(SemConv::from_opt_in("http, messaging/dup"), SemConv::Both);
/// assert_eq!(SemConv::from_opt_in("messaging"), SemConv::V1_45);
/// assert_eq!(SemConv::from_opt_in("http"), SemConv::V1_44);
/// assert_eq!(SemConv::V1_45.schema_url(), "https://opentelemetry.io/schemas/1.45.0");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum SemConv {
    /// Release 1.44: `messaging.system`, `messaging.rabbitmq.destination.routing_key`, ...
    #[default]
    V1_44,
    /// Release 1.45: `messaging.system.name`, `rabbitmq.destination.routing_key`, ...
    V1_45,
    /// Both names on every span and metric, for the time of a migration.
    Both,
}

impl SemConv {
    /// Reads the value of `OTEL_SEMCONV_STABILITY_OPT_IN`: a list separated by commas, of which only `messaging` and
    /// `messaging/dup` matter here. `messaging/dup` wins, as the conventions ask.
    ///
    /// ```
    /// use traced_envelope::SemConv;
    ///
    /// assert_eq!(SemConv::from_opt_in("http/dup, messaging"), SemConv::V1_45);
    /// ```
    #[must_use]
    pub fn from_opt_in(list: &str) -> Self {
        let mut entries = list.split(',').map(str::trim);
        if entries.clone().any(|entry| entry == "messaging/dup") {
            Self::Both
        } else if entries.any(|entry| entry == "messaging") {
            Self::V1_45
        } else {
            Self::V1_44
        }
    }

    pub(crate) fn from_env() -> Self {
        std::env::var("OTEL_SEMCONV_STABILITY_OPT_IN").map_or(Self::V1_44, |list| Self::from_opt_in(&list))
    }

    /// The schema that the instrumentation scope names; with [`SemConv::Both`] the older one, whose names are complete.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, SemConv, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").semconv(SemConv::V1_45));
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish orders").scope().schema_url(), Some(SemConv::V1_45.schema_url()));
    /// ```
    #[must_use]
    pub fn schema_url(self) -> &'static str {
        match self {
            Self::V1_44 | Self::Both => "https://opentelemetry.io/schemas/1.44.0",
            Self::V1_45 => "https://opentelemetry.io/schemas/1.45.0",
        }
    }

    /// Appends an attribute under the name, or names, of this release.
    #[inline]
    pub(crate) fn push(self, attributes: &mut Vec<KeyValue>, name: &Name, value: impl Into<Value>) {
        let value = value.into();
        if self == Self::Both && name.v1_44 != name.v1_45 {
            attributes.push(KeyValue::new(Key::from_static_str(name.v1_45), value.clone()));
        }
        let key = if self == Self::V1_45 { name.v1_45 } else { name.v1_44 };
        attributes.push(KeyValue::new(Key::from_static_str(key), value));
    }
}

/// The name of an attribute, in each release of the conventions.
///
/// Adapters hand these to [`Operation::attribute`](crate::Operation::attribute) and
/// [`Destination::attribute`](crate::Destination::attribute); which of the names is written is a matter of
/// [`Settings::semconv`](crate::Settings::semconv).
///
/// ```
/// use traced_envelope::semconv::{KAFKA_OFFSET, Name};
///
/// assert_eq!(KAFKA_OFFSET.in_1_44(), "messaging.kafka.offset");
/// assert_eq!(KAFKA_OFFSET.in_1_45(), "kafka.offset");
/// assert_eq!(Name::unchanged("nats.subject").in_1_45(), "nats.subject");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Name {
    v1_44: &'static str,
    v1_45: &'static str,
}

impl Name {
    /// A name that is the same in all releases, or one of the application's own.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, semconv::Name, testing::Capture};
    ///
    /// const QUEUE_GROUP: Name = Name::unchanged("nats.queue_group");
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let operation = Operation::new("process", "orders").attribute(&QUEUE_GROUP, "pickers");
    /// drop(telemetry.process(operation, &MessageHeaders::new()));
    /// assert_eq!(capture.span("process orders").attribute("nats.queue_group"), Some(&"pickers".into()));
    /// ```
    #[must_use]
    pub const fn unchanged(name: &'static str) -> Self {
        Self { v1_44: name, v1_45: name }
    }

    const fn renamed(v1_44: &'static str, v1_45: &'static str) -> Self {
        Self { v1_44, v1_45 }
    }

    /// The name in release 1.44.
    ///
    /// ```
    /// use traced_envelope::semconv;
    ///
    /// assert_eq!(semconv::RABBITMQ_ROUTING_KEY.in_1_44(), "messaging.rabbitmq.destination.routing_key");
    /// ```
    #[must_use]
    pub const fn in_1_44(&self) -> &'static str {
        self.v1_44
    }

    /// The name in release 1.45.
    ///
    /// ```
    /// use traced_envelope::semconv;
    ///
    /// assert_eq!(semconv::RABBITMQ_ROUTING_KEY.in_1_45(), "rabbitmq.destination.routing_key");
    /// ```
    #[must_use]
    pub const fn in_1_45(&self) -> &'static str {
        self.v1_45
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $constant:ident = $first:literal $(=> $second:literal)?;)*) => {
        $(
            $(#[$doc])*
            pub const $constant: Name = names!(@ $first $(=> $second)?);
        )*
    };
    (@ $v1_44:literal => $v1_45:literal) => { Name::renamed($v1_44, $v1_45) };
    (@ $name:literal) => { Name::unchanged($name) };
}

names! {
    /// The messaging system: `rabbitmq`, `kafka`, `redis`, ...
    SYSTEM = "messaging.system" => "messaging.system.name";
    /// What the client calls the operation: `publish`, `ack`, ...
    OPERATION_NAME = "messaging.operation.name";
    /// What kind of operation it is: `create`, `send`, `receive`, `process` or `settle`.
    OPERATION_TYPE = "messaging.operation.type";
    /// Why the operation failed, of low cardinality.
    ERROR_TYPE = "error.type";
    /// Where the message goes or comes from.
    DESTINATION_NAME = "messaging.destination.name";
    /// The low-cardinality form of the destination's name.
    DESTINATION_TEMPLATE = "messaging.destination.template";
    /// The destination has a name that the broker or a library made up.
    DESTINATION_ANONYMOUS = "messaging.destination.anonymous";
    /// The destination goes away with its last user.
    DESTINATION_TEMPORARY = "messaging.destination.temporary";
    /// The partition, as text.
    DESTINATION_PARTITION = "messaging.destination.partition.id";
    /// How many messages a batch call handled.
    BATCH_MESSAGE_COUNT = "messaging.batch.message_count";
    /// The message's own id.
    MESSAGE_ID = "messaging.message.id";
    /// What messages of one conversation have in common: AMQP's correlation id.
    CONVERSATION_ID = "messaging.message.conversation_id";
    /// The payload's size in bytes.
    BODY_SIZE = "messaging.message.body.size";
    /// The size in bytes of payload and metadata: of a message's wire form, where its context travels inside.
    ENVELOPE_SIZE = "messaging.message.envelope.size";
    /// The client's id.
    CLIENT_ID = "messaging.client.id";
    /// The consumer group.
    CONSUMER_GROUP = "messaging.consumer.group.name";
    /// The broker's address.
    SERVER_ADDRESS = "server.address";
    /// The broker's port.
    SERVER_PORT = "server.port";
    /// RabbitMQ's routing key.
    RABBITMQ_ROUTING_KEY = "messaging.rabbitmq.destination.routing_key" => "rabbitmq.destination.routing_key";
    /// RabbitMQ's delivery tag.
    RABBITMQ_DELIVERY_TAG = "messaging.rabbitmq.message.delivery_tag" => "rabbitmq.message.delivery_tag";
    /// Kafka's message key.
    KAFKA_MESSAGE_KEY = "messaging.kafka.message.key" => "kafka.message.key";
    /// Kafka's offset.
    KAFKA_OFFSET = "messaging.kafka.offset" => "kafka.offset";
    /// Whether a Kafka record is a tombstone.
    KAFKA_TOMBSTONE = "messaging.kafka.message.tombstone" => "kafka.message.tombstone";
    /// Kafka's cluster id.
    KAFKA_CLUSTER_ID = "messaging.kafka.cluster.id" => "kafka.cluster.id";
    /// Our own, of apalis' jobs: which attempt this is, 1 for the first.
    APALIS_ATTEMPT = "apalis.attempt";
    /// Our own, of apalis' jobs: how many attempts there may be.
    APALIS_MAX_ATTEMPTS = "apalis.max_attempts";
    /// Our own, of apalis' jobs: `ok`, `error`, `panic`, `abort`, `deferred` or `cancelled`.
    APALIS_OUTCOME = "apalis.outcome";
    /// Our own, of apalis' jobs: the priority.
    APALIS_PRIORITY = "apalis.priority";
    /// Our own, of apalis' jobs: when it was enqueued, in milliseconds since the Unix epoch.
    APALIS_ENQUEUED_AT = "apalis.enqueued_at";
    /// Our own, of apalis' jobs: from when on it may run, in seconds since the Unix epoch.
    APALIS_RUN_AT = "apalis.run_at";
    /// Our own, of apalis' jobs: the worker.
    APALIS_WORKER = "apalis.worker";
    /// Our own: the time that the message spent in the broker, in seconds.
    WAIT_DURATION = "traced.message.wait.duration";
    /// Our own: which attempt at the message this is, 1 for the first; absent when unknown.
    ATTEMPT = "traced.message.attempt";
    /// Our own: how many links a batch span had to leave out.
    LINKS_DROPPED = "traced.links.dropped";
    /// Our own: why a message came without a context: `absent`, `invalid` or `conflicting`.
    CONTEXT_REASON = "traced.context.reason";
}

/// The value of [`DESTINATION_PARTITION`], a text: of the usual numbers without making one.
///
/// ```
/// use traced_envelope::semconv::partition_id;
///
/// assert_eq!((partition_id(3), partition_id(1234)), ("3".into(), "1234".into()));
/// ```
#[must_use]
pub fn partition_id(partition: i32) -> Value {
    const USUAL: [&str; 32] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
        "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
    ];
    let usual = usize::try_from(partition).ok().and_then(|partition| USUAL.get(partition).copied());
    usual.map_or_else(|| partition.to_string().into(), Into::into)
}

/// Names of instruments.
pub(crate) mod metric {
    pub(crate) const OPERATION_DURATION: &str = "messaging.client.operation.duration";
    pub(crate) const PROCESS_DURATION: &str = "messaging.process.duration";
    pub(crate) const SENT_MESSAGES: &str = "messaging.client.sent.messages";
    pub(crate) const CONSUMED_MESSAGES: &str = "messaging.client.consumed.messages";
    pub(crate) const CONTEXT_MISSING: &str = "traced.context.missing";
    pub(crate) const WAIT_DURATION: &str = "traced.message.wait.duration";
    /// The conventions' bucket boundaries, in seconds.
    pub(crate) const BUCKETS: [f64; 14] =
        [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(semconv: SemConv, name: &Name) -> Vec<String> {
        let mut attributes = Vec::new();
        semconv.push(&mut attributes, name, "rabbitmq");
        attributes.into_iter().map(|attribute| attribute.key.to_string()).collect()
    }

    #[test]
    fn a_renamed_attribute_has_each_releases_name_and_an_unchanged_one_is_written_once() {
        assert_eq!(keys(SemConv::V1_44, &SYSTEM), ["messaging.system"]);
        assert_eq!(keys(SemConv::V1_45, &SYSTEM), ["messaging.system.name"]);
        assert_eq!(keys(SemConv::Both, &SYSTEM), ["messaging.system.name", "messaging.system"]);
        assert_eq!(keys(SemConv::Both, &ERROR_TYPE), ["error.type"]);
    }
}
