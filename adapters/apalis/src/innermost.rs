//! Which of two layers makes a task's span.

use opentelemetry::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// Whether a layer is the innermost of ours, which is the one that makes spans.
///
/// A layer inside another cannot be seen through the layers between them, which may hide their types. But a service is ready only
/// when all inside it are, so that readiness is asked through to the innermost before the first call: each layer on the way tells the
/// one outside that it is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Innermost {
    outer_of_another: Arc<AtomicBool>,
    known: bool,
}

/// The outer layer that is asking, in the context of the call.
struct Asking(Arc<AtomicBool>);

impl Innermost {
    /// Asks the service inside whether it is ready, and finds out on the way.
    pub(crate) fn watch<T>(&mut self, inner_ready: impl FnOnce() -> Poll<T>) -> Poll<T> {
        Context::map_current(|context| {
            if let Some(Asking(outer)) = context.get::<Asking>() {
                outer.store(true, Ordering::Relaxed);
            }
        });
        if self.known {
            return inner_ready();
        }
        let asking = Context::current_with_value(Asking(Arc::clone(&self.outer_of_another))).attach();
        let ready = inner_ready();
        drop(asking);
        self.known = ready.is_ready();
        ready
    }

    pub(crate) fn is_this(&self) -> bool {
        !self.outer_of_another.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_of_two_knows_it_before_its_first_call() {
        let (mut outer, mut inner) = (Innermost::default(), Innermost::default());
        for ready in [Poll::Pending, Poll::Ready(()), Poll::Ready(())] {
            assert_eq!(outer.watch(|| inner.watch(|| ready)), ready);
        }
        assert!(!outer.is_this() && inner.is_this());
    }

    #[test]
    fn a_layer_that_is_not_reached_while_another_is_busy_is_found_later() {
        let (mut outer, mut inner) = (Innermost::default(), Innermost::default());
        assert!(outer.watch(|| Poll::<()>::Pending).is_pending());
        assert!(outer.watch(|| inner.watch(|| Poll::Ready(()))).is_ready());
        assert!(!outer.is_this());
    }

    #[test]
    fn layers_side_by_side_do_not_see_each_other() {
        let (mut first, mut second) = (Innermost::default(), Innermost::default());
        assert!(first.watch(|| Poll::Ready(())).is_ready());
        assert!(second.watch(|| Poll::Ready(())).is_ready());
        assert!(first.is_this() && second.is_this());
    }
}
