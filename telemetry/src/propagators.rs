//! `OTEL_PROPAGATORS`.

use crate::b3::B3;
use crate::baggage::BaggageOnly;
use crate::variables::{Variables, shown};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapCompositePropagator, TextMapPropagator};
use traced_envelope::propagation::W3cPropagator;

const VARIABLE: &str = "OTEL_PROPAGATORS";

type Boxed = Box<dyn TextMapPropagator + Send + Sync>;

/// What the process is to install. A single one is installed as it is: ours is then recognised, and driven on bytes.
pub(crate) enum Propagators {
    W3c(W3cPropagator),
    Composite(TextMapCompositePropagator),
    None(NoPropagator),
}

/// Default: the W3C's headers with baggage, by the strict propagator of `traced-envelope`.
pub(crate) fn propagators(variables: &mut Variables<'_>) -> Propagators {
    let Some(list) = variables.text(VARIABLE).map(|list| list.to_ascii_lowercase()) else {
        return Propagators::W3c(W3cPropagator::new());
    };
    let mut names: Vec<&str> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !matches!(name, "tracecontext" | "baggage" | "b3" | "b3multi" | "xray" | "none") {
            let name = shown(name);
            variables.warn(format!(
                "{VARIABLE} takes tracecontext, baggage, b3, b3multi, xray and none, separated by commas; `{name}` is ignored"
            ));
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.contains(&"none") {
        if names.len() > 1 {
            variables.warn(format!("{VARIABLE} takes none alone: nothing is propagated"));
        }
        return Propagators::None(NoPropagator);
    }
    let with_baggage = names.contains(&"baggage");
    let others: Vec<_> = names.iter().filter(|name| !matches!(**name, "tracecontext" | "baggage")).collect();
    if others.is_empty() {
        return match (names.contains(&"tracecontext"), with_baggage) {
            (true, false) => Propagators::W3c(W3cPropagator::without_baggage()),
            (false, true) => {
                Propagators::Composite(TextMapCompositePropagator::new(vec![Box::new(BaggageOnly::default())]))
            }
            // Also where nothing was known: silence would break every trace.
            _ => Propagators::W3c(W3cPropagator::new()),
        };
    }
    // Ours reads and writes both, in one go.
    let both = with_baggage && names.contains(&"tracecontext");
    let all = names.iter().filter(|name| !(both && **name == "baggage")).map(|name| match *name {
        "tracecontext" if both => Box::new(W3cPropagator::new()) as Boxed,
        "tracecontext" => Box::new(W3cPropagator::without_baggage()),
        "baggage" => Box::new(BaggageOnly::default()),
        "b3" => Box::new(B3::single()),
        "b3multi" => Box::new(B3::multiple()),
        _ => Box::new(opentelemetry_aws::trace::XrayPropagator::default()),
    });
    Propagators::Composite(TextMapCompositePropagator::new(all.collect()))
}

impl Propagators {
    pub(crate) fn install(self) {
        use opentelemetry::global::set_text_map_propagator as set;
        match self {
            Self::W3c(propagator) => set(propagator),
            Self::Composite(propagator) => set(propagator),
            Self::None(propagator) => set(propagator),
        }
    }
}

/// Writes and reads nothing, and says so.
///
/// It names a field, which nobody uses: without any, it could not be told from the stand-in of a process that installed no propagator,
/// and messages would get the W3C's headers.
#[derive(Debug)]
pub(crate) struct NoPropagator;

static NO_FIELD: [String; 1] = [String::new()];

impl TextMapPropagator for NoPropagator {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.clone()
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&NO_FIELD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::baggage::BaggageExt as _;
    use opentelemetry::trace::TraceContextExt as _;
    use std::collections::HashMap;

    fn fields(list: &str) -> (Vec<String>, Vec<String>) {
        let given = [(VARIABLE, list)];
        let mut variables = Variables::given(&given);
        let own = |propagator: &dyn TextMapPropagator| propagator.fields().map(str::to_owned).collect();
        let mut fields: Vec<_> = match propagators(&mut variables) {
            Propagators::W3c(propagator) => own(&propagator),
            Propagators::Composite(propagator) => own(&propagator),
            Propagators::None(_) => Vec::new(),
        };
        fields.sort();
        (fields, variables.into_warnings())
    }

    #[test]
    fn lists_of_names() {
        let w3c = ["baggage", "traceparent", "tracestate"].as_slice();
        for (list, expected, warnings) in [
            ("", w3c, 0),
            ("tracecontext,baggage", w3c, 0),
            (" baggage , tracecontext ", w3c, 0),
            ("tracecontext", &["traceparent", "tracestate"], 0),
            ("baggage", &["baggage"], 0),
            ("b3", &["b3"], 0),
            ("b3multi", &["x-b3-flags", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"], 0),
            ("xray", &["x-amzn-trace-id"], 0),
            ("tracecontext,b3,tracecontext", &["b3", "traceparent", "tracestate"], 0),
            ("baggage,b3,tracecontext", &["b3", "baggage", "traceparent", "tracestate"], 0),
            ("none", &[], 0),
            ("none,b3", &[], 1),
            ("b4,tracecontext", &["traceparent", "tracestate"], 1),
            ("b4", w3c, 1),
            ("B3,TraceContext", &["b3", "traceparent", "tracestate"], 0),
        ] {
            let (fields, found) = fields(list);
            assert_eq!(fields, expected, "{list}");
            assert_eq!(found.len(), warnings, "{list}: {found:?}");
        }
    }

    /// What the SDK's propagator gets wrong: a bare `%`, and what comes after a second `=`.
    #[test]
    fn baggage_beside_other_formats_is_ours_too() {
        for list in ["baggage", "b3,baggage", "xray,baggage"] {
            let given = [(VARIABLE, list)];
            let Propagators::Composite(propagator) = propagators(&mut Variables::given(&given)) else {
                panic!("{list} is no composite");
            };
            let received = HashMap::from([
                ("baggage".to_owned(), "sale=50%25off,rule=a=b".to_owned()),
                ("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            ]);
            let context = propagator.extract_with_context(&Context::new(), &received);
            let value = |key: &str| context.baggage().get(key).map(ToString::to_string);
            assert_eq!((value("sale"), value("rule")), (Some("50%off".to_owned()), Some("a=b".to_owned())), "{list}");
            assert!(!context.span().span_context().is_valid(), "{list} reads traceparent");

            let mut sent = HashMap::new();
            propagator.inject_context(&W3cPropagator::new().extract(&received), &mut sent);
            assert_eq!(sent.get("baggage"), Some(&"rule=a%3Db,sale=50%25off".to_owned()), "{list}");
            assert!(!sent.contains_key("traceparent"), "{list}: {sent:?}");
        }
    }
}
