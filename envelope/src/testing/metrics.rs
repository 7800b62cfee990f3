use std::sync::Arc;

use opentelemetry::{InstrumentationScope, KeyValue, Value};

use super::{capture::Capture, service::Service};

/// Reading what was measured.
impl Capture {
    /// Everything measured so far, one entry for each instrument, service and set of attributes.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// let orders = meter.u64_counter("orders").build();
    /// orders.add(1, &[KeyValue::new("country", "NO")]);
    /// orders.add(1, &[KeyValue::new("country", "SE")]);
    /// assert_eq!(capture.metrics().len(), 2); // one instrument, two time series
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Vec<CapturedMetric> {
        self.services().iter().flat_map(Service::metrics).collect()
    }

    /// The one time series of the instrument with this name.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// let orders = meter.u64_counter("orders").build();
    /// orders.add(1, &[]);
    /// orders.add(2, &[]);
    /// assert_eq!(capture.metric("orders").value(), 3.0);
    /// ```
    ///
    /// # Panics
    ///
    /// When there is none, or more than one; the message lists what there is.
    #[must_use]
    #[track_caller]
    pub fn metric(&self, name: &str) -> CapturedMetric {
        let metrics = self.metrics();
        let mut named = metrics.iter().filter(|metric| metric.name() == name);
        match (named.next(), named.next()) {
            (Some(metric), None) => metric.clone(),
            _ => panic!(
                "expected one time series of {name:?}, measured were:\n{}",
                metrics.iter().map(CapturedMetric::line).collect::<Vec<_>>().join("\n")
            ),
        }
    }
}

/// One time series: an instrument with one set of attributes, and what was measured since the last
/// [`Capture::clear`](super::Capture::clear).
///
/// ```
/// use opentelemetry::{KeyValue, metrics::MeterProvider};
/// use traced_envelope::testing::Capture;
///
/// let capture = Capture::new();
/// let meter = capture.meter_provider("shop").meter("example");
/// let sent = meter.u64_counter("messaging.client.sent.messages").with_unit("{message}").build();
/// sent.add(2, &[KeyValue::new("messaging.system", "kafka")]);
///
/// let sent = capture.metric("messaging.client.sent.messages");
/// assert_eq!((sent.value(), sent.unit(), sent.service()), (2.0, "{message}", "shop"));
/// assert_eq!(sent.attribute("messaging.system"), Some(&"kafka".into()));
/// ```
#[derive(Clone, Debug)]
pub struct CapturedMetric {
    pub(super) service: Arc<str>,
    pub(super) scope: InstrumentationScope,
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) value: f64,
    pub(super) count: Option<u64>,
    pub(super) bounds: Vec<f64>,
}

impl CapturedMetric {
    /// The service whose meter provider it came from.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// # let meter = capture.meter_provider("warehouse").meter("stock");
    /// meter.u64_counter("reservations").build().add(1, &[]);
    /// assert_eq!(capture.metric("reservations").service(), "warehouse");
    /// ```
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The scope of the meter.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// meter.u64_counter("orders").build().add(1, &[]);
    /// assert_eq!(capture.metric("orders").scope().name(), "checkout"); // the meter's
    /// ```
    pub fn scope(&self) -> &InstrumentationScope {
        &self.scope
    }

    /// The instrument's name.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// meter.u64_counter("orders").build().add(1, &[]);
    /// meter.u64_counter("refunds").build(); // nothing measured: no time series
    /// assert!(capture.metrics().iter().all(|metric| metric.name() == "orders"));
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instrument's unit.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// meter.f64_histogram("checkout.duration").with_unit("s").build().record(0.25, &[]);
    /// assert_eq!(capture.metric("checkout.duration").unit(), "s");
    /// ```
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The attributes, sorted by key.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// let [country, currency] = [KeyValue::new("country", "NO"), KeyValue::new("currency", "NOK")];
    /// meter.u64_counter("orders").build().add(1, &[currency.clone(), country.clone()]);
    /// assert_eq!(capture.metric("orders").attributes(), [country, currency]);
    /// ```
    pub fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    /// The value of one attribute.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// meter.u64_counter("orders").build().add(1, &[KeyValue::new("country", "NO")]);
    /// let orders = capture.metric("orders");
    /// assert_eq!(orders.attribute("country"), Some(&"NO".into()));
    /// assert_eq!(orders.attribute("customer.id"), None); // too many values for a metric
    /// ```
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
    }

    /// The sum of a counter or histogram, or what a gauge showed last.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// let duration = meter.f64_histogram("checkout.duration").build();
    /// duration.record(0.25, &[]);
    /// duration.record(0.5, &[]);
    /// assert_eq!(capture.metric("checkout.duration").value(), 0.75);
    /// ```
    pub fn value(&self) -> f64 {
        self.value
    }

    /// How many values a histogram was given; `None` for other instruments.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// let duration = meter.f64_histogram("checkout.duration").build();
    /// duration.record(0.25, &[]);
    /// duration.record(0.5, &[]);
    /// assert_eq!(capture.metric("checkout.duration").count(), Some(2));
    /// ```
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// The upper bounds of a histogram's buckets; empty for other instruments.
    ///
    /// ```
    /// # use opentelemetry::{KeyValue, metrics::MeterProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let meter = capture.meter_provider("shop").meter("checkout");
    /// meter.f64_histogram("checkout.duration").with_boundaries(vec![0.1, 1.0]).build().record(0.25, &[]);
    /// assert_eq!(capture.metric("checkout.duration").bounds(), [0.1, 1.0]);
    /// ```
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    pub(super) fn is_same_series(&self, other: &Self) -> bool {
        (&self.name, &self.unit, &self.service) == (&other.name, &other.unit, &other.service)
            && self.attributes == other.attributes
            && self.scope == other.scope
    }

    pub(super) fn line(&self) -> String {
        let attributes: Vec<_> = self.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
        let count = self.count.map(|count| format!(" in {count} values")).unwrap_or_default();
        format!("  {}  {}  {{{}}}  {}{count} {}", self.name, self.service, attributes.join(", "), self.value, self.unit)
    }
}
