//! Times: medians with their spread.

use crate::scene::Scene;
use std::time::{Duration, Instant};

/// Nanoseconds for one message.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Half of the rounds took less.
    pub median: f64,
    /// Half of the distance between the quartiles.
    pub spread: f64,
}

const ROUNDS: usize = 301;
/// Shorter than a scheduler's slice: most rounds then have a processor to themselves on a busy machine too.
const ROUND: Duration = Duration::from_micros(400);

/// Times the cases of a scene. Each round takes all of them in turn, so that whatever else the machine does meets all alike.
pub fn measure(scene: &mut Scene) -> Vec<Time> {
    let repeats: Vec<u32> = scene.cases.iter_mut().map(|case| how_often(&mut case.run)).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); repeats.len()];
    for _ in 0..ROUNDS {
        for ((case, repeats), times) in scene.cases.iter_mut().zip(&repeats).zip(&mut rounds) {
            times.push(once(&mut case.run, *repeats));
        }
    }
    rounds.iter_mut().map(|times| summary(times)).collect()
}

fn how_often(run: &mut dyn FnMut()) -> u32 {
    once(run, 200);
    let nanoseconds = once(run, 200).max(1.0);
    let repeats = ROUND.as_secs_f64() * 1e9 / nanoseconds;
    // The transport alone takes next to nothing.
    (1..=100_000_u32).rev().step_by(100).find(|count| f64::from(*count) <= repeats).unwrap_or(1)
}

fn once(run: &mut dyn FnMut(), repeats: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        run();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(repeats)
}

/// The median and half of the distance between the quartiles.
pub fn summary(values: &mut [f64]) -> Time {
    values.sort_unstable_by(f64::total_cmp);
    let at = |part: usize| values.get((values.len().saturating_sub(1)) * part / 4).copied().unwrap_or(0.0);
    Time { median: at(2), spread: (at(3) - at(1)) / 2.0 }
}
