//! What of a destination is worked out once instead of for each message.

use crate::destination::Destination;
use crate::destinations::Room;
use crate::fixed_attribute::Fixed;
use crate::interned::intern;
use crate::missing_contexts::Counts;
use crate::semconv::{self, Name};
use crate::{Relation, SemConv, Settings};
use opentelemetry::{Key, KeyValue, StringValue, Value};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A destination whose span name, attributes, relation and metric attributes are worked out: made by
/// [`Telemetry::prepare`](crate::Telemetry::prepare), cheap to clone.
///
/// ```
/// use traced_envelope::{Destination, MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
///
/// # let capture = Capture::new();
/// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
/// let orders = telemetry.prepare("process", Destination::new("orders")); // once, where the consumer is made
/// for _ in 0..2 {
///     telemetry.process(Operation::new("process", &orders), &MessageHeaders::new()).end(Outcome::Ok);
/// }
/// assert_eq!(capture.metric("messaging.client.consumed.messages").value(), 2.0);
/// ```
#[derive(Clone)]
pub struct PreparedDestination(Arc<Prepared>);

pub(crate) struct Prepared {
    operation: &'static str,
    span_name: Cow<'static, str>,
    /// The name as it was given.
    pub(crate) name: StringValue,
    /// What stands for the name where cardinality must be low; empty when nothing may.
    label: StringValue,
    /// What all spans of this destination have.
    pub(crate) attributes: Vec<Fixed>,
    pub(crate) relation: Option<Relation>,
    pub(crate) has_template: bool,
    messages: Vec<KeyValue>,
    /// Counts the messages that came without a usable context; known when the first one does.
    missing: OnceLock<Arc<Counts>>,
    /// With the type of the operation: known when the first one ends.
    timed: OnceLock<(&'static str, Vec<KeyValue>)>,
}

impl PreparedDestination {
    /// One for which there is neither room nor a template is in no metric.
    pub(crate) fn new(
        system: &'static str,
        operation: &'static str,
        destination: Destination,
        settings: &Settings,
        room: Room,
    ) -> Self {
        let Destination { name, template, anonymous, temporary, consumer_group, attributes } = destination;
        let group = settings.consumer_group.as_ref().or(consumer_group.as_ref()).filter(|group| !group.is_empty());
        let relation = settings.relations.iter().find(|(pattern, _)| pattern.matches(&name)).map(|(_, it)| *it);
        let given = settings.templates.iter().find(|(pattern, _)| pattern.matches(&name)).map(|(_, it)| it.clone());
        let template = given.or(template).filter(|template| !template.is_empty());
        let has_template = template.is_some();
        let listed = room.is_for(has_template);
        // Names that were made up come and go: what is interned stays for ever.
        let lasting = listed && !anonymous && !temporary;
        let keep = |text: String| -> StringValue {
            if lasting {
                intern(text).map_or_else(|text| Arc::<str>::from(text).into(), Into::into)
            } else {
                Arc::<str>::from(text).into()
            }
        };
        let template = template.map(keep);
        let name = keep(name);
        let label = template.clone().unwrap_or_else(|| if anonymous || temporary { "".into() } else { name.clone() });
        let span_name = name_of_span(operation, label.as_str());
        // A template is one of few, however many names belong to it.
        let counted = listed || has_template;
        let span_name =
            if counted { intern(span_name).map_or_else(Cow::Owned, Cow::Borrowed) } else { Cow::Owned(span_name) };

        let release = settings.semconv;
        let mut own = Vec::with_capacity(attributes.len() + 1);
        if !name.as_str().is_empty() {
            release.push(&mut own, &semconv::DESTINATION_NAME, name.clone());
        }
        let is_given = |attribute: &Name| *attribute == semconv::CLIENT_ID && settings.client_id.is_some();
        for (name, value) in attributes.into_iter().filter(|(name, value)| !value.is_empty() && !is_given(name)) {
            release.push(&mut own, &name, keep(value));
        }
        let mut all = Vec::with_capacity(8);
        release.push(&mut all, &semconv::SYSTEM, system);
        if let Some(template) = &template {
            release.push(&mut all, &semconv::DESTINATION_TEMPLATE, template.clone());
        }
        for (set, name) in [(anonymous, &semconv::DESTINATION_ANONYMOUS), (temporary, &semconv::DESTINATION_TEMPORARY)]
        {
            if set {
                release.push(&mut all, name, true);
            }
        }
        push_client(&mut all, release, settings, group);
        if let Some(id) = &settings.client_id {
            release.push(&mut all, &semconv::CLIENT_ID, id.clone());
        }

        let mut messages = Vec::new();
        release.push(&mut messages, &semconv::OPERATION_NAME, operation);
        release.push(&mut messages, &semconv::SYSTEM, system);
        if counted && !label.as_str().is_empty() {
            // The name only where it is of low cardinality itself (*Messaging metrics*).
            let key = if has_template { &semconv::DESTINATION_TEMPLATE } else { &semconv::DESTINATION_NAME };
            release.push(&mut messages, key, label.clone());
        }
        push_client(&mut messages, release, settings, group);
        Self(Arc::new(Prepared {
            operation,
            span_name,
            name,
            label,
            attributes: all
                .into_iter()
                .map(|attribute| Fixed::new(attribute, listed))
                .chain(own.into_iter().map(|attribute| Fixed::new(attribute, lasting)))
                .collect(),
            relation,
            has_template,
            messages,
            missing: OnceLock::new(),
            timed: OnceLock::new(),
        }))
    }

    /// The name of the spans of the operation that the destination was prepared for.
    ///
    /// ```
    /// use traced_envelope::{Destination, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let replies = telemetry.prepare("publish", Destination::new("inbox.7f3a").temporary(true));
    /// assert_eq!(replies.span_name(), "publish"); // the name is not of low cardinality
    /// ```
    #[must_use]
    pub fn span_name(&self) -> &str {
        &self.0.span_name
    }

    /// The destination's name.
    ///
    /// ```
    /// use traced_envelope::{Destination, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let inbox = telemetry.prepare("publish", Destination::new("user.7").template("user.{id}"));
    /// assert_eq!(inbox.name(), "user.7"); // as the client is to be given it
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    pub(crate) fn get(&self) -> &Prepared {
        &self.0
    }
}

impl Prepared {
    /// Of the operation that the destination was prepared for it is there already; `ack` and the like make it for each span.
    pub(crate) fn span_name(&self, operation: &'static str) -> Cow<'static, str> {
        if operation == self.operation {
            self.span_name.clone()
        } else {
            Cow::Owned(name_of_span(operation, self.label.as_str()))
        }
    }

    /// The attributes of the message counters and `messaging.process.duration`; those of a successful operation are there already.
    pub(crate) fn message_attributes(&self, operation: &'static str, error: Option<&str>) -> Cow<'_, [KeyValue]> {
        if operation == self.operation && error.is_none() {
            return Cow::Borrowed(&self.messages);
        }
        let mut attributes = Vec::with_capacity(self.messages.len() + 2);
        attributes.extend(self.messages.iter().cloned());
        if let Some(name) = attributes.first_mut() {
            name.value = operation.into();
        }
        if let Some(error) = error {
            let error: Value = intern(error.to_owned()).map_or_else(Into::into, Into::into);
            attributes.push(KeyValue::new(Key::from_static_str(semconv::ERROR_TYPE.in_1_45()), error));
        }
        Cow::Owned(attributes)
    }

    /// The attributes of `messaging.client.operation.duration`, which has the operation's type besides.
    pub(crate) fn operation_attributes(
        &self,
        operation: &'static str,
        kind: &'static str,
        error: Option<&str>,
    ) -> Cow<'_, [KeyValue]> {
        let with_kind = |messages: Cow<'_, [KeyValue]>| {
            let mut attributes = messages.into_owned();
            attributes.push(KeyValue::new(Key::from_static_str(semconv::OPERATION_TYPE.in_1_45()), kind));
            attributes
        };
        if operation == self.operation && error.is_none() {
            let (of, attributes) = self.timed.get_or_init(|| (kind, with_kind(Cow::Borrowed(&self.messages))));
            if *of == kind {
                return Cow::Borrowed(attributes);
            }
        }
        Cow::Owned(with_kind(self.message_attributes(operation, error)))
    }

    /// A message came without a usable context.
    pub(crate) fn count_missing_context(&self, reason: &str) {
        let label = || self.metric_label().map_or_else(Default::default, |label| label.value.as_str());
        self.missing.get_or_init(|| Counts::of(&label())).count(reason);
    }

    /// What stands for the destination in a metric; `None` where nothing of low cardinality does.
    pub(crate) fn metric_label(&self) -> Option<&KeyValue> {
        let keys = [semconv::DESTINATION_NAME.in_1_45(), semconv::DESTINATION_TEMPLATE.in_1_45()];
        self.messages.iter().find(|attribute| keys.contains(&attribute.key.as_str()))
    }
}

fn name_of_span(operation: &str, label: &str) -> String {
    if label.is_empty() { operation.to_owned() } else { format!("{operation} {label}") }
}

fn push_client(attributes: &mut Vec<KeyValue>, release: SemConv, settings: &Settings, group: Option<&String>) {
    if let Some((address, port)) = &settings.server {
        release.push(attributes, &semconv::SERVER_ADDRESS, Arc::<str>::from(address.as_str()));
        release.push(attributes, &semconv::SERVER_PORT, i64::from(*port));
    }
    if let Some(group) = group {
        release.push(attributes, &semconv::CONSUMER_GROUP, Arc::<str>::from(group.as_str()));
    }
}

impl fmt::Debug for PreparedDestination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PreparedDestination").field("span_name", &self.0.span_name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interned::is_kept;

    /// Reply queues, one for each requester, would have filled the table of kept texts for everybody else.
    #[test]
    fn nothing_of_a_name_that_was_made_up_is_kept_for_ever() {
        for anonymous in [true, false] {
            let name = format!("amq.gen-{anonymous}");
            let destination = Destination::new(name.clone())
                .anonymous(anonymous)
                .attribute(&semconv::RABBITMQ_ROUTING_KEY, format!("key-{anonymous}"));
            PreparedDestination::new("rabbitmq", "publish", destination, &Settings::default(), Room::ENOUGH);
            assert_eq!(is_kept(&name), !anonymous);
            assert_eq!(is_kept(&format!("key-{anonymous}")), !anonymous);
        }
    }
}
