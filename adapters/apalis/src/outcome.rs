//! How a job ended, by apalis' own errors.

use apalis_core::error::{AbortError, BoxDynError, DeferredError, RetryAfterError};
use apalis_core::worker::lifecycle::TaskLifecycleError;
use std::error::Error;
use traced_envelope::{Outcome, Telemetry};

/// The classes that `apalis.outcome` tells apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    Ok,
    /// It failed, and may be tried again.
    Error,
    /// The handler panicked.
    Panic,
    /// It failed for good.
    Abort,
    /// It was put off on purpose: no error.
    Deferred,
    /// The worker went away in the middle, or somebody told it to leave the job.
    Cancelled,
}

impl Ending {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Abort => "abort",
            Self::Deferred => "deferred",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn of<T>(result: &Result<T, BoxDynError>) -> Self {
        let Err(error) = result else { return Self::Ok };
        if error.is::<RetryAfterError>() || error.is::<DeferredError>() {
            Self::Deferred
        } else if let Some(abort) = error.downcast_ref::<AbortError>() {
            match abort.source() {
                // apalis' own word for a task that was cancelled, by its own context, by its worker, or with a worker that is killed.
                Some(source) if source.is::<TaskLifecycleError>() => Self::Cancelled,
                Some(source) if is_caught_panic(source) => Self::Panic,
                _ => Self::Abort,
            }
        } else {
            Self::Error
        }
    }

    /// What the span says: the application's name for the error, else apalis' word for it.
    pub(crate) fn outcome<T>(self, telemetry: &Telemetry, result: &Result<T, BoxDynError>) -> Outcome {
        match (self, telemetry.outcome(result)) {
            (Self::Deferred, _) => Outcome::Deferred,
            (Self::Abort | Self::Cancelled | Self::Panic, Outcome::Error { kind, message }) if kind == "_OTHER" => {
                Outcome::error(self.as_str(), message)
            }
            (_, outcome) => outcome,
        }
    }
}

/// apalis' `CatchPanicLayer` makes an `AbortError` of a panic, around a type of the crate `apalis`, which only its text shows here.
fn is_caught_panic(source: &(dyn Error + 'static)) -> bool {
    source.to_string().starts_with("PanicError: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use apalis::layers::catch_panic::PanicError;
    use std::time::Duration;
    use traced_envelope::Settings;

    fn of(error: impl Into<BoxDynError>, settings: &Settings) -> (&'static str, Outcome) {
        let result = Err::<(), _>(error.into());
        let ending = Ending::of(&result);
        let telemetry = Telemetry::new("memory", settings);
        (ending.as_str(), ending.outcome(&telemetry, &result))
    }

    #[test]
    fn each_of_apalis_errors_has_its_outcome() {
        let settings = Settings::default();
        assert_eq!(of("no", &settings), ("error", Outcome::error("_OTHER", "no")));
        assert_eq!(of(AbortError::new("no"), &settings), ("abort", Outcome::error("abort", "AbortError: no")));
        assert_eq!(of(RetryAfterError::new("no", Duration::ZERO), &settings), ("deferred", Outcome::Deferred));
        assert_eq!(of(DeferredError::new("no"), &settings), ("deferred", Outcome::Deferred));
        let caught = AbortError::new(PanicError("no".to_owned()));
        assert_eq!(of(caught, &settings), ("panic", Outcome::error("panic", "AbortError: PanicError: no")));
        assert_eq!(Ending::of(&Ok(())).as_str(), "ok");
    }

    #[test]
    fn the_applications_name_for_an_error_goes_first() {
        let settings = Settings::default().on_error(|error| {
            let error = error.downcast_ref::<BoxDynError>()?;
            error.is::<AbortError>().then_some("declined")
        });
        let (ending, outcome) = of(AbortError::new("no"), &settings);
        assert_eq!((ending, outcome), ("abort", Outcome::error("declined", "AbortError: no")));
    }
}
