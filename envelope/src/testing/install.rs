use std::sync::{Arc, OnceLock};

use opentelemetry::global;

use super::Capture;
use crate::propagation::W3cPropagator;

impl Capture {
    /// Makes `service` of this capture the process-wide tracer and meter provider, with our W3C propagator, for code that
    /// uses the globals.
    ///
    /// Once a process, for good: tests that run in parallel would take each other's spans. Keep the
    /// capture in a `static` that all of them share, or better, hand [`settings`](Self::settings)
    /// to what is under test. A second call with the same capture and service does nothing.
    ///
    /// ```
    /// use std::sync::LazyLock;
    /// use opentelemetry::{global, trace::Tracer};
    /// use traced_envelope::testing::Capture;
    ///
    /// static CAPTURE: LazyLock<Capture> = LazyLock::new(Capture::new);
    ///
    /// CAPTURE.install("shop");
    /// global::tracer("library").in_span("checkout", |_| ());
    /// assert_eq!(CAPTURE.span("checkout").service(), "shop");
    /// ```
    ///
    /// # Panics
    ///
    /// When another capture, or another service, is installed already.
    #[track_caller]
    pub fn install(&self, service: &str) {
        static INSTALLED: OnceLock<(Capture, String)> = OnceLock::new();
        let mut first = false;
        let (capture, installed) = INSTALLED.get_or_init(|| {
            first = true;
            global::set_tracer_provider(self.tracer_provider(service));
            global::set_meter_provider(self.meter_provider(service));
            global::set_text_map_propagator(W3cPropagator::new());
            (self.clone(), service.to_owned())
        });
        let same = Arc::ptr_eq(&capture.inner, &self.inner) && installed == service;
        assert!(
            first || same,
            "cannot install the capture for {service:?}: one for {installed:?} is installed in this process already, and \
             the globals are shared by all its tests; share one capture in a `static`, or use `Capture::settings`"
        );
    }
}
