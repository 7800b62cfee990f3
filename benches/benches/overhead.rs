//! `cargo bench -p benches --bench overhead`: instructions, times and allocations of every case, beside the budget.
//!
//! `-- --loop "RabbitMQ: consume, sampled" traced` repeats one case for five seconds, for a profiler. `-- --markdown` writes Markdown.
//! Instructions need valgrind on the machine, and are left out without it.

fn main() -> anyhow::Result<()> {
    benches::suite::Suite::overhead().run(env!("CARGO_BIN_EXE_count-allocations"))
}
