//! `OTEL_TRACES_SAMPLER` and its argument.

use crate::variables::Variables;
use opentelemetry_sdk::trace::Sampler;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const TAKES: &str =
    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio";

/// Read here and not by the SDK, which warns before anybody could hear it. Default: `parentbased_always_on`.
pub(crate) fn sampler(variables: &mut Variables<'_>) -> Sampler {
    let chosen = variables.word(SAMPLER, TAKES, |value| match value {
        "always_on" => Some((Sampler::AlwaysOn, false)),
        "always_off" => Some((Sampler::AlwaysOff, false)),
        "traceidratio" => Some((Sampler::TraceIdRatioBased(1.0), false)),
        "parentbased_always_on" => Some((Sampler::AlwaysOn, true)),
        "parentbased_always_off" => Some((Sampler::AlwaysOff, true)),
        "parentbased_traceidratio" => Some((Sampler::TraceIdRatioBased(1.0), true)),
        _ => None,
    });
    let (mut root, parent_based) = chosen.unwrap_or((Sampler::AlwaysOn, true));
    if matches!(root, Sampler::TraceIdRatioBased(_)) {
        root = Sampler::TraceIdRatioBased(ratio(variables));
    }
    if parent_based { Sampler::ParentBased(Box::new(root)) } else { root }
}

fn ratio(variables: &mut Variables<'_>) -> f64 {
    let in_range = |value: &str| value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    variables.parsed(ARGUMENT, "a number from 0 to 1 (1, all traces, is used)", in_range).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_by_their_names() {
        for (name, argument, expected, warnings) in [
            ("", "", "ParentBased(AlwaysOn)", 0),
            ("always_off", "", "AlwaysOff", 0),
            ("ALWAYS_OFF", "", "AlwaysOff", 0),
            ("traceidratio", "0.25", "TraceIdRatioBased(0.25)", 0),
            ("traceidratio", "", "TraceIdRatioBased(1.0)", 0),
            ("parentbased_traceidratio", "0", "ParentBased(TraceIdRatioBased(0.0))", 0),
            ("parentbased_always_off", "x", "ParentBased(AlwaysOff)", 0),
            ("traceidratio", "1.5", "TraceIdRatioBased(1.0)", 1),
            ("traceidratio", "NaN", "TraceIdRatioBased(1.0)", 1),
            ("jaeger_remote", "", "ParentBased(AlwaysOn)", 1),
        ] {
            let given = [(SAMPLER, name), (ARGUMENT, argument)];
            let mut variables = Variables::given(&given);
            assert_eq!(format!("{:?}", sampler(&mut variables)), expected, "{name} {argument}");
            let found = variables.into_warnings();
            assert_eq!(found.len(), warnings, "{found:?}");
        }
    }
}
