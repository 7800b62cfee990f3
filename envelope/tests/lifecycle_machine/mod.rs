//! What can be done to spans, and the reference of what must become of them.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt};
use proptest::prelude::*;
use traced_envelope::{MessageHeaders, MessageSpan, OpenSpans, Operation, Outcome, Telemetry};

const NAMES: [&str; 4] = ["publish", "create", "process", "ack"];

/// How a handler ends after so many polls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handler {
    Ok,
    Err,
    Deferred,
    Panics,
    ClassifyPanics,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Starts an operation, by its index in [`NAMES`]; inside the span of a slot, if that one is idle.
    Start {
        name: usize,
        inside: Option<usize>,
    },
    /// Gives the span to a handler that is pending for so many polls.
    Run {
        slot: usize,
        pending: u8,
        handler: Handler,
    },
    Poll {
        slot: usize,
    },
    /// Drops the span or the future, whichever it is.
    Drop {
        slot: usize,
    },
    End {
        slot: usize,
        fails: bool,
    },
    HandOver {
        slot: usize,
    },
    Scope {
        slot: usize,
        handler: Handler,
    },
    Register {
        slot: usize,
        number: u64,
    },
    Settle {
        number: u64,
        through: bool,
        fails: bool,
    },
    SettleAll,
    Forget,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let handler = prop_oneof![
        Just(Handler::Ok),
        Just(Handler::Err),
        Just(Handler::Deferred),
        Just(Handler::Panics),
        Just(Handler::ClassifyPanics)
    ];
    let slot = 0..6_usize;
    prop_oneof![
        6 => (0..NAMES.len(), proptest::option::of(slot.clone())).prop_map(|(name, inside)| Step::Start { name, inside }),
        5 => (slot.clone(), 0..4_u8, handler.clone()).prop_map(|(slot, pending, handler)| Step::Run { slot, pending, handler }),
        9 => slot.clone().prop_map(|slot| Step::Poll { slot }),
        2 => slot.clone().prop_map(|slot| Step::Drop { slot }),
        2 => (slot.clone(), any::<bool>()).prop_map(|(slot, fails)| Step::End { slot, fails }),
        2 => slot.clone().prop_map(|slot| Step::HandOver { slot }),
        2 => (slot.clone(), handler).prop_map(|(slot, handler)| Step::Scope { slot, handler }),
        3 => (slot, 0..9_u64).prop_map(|(slot, number)| Step::Register { slot, number }),
        2 => (0..9_u64, any::<bool>(), any::<bool>()).prop_map(|(number, through, fails)| Step::Settle { number, through, fails }),
        1 => Just(Step::SettleAll),
        1 => Just(Step::Forget),
    ]
}

/// What must become of a span: its operation, its parent, and, once it has ended, its `error.type`.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) id: SpanId,
    pub(crate) operation: &'static str,
    pub(crate) parent: Option<SpanId>,
    handed_over: bool,
    pub(crate) ended: Option<Result<(), &'static str>>,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

enum State {
    Idle(MessageSpan),
    Running { future: Running, polls_left: u8, handler: Handler },
}

/// The reference: what was started, what became of it, and which spans wait in the registry.
pub(crate) struct Machine {
    telemetry: Telemetry,
    open: OpenSpans,
    limit: usize,
    expires_at_once: bool,
    waiting: BTreeMap<u64, usize>,
    slots: [Option<(usize, State)>; 6],
    all: Vec<Expected>,
}

impl Machine {
    pub(crate) fn new(telemetry: Telemetry, limit: usize, expires_at_once: bool) -> Self {
        Self {
            telemetry,
            open: registry(limit, expires_at_once),
            limit,
            expires_at_once,
            waiting: BTreeMap::new(),
            slots: Default::default(),
            all: Vec::new(),
        }
    }

    fn ended(&mut self, index: usize, error: Option<&'static str>) {
        let expected = &mut self.all[index];
        if expected.ended.is_none() {
            expected.ended = Some(error.map_or(Ok(()), Err));
        }
    }

    fn dropped(&mut self, index: usize) {
        let error = (!self.all[index].handed_over).then_some("cancelled");
        self.ended(index, error);
    }

    fn start(&mut self, name: usize, inside: Option<usize>) {
        let operation = NAMES[name];
        let Some(free) = self.slots.iter().position(Option::is_none) else { return };
        let around = inside.and_then(|slot| match &self.slots[slot] {
            Some((index, State::Idle(span))) => Some((self.all[*index].id, span.context().into_owned())),
            _ => None,
        });
        let guard = around.clone().map(|(_, context)| context.attach());
        let it = Operation::new(operation, "orders");
        let span = match operation {
            "publish" => self.telemetry.send(it, &mut MessageHeaders::new()),
            "create" => self.telemetry.create(it, &mut MessageHeaders::new()),
            "process" => self.telemetry.process(it, &MessageHeaders::new()),
            _ => self.telemetry.settle(it, []),
        };
        drop(guard);
        // A message without a context starts a trace, whatever is current around the consumer.
        let parent = around.map(|(id, _)| id).filter(|_| operation != "process");
        let id = span.span_context().expect("there is an SDK").span_id();
        self.slots[free] = Some((self.all.len(), State::Idle(span)));
        self.all.push(Expected { id, operation, parent, handed_over: false, ended: None });
    }

    /// Takes the span out of a slot, if no handler has it.
    fn idle(&mut self, slot: usize) -> Option<(usize, MessageSpan)> {
        match self.slots[slot].take() {
            Some((index, State::Idle(span))) => Some((index, span)),
            other => {
                self.slots[slot] = other;
                None
            }
        }
    }

    fn handler_ended(&mut self, index: usize, handler: Handler) {
        let error = match handler {
            Handler::Ok | Handler::Deferred => None,
            Handler::Err => Some("failed"),
            Handler::Panics | Handler::ClassifyPanics => Some("panic"),
        };
        self.ended(index, error);
    }

    fn poll(&mut self, slot: usize) {
        let Some((index, State::Running { mut future, polls_left, handler })) =
            self.slots[slot].take_if(|(_, state)| matches!(state, State::Running { .. }))
        else {
            return;
        };
        let mut task = std::task::Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut task)));
        match polled_result(&polled) {
            Some(true) => {
                assert!(polls_left > 0, "it had to be ready");
                self.slots[slot] = Some((index, State::Running { future, polls_left: polls_left - 1, handler }));
            }
            ready => {
                assert_eq!(polls_left, 0, "it was to be pending");
                assert_eq!(ready.is_none(), matches!(handler, Handler::Panics | Handler::ClassifyPanics));
                self.handler_ended(index, handler);
            }
        }
    }

    fn settled(&mut self, numbers: Vec<u64>, error: Option<&'static str>) {
        for number in numbers {
            if let Some(index) = self.waiting.remove(&number) {
                self.ended(index, error);
            }
        }
    }

    fn register(&mut self, number: u64, index: usize, span: MessageSpan) {
        self.open.insert(number, span);
        if let Some(before) = self.waiting.insert(number, index) {
            self.ended(before, Some("cancelled"));
        }
        if self.waiting.len() > self.limit {
            let (_, oldest) = self.waiting.pop_first().expect("there is one");
            self.ended(oldest, Some("cancelled"));
        }
        if self.expires_at_once {
            let all = self.waiting.keys().copied().collect();
            self.settled(all, Some("timeout"));
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Start { name, inside } => self.start(name, inside),
            Step::Run { slot, pending, handler } => {
                if let Some((index, span)) = self.idle(slot) {
                    let future = Box::pin(span.run_with(handle(self.all[index].id, pending, handler), classify));
                    self.slots[slot] = Some((
                        index,
                        State::Running {
                            future: Box::pin(async {
                                let _ = future.await;
                            }),
                            polls_left: pending,
                            handler,
                        },
                    ));
                }
            }
            Step::Poll { slot } => self.poll(slot),
            Step::Drop { slot } => {
                if let Some((index, state)) = self.slots[slot].take() {
                    drop(state);
                    self.dropped(index);
                }
            }
            Step::End { slot, fails } => {
                if let Some((index, span)) = self.idle(slot) {
                    span.end(outcome(fails));
                    self.ended(index, fails.then_some("failed"));
                }
            }
            Step::HandOver { slot } => {
                if let Some((index, State::Idle(span))) = &mut self.slots[slot] {
                    span.handed_over();
                    self.all[*index].handed_over = true;
                }
            }
            Step::Scope { slot, handler } => {
                if let Some((index, span)) = self.idle(slot) {
                    let id = self.all[index].id;
                    let ran = catch_unwind(AssertUnwindSafe(|| span.in_scope_with(|| finish(id, handler), classify)));
                    assert_eq!(ran.is_err(), matches!(handler, Handler::Panics | Handler::ClassifyPanics));
                    self.handler_ended(index, handler);
                }
            }
            Step::Register { slot, number } => {
                if let Some((index, span)) = self.idle(slot) {
                    self.register(number, index, span);
                }
            }
            Step::Settle { number, through, fails } => {
                let numbers = if through {
                    self.open.end_through(number, &outcome(fails));
                    self.waiting.range(..=number).map(|(number, _)| *number).collect()
                } else {
                    self.open.end(number, &outcome(fails));
                    vec![number]
                };
                self.settled(numbers, fails.then_some("failed"));
            }
            Step::SettleAll => {
                self.open.end_all(&outcome(true));
                let all = self.waiting.keys().copied().collect();
                self.settled(all, Some("failed"));
            }
            Step::Forget => self.forget(),
        }
    }

    /// The last handle of the registry goes away.
    fn forget(&mut self) {
        let next = registry(self.limit, self.expires_at_once);
        drop(std::mem::replace(&mut self.open, next));
        for index in std::mem::take(&mut self.waiting).into_values() {
            self.dropped(index);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Expected> {
        self.forget();
        for slot in 0..self.slots.len() {
            self.step(Step::Drop { slot });
        }
        self.all
    }
}

/// Pending or not; `None` if it panicked.
fn polled_result(polled: &std::thread::Result<Poll<()>>) -> Option<bool> {
    polled.as_ref().ok().map(Poll::is_pending)
}

fn registry(limit: usize, expires_at_once: bool) -> OpenSpans {
    let time_limit = if expires_at_once { Duration::ZERO } else { Duration::from_secs(3600) };
    OpenSpans::new(&traced_envelope::Settings::default().open_span_limit(limit).open_span_time_limit(time_limit))
}

fn outcome(fails: bool) -> Outcome {
    if fails { Outcome::error("failed", "as it was told") } else { Outcome::Ok }
}

pub(crate) fn current() -> SpanId {
    Context::map_current(|context| context.span().span_context().span_id())
}

fn finish(id: SpanId, handler: Handler) -> Handler {
    assert_eq!(current(), id, "the handler runs in its span");
    assert!(!matches!(handler, Handler::Panics), "as it was told");
    handler
}

async fn handle(id: SpanId, mut pending: u8, handler: Handler) -> Handler {
    struct Leaves(SpanId);
    impl Drop for Leaves {
        fn drop(&mut self) {
            // Not while a panic goes through, where a second one would end the process.
            assert!(std::thread::panicking() || current() == self.0, "what the handler holds is dropped in its span");
        }
    }
    let _leaves = Leaves(id);
    poll_fn(|_| {
        assert_eq!(current(), id, "the handler is polled in its span");
        match pending.checked_sub(1) {
            Some(fewer) => {
                pending = fewer;
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    })
    .await;
    finish(id, handler)
}

fn classify(handler: &Handler) -> Outcome {
    match handler {
        Handler::Deferred => Outcome::Deferred,
        Handler::Err => outcome(true),
        Handler::ClassifyPanics => panic!("as it was told"),
        Handler::Ok | Handler::Panics => Outcome::Ok,
    }
}
