//! What is shown at the end.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use super::{
    hops::{Hop, Hops},
    latencies::Latencies,
    orders::Sent,
};

/// Messages of one destination that a service got without a context that it could use.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) service: String,
    pub(super) destination: String,
    pub(super) absent: u64,
    pub(super) invalid: u64,
}

pub(super) struct Summary<'a> {
    pub(super) sent: &'a Sent,
    /// How many orders came to their end, and after what time; unknown of a platform that runs elsewhere.
    pub(super) done: Option<(usize, Duration)>,
    pub(super) hops: Option<&'a Hops>,
    pub(super) missing: &'a [Missing],
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rates(f)?;
        writeln!(f, "\n{:<78} {:>6} {:>9} {:>9} {:>9}  ms", "", "count", "p50", "p95", "p99")?;
        let answers: Latencies = self.sent.accepted.iter().map(|order| order.took).collect();
        row(f, "the customer's wait for an answer", &answers)?;
        if let Some(hops) = self.hops {
            writeln!(f, "\nspans")?;
            rows(f, &hops.spans)?;
            writeln!(f, "\nmessages, from sent to processed")?;
            rows(f, &hops.waits)?;
            errors(hops, f)?;
        }
        self.missing(f)
    }
}

impl Summary<'_> {
    fn rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { accepted, refused, took } = self.sent;
        writeln!(f, "{} orders were accepted in {}", accepted.len(), rate(accepted.len(), *took))?;
        for (error, count) in refused {
            writeln!(f, "{count} failed: {error}")?;
        }
        if let Some((done, took)) = self.done {
            writeln!(f, "{done} orders were done in {}", rate(done, took))?;
            let lost = accepted.len().saturating_sub(done);
            if lost > 0 {
                writeln!(f, "{lost} orders were not done: no end of theirs was seen")?;
            }
        }
        Ok(())
    }

    fn missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for Missing { service, destination, absent, invalid } in self.missing {
            write!(text, "\n  {service}  {destination}  absent {absent}, invalid {invalid}")?;
        }
        write!(f, "\nmessages without a context{}", if text.is_empty() { "\n  none" } else { &text })
    }
}

fn errors(hops: &Hops, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "\nerrors")?;
    if hops.errors.is_empty() {
        writeln!(f, "  none")?;
    }
    for ((hop, error), count) in &hops.errors {
        writeln!(f, "{:<78} {count:>6}  {error}", name(hop))?;
    }
    Ok(())
}

fn rate(count: usize, took: Duration) -> String {
    // Far below the numbers that a float cannot hold.
    #[allow(clippy::cast_precision_loss)]
    let count = count as f64;
    let seconds = took.as_secs_f64();
    format!("{seconds:.1} s, {:.1} a second", count / seconds.max(f64::MIN_POSITIVE))
}

fn rows<'a>(f: &mut fmt::Formatter<'_>, hops: impl IntoIterator<Item = (&'a Hop, &'a Latencies)>) -> fmt::Result {
    let mut hops = hops.into_iter().filter(|(_, latencies)| !latencies.is_empty());
    hops.try_for_each(|(hop, latencies)| row(f, &name(hop), latencies))
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, latencies: &Latencies) -> fmt::Result {
    writeln!(f, "{name:<78} {:>6} {latencies}", latencies.len())
}

fn name((service, name): &Hop) -> String {
    format!("  {service:<16}  {name}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_went_wrong_is_said() {
        let refused = BTreeMap::from([("the gateway does not answer".to_owned(), 2)]);
        let order =
            examples::runner::Accepted { id: "1".to_owned(), trace_id: 1.into(), took: Duration::from_millis(20) };
        let sent = Sent { accepted: vec![order.clone(), order], refused, took: Duration::from_secs(4) };
        let missing =
            Missing { service: "notifier".to_owned(), destination: "notifications".to_owned(), absent: 3, invalid: 1 };
        let hops = Hops::default();
        let done = Some((1, Duration::from_secs(5)));
        let text = Summary { sent: &sent, done, hops: Some(&hops), missing: &[missing] }.to_string();
        for part in [
            "2 orders were accepted in 4.0 s, 0.5 a second\n",
            "2 failed: the gateway does not answer\n",
            "1 orders were done in 5.0 s, 0.2 a second\n",
            "1 orders were not done: no end of theirs was seen\n",
            "     2      20.0      20.0      20.0\n",
            "\nerrors\n  none\n",
            "\nmessages without a context\n  notifier  notifications  absent 3, invalid 1",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
}
