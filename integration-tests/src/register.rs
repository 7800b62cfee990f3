//! Every case becomes a test, named by what it proves.

use anyhow::{Context as _, Result, bail};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// For a case and all its waits, a broker's restart among them: a test that fails is better than one that hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// For the tasks that a case has left behind.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Runs a case on a runtime of its own, whose tasks move between threads.
///
/// # Errors
///
/// The case's.
pub fn run(case: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Spawned: the case is polled by the workers, and its future is proven to be `Send`.
    let ended = runtime.block_on(async { timeout(LIMIT, tokio::spawn(case)).await });
    // A client's call that still blocks its thread, since no broker answers, would keep the runtime and the test for ever.
    runtime.shutdown_timeout(SHUTDOWN);
    match ended.with_context(|| format!("the case does not end within {} s", LIMIT.as_secs()))? {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => bail!("{cancelled}"),
        },
    }
}

/// Registers all cases for a [`Transport`](crate::Transport), in a module of the transport's name.
#[macro_export]
macro_rules! conformance {
    ($transport:ty) => {
        $crate::conformance! { @together $transport;
            trace:
                one_trace_from_publisher_to_handler,
                one_trace_with_tracing_spans,
                one_trace_with_tracing_spans_that_activate_no_context;
            headers:
                users_headers_of_every_kind_survive_beside_ours,
                an_existing_context_is_replaced_and_linked,
                a_context_that_is_kept_stays_as_it_is_and_is_linked,
                a_republished_message_keeps_its_creation_context_and_one_header_of_each_name;
            arrivals:
                a_bare_message_starts_a_trace_and_is_counted_as_absent,
                a_malformed_context_is_ignored_and_counted_as_invalid,
                a_foreign_message_continues_its_trace_with_both_flags;
            endings:
                a_failing_handlers_error_comes_back_unchanged_and_is_on_the_span,
                an_error_has_the_name_that_the_application_gives_it,
                a_panic_in_the_handler_is_recorded_and_propagated_and_leaves_nothing_behind,
                a_handler_dropped_in_the_middle_ends_its_one_span_as_cancelled,
                a_redelivered_message_counts_its_attempt_below_the_same_creation_context;
            batches:
                a_batch_has_a_create_span_for_each_message_and_one_send_span_that_links_them,
                a_batch_without_create_spans_carries_the_send_spans_context,
                a_processed_batch_links_each_creation_context_once_and_has_no_messages_baggage;
            concurrency:
                concurrent_messages_never_see_each_others_context,
                an_instrumented_worker_loop_does_not_collect_the_messages_in_one_trace,
                a_bare_message_in_an_instrumented_loop_starts_a_trace_of_its_own,
                a_single_pull_inside_a_span_belongs_to_that_span_and_links_the_creation,
                a_message_can_be_processed_in_a_task_of_its_own;
            restart:
                every_confirmed_message_is_processed_across_a_broker_restart;
            sampling:
                an_unsampled_trace_stays_unsampled_and_keeps_its_id,
                suppressed_telemetry_makes_no_span_no_metric_and_no_header;
            baggage:
                a_difficult_baggage_value_is_exact_on_the_wire_and_in_the_handler,
                a_baggage_policy_holds_when_sending_and_when_receiving,
                baggage_never_leaks_into_the_next_message;
            relations:
                each_relation_has_its_parent_and_its_links,
                relations_go_untrusted_then_closure_then_destination_then_global,
                an_untrusted_message_starts_a_trace_without_tracestate_and_baggage;
            propagators:
                b3_headers_carry_the_trace,
                a_composite_propagator_writes_all_its_headers;
            conventions:
                the_semconv_switch_writes_either_name_or_both,
                spans_have_the_attributes_of_the_conventions,
                metrics_have_the_names_units_and_low_cardinality_attributes_of_the_conventions,
                what_is_switched_off_leaves_no_trace;
        }
        $crate::conformance! { @alone $transport;
            globals:
                without_an_sdk_context_and_baggage_pass_through,
                without_an_sdk_and_a_context_messages_are_left_alone,
                providers_set_late_are_used_from_then_on,
                providers_set_late_are_used_for_a_first_message_without_a_parent,
                a_forgotten_propagator_breaks_no_trace_and_an_installed_one_is_used;
        }
    };
    (@together $transport:ty; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() -> ::anyhow::Result<()> {
                $crate::run($crate::cases::$module::$case::<$transport>())
            }
        )+)+
    };
    (@alone $transport:ty; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() -> ::anyhow::Result<()> {
                let name = concat!(module_path!(), "::", stringify!($case));
                $crate::in_a_process_of_its_own::<$transport, _>(name, $crate::cases::$module::$case::<$transport>)
            }
        )+)+
    };
}
