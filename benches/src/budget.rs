//! What a message may cost: a *must* that holds, and what to aim at.

/// Limits of one case; `None` where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Time, as a ratio to the case written by hand in the same run.
    pub ratio: Option<f64>,
    /// Nanoseconds.
    pub nanoseconds: Option<f64>,
    /// Instructions.
    pub instructions: Option<u32>,
    /// Allocations.
    pub allocations: Option<u64>,
}

impl Limits {
    /// Against the case written by hand.
    #[must_use]
    pub const fn relative(ratio: f64, allocations: u64, instructions: Option<u32>) -> Self {
        Self { ratio: Some(ratio), nanoseconds: None, instructions, allocations: Some(allocations) }
    }

    /// Time by the clock.
    #[must_use]
    pub const fn absolute(nanoseconds: f64, allocations: u64) -> Self {
        Self { ratio: None, nanoseconds: Some(nanoseconds), instructions: None, allocations: Some(allocations) }
    }

    /// Allocations only.
    #[must_use]
    pub const fn allocations(allocations: u64) -> Self {
        Self { ratio: None, nanoseconds: None, instructions: None, allocations: Some(allocations) }
    }
}

/// The budget of one case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Has to hold.
    pub must: Limits,
    /// Is aimed at.
    pub aim: Option<Limits>,
}
