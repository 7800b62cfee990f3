//! What is compared: cases, in scenes that share a set of providers.

use crate::budget::{Budget, Limits};
use opentelemetry::{Context, ContextGuard};

/// Cases that share a set of providers and a current context.
pub struct Scene {
    /// What it is about.
    pub title: String,
    /// The first is the transport alone: its cost is taken off from all others.
    pub cases: Vec<Case>,
    _current: Option<ContextGuard>,
}

/// One message's way through one implementation.
pub struct Case {
    /// Whose way.
    pub name: &'static str,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// Handles one message.
    pub run: Box<dyn FnMut()>,
}

/// What a case of each kind must keep, and what to aim at.
pub(crate) const PRODUCER: Limits = Limits::relative(0.80, 10, Some(5_800));
pub(crate) const AIMED_PRODUCER: Limits = Limits::relative(0.65, 9, Some(4_800));
pub(crate) const CONSUMER: Limits = Limits::relative(0.70, 7, Some(5_000));
pub(crate) const AIMED_CONSUMER: Limits = Limits::relative(0.55, 6, Some(3_900));
/// With a propagator that is not ours.
pub(crate) const OTHER_PRODUCER: Limits = Limits::relative(0.90, 11, None);
pub(crate) const OTHER_CONSUMER: Limits = Limits::relative(0.80, 8, None);
pub(crate) const NO_SDK: Limits = Limits::absolute(60.0, 2);
pub(crate) const PASSING_THROUGH: Limits = Limits::absolute(150.0, 4);

/// The case that the others are compared with.
pub const BY_HAND: &str = "by hand";
/// The same, with texts that are put together in one piece.
pub const SPARING: &str = "by hand, sparing";

impl std::fmt::Debug for Scene {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scene").field("title", &self.title).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Scene {
    pub(crate) fn new(title: impl Into<String>, current: Option<Context>, alone: impl FnMut() + 'static) -> Self {
        let alone = Case { name: "transport alone", budget: None, run: Box::new(alone) };
        Self { title: title.into(), cases: vec![alone], _current: current.map(Context::attach) }
    }

    pub(crate) fn case(mut self, name: &'static str, run: impl FnMut() + 'static) -> Self {
        self.cases.push(Case { name, budget: None, run: Box::new(run) });
        self
    }

    pub(crate) fn must(mut self, must: Limits) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.budget = Some(Budget { must, aim: None });
        }
        self
    }

    pub(crate) fn aim(mut self, aim: Limits) -> Self {
        if let Some(budget) = self.cases.last_mut().and_then(|case| case.budget.as_mut()) {
            budget.aim = Some(aim);
        }
        self
    }
}
