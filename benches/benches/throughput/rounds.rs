//! Rounds of runs, each way in turn: the ratios within the rounds are what counts, since a machine is never the same for long.

use anyhow::{Context as _, Result};
use benches::times::summary;
use std::future::Future;
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;
/// No further round is begun after this time.
const ENOUGH: Duration = Duration::from_secs(70);
/// A run that takes longer than this has failed.
const HANGS: Duration = Duration::from_secs(60);

/// How a run's messages are sent and received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Bare,
    /// Bare, with a header as long as ours: what the header costs client and broker, tracing apart.
    WithHeader,
    Traced,
}

/// The value of that header.
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Messages in a second.
    rate: f64,
    /// Microseconds of this process for one message, which other programs disturb less than the clock.
    processor: f64,
}

/// Measures one run, from the first message that is sent until the last is done with.
pub(crate) async fn measure(messages: usize, run: impl Future<Output = Result<()>>) -> Result<Measured> {
    let (start, processor) = (Instant::now(), processor_time());
    run.await?;
    let count = f64::from(u32::try_from(messages)?);
    Ok(Measured {
        rate: count / start.elapsed().as_secs_f64(),
        processor: (processor_time() - processor) * 1e6 / count,
    })
}

fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

/// Runs the three ways in rounds, and prints each round and what they have in common.
pub(crate) async fn compare(title: &str, run: impl AsyncFn(Way) -> Result<Measured>) -> Result<()> {
    compare_beside("with header", title, run).await
}

/// The same where the way between bare and traced is another one.
pub(crate) async fn compare_beside(
    beside: &str,
    title: &str,
    run: impl AsyncFn(Way) -> Result<Measured>,
) -> Result<()> {
    println!("\n{title}\n   bare/s  traced/s  traced/bare  traced/{beside}");
    let begin = Instant::now();
    let (mut to_bare, mut to_header) = (Vec::new(), Vec::new());
    let mut processor = [const { Vec::new() }; 3];
    // The first round warms up.
    for round in 0..=ROUNDS {
        let mut ways = [Way::Bare, Way::WithHeader, Way::Traced];
        ways.rotate_left(round % 3);
        let mut measured = [Measured::default(); 3];
        for way in ways {
            let run = tokio::time::timeout(HANGS, run(way)).await.context("the broker does not get on")??;
            *measured.get_mut(way as usize).context("three of them")? = run;
        }
        let [bare, header, traced] = measured;
        if round > 0 {
            to_bare.push(traced.rate / bare.rate);
            to_header.push(traced.rate / header.rate);
            let (bare_rate, ratio) = (bare.rate, traced.rate / bare.rate);
            println!("  {bare_rate:>7.0}  {:>8.0}  {ratio:>11.3}  {:>18.3}", traced.rate, traced.rate / header.rate);
            processor.iter_mut().zip(measured).for_each(|(all, run)| all.push(run.processor));
        }
        if begin.elapsed() > ENOUGH {
            break;
        }
    }
    let rounds = to_bare.len();
    let (to_bare, to_header) = (summary(&mut to_bare), summary(&mut to_header));
    println!("  median of {rounds} rounds, traced/bare: {:.3} ± {:.3}", to_bare.median, to_bare.spread);
    println!("  median of {rounds} rounds, traced/{beside}: {:.3} ± {:.3}", to_header.median, to_header.spread);
    let [bare, header, traced] = processor.each_mut().map(|times| summary(times).median);
    println!("  microseconds of the client for a message: bare {bare:.1}, {beside} {header:.1}, traced {traced:.1}");
    Ok(())
}
