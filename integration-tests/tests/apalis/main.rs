//! Jobs on real storages, in worker processes where these have servers. What all transports have in common is in the conformance suite; what apalis does within one
//! process is in the adapter's own tests, on SQLite.

#![allow(missing_docs, reason = "test binary")]

mod in_process;
mod killed;
mod retried;
mod shared_queue;
mod worker;
mod worker_process;

/// On each storage.
macro_rules! tests_of_one_process {
    ($storage:ty) => {
        #[tokio::test]
        async fn a_failed_job_is_retried_and_linked() -> anyhow::Result<()> {
            crate::retried::a_failed_job_is_retried_and_linked::<$storage>().await
        }

        #[tokio::test]
        async fn a_job_that_was_put_off_waits_from_when_it_was_due() -> anyhow::Result<()> {
            crate::retried::a_job_that_was_put_off_waits_from_when_it_was_due::<$storage>().await
        }
    };
}

/// On a storage that has a server.
macro_rules! tests {
    ($storage:ty) => {
        tests_of_one_process!($storage);

        #[tokio::test]
        async fn two_workers_share_a_queue_and_each_job_is_done_once_in_its_own_trace() -> anyhow::Result<()> {
            crate::shared_queue::each_job_is_done_once::<$storage>().await
        }

        #[tokio::test]
        async fn a_job_of_a_killed_worker_is_picked_up_and_linked() -> anyhow::Result<()> {
            crate::killed::the_job_is_picked_up_and_linked::<$storage>().await
        }

        #[tokio::test]
        async fn a_job_of_a_killed_worker_is_picked_up_in_the_same_trace_where_the_relation_says_so()
        -> anyhow::Result<()> {
            crate::killed::the_job_is_picked_up_in_the_same_trace::<$storage>().await
        }
    };
}

mod postgres {
    tests!(integration_tests::Postgres);
}

mod redis {
    tests!(integration_tests::Redis);
}

mod sqlite {
    tests_of_one_process!(integration_tests::Sqlite);
}
