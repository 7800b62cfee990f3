//! Scenes that are measured and reported together.

use crate::scene::Scene;
use crate::table::{Row, draw};
use crate::times::Time;
use crate::{apalis, callgrind, kafka, rabbitmq, redis, times, wire};
use std::process::Command;
use std::time::{Duration, Instant};

/// Scenes that are measured together.
#[allow(missing_debug_implementations, reason = "closures")]
pub struct Suite {
    /// Its name.
    pub name: &'static str,
    scenes: Vec<Box<dyn Fn() -> Scene>>,
    /// The cases that the others are compared with.
    against: &'static [&'static str],
    /// How many messages of each case callgrind counts.
    pub counted: u32,
}

impl Suite {
    /// A message's way through producer and consumer, of every transport.
    #[must_use]
    pub fn overhead() -> Self {
        let scenes = rabbitmq::SCENES.into_iter().chain(kafka::SCENES);
        let scenes = scenes.chain(redis::SCENES).chain(apalis::SCENES);
        let scenes = scenes.map(|scene| Box::new(scene) as Box<dyn Fn() -> Scene>).collect();
        Self { name: "overhead", scenes, against: &[crate::scene::BY_HAND], counted: 100 }
    }

    /// Payloads that hold their context themselves.
    #[must_use]
    pub fn wire() -> Self {
        Self { name: "wire", scenes: wire::scenes(), against: &[wire::MEMCPY, wire::VALUE], counted: 2 }
    }

    /// All, in order. Each is made when the one before it is dropped: it changes the process-wide providers.
    pub fn scenes(&self) -> impl Iterator<Item = Scene> {
        self.scenes.iter().map(|scene| scene())
    }

    /// Measures all scenes and prints a table for each, or does what the program's arguments say instead.
    ///
    /// `allocations` is the program that counts them.
    ///
    /// # Errors
    ///
    /// Where that program fails.
    pub fn run(&self, allocations: &str) -> anyhow::Result<()> {
        let arguments: Vec<String> = std::env::args().collect();
        let has = |argument: &str| arguments.iter().any(|given| given == argument);
        if has(callgrind::ARGUMENT) {
            callgrind::run_all(self);
            return Ok(());
        }
        if let Some([_, scene, case]) =
            arguments.windows(3).find(|window| window.first().is_some_and(|it| it == "--loop"))
        {
            self.repeat(scene, case);
            return Ok(());
        }
        self.report(allocations, has("--markdown"))
    }

    fn report(&self, allocations: &str, markdown: bool) -> anyhow::Result<()> {
        let counted = callgrind::count(self);
        if counted.is_none() {
            println!("No instructions: valgrind is not on this machine, or failed.\n");
        }
        let mut counted = counted.map(Vec::into_iter);
        let allocations = Command::new(allocations).arg(self.name).output()?;
        let allocations = String::from_utf8(allocations.stdout)?;
        let mut allocations = allocations.lines();
        for mut scene in self.scenes() {
            let measured = times::measure(&mut scene);
            let mut alone: Option<Row> = None;
            let mut rows = Vec::new();
            for (case, time) in scene.cases.iter().zip(measured) {
                let instructions = counted.as_mut().and_then(Iterator::next);
                let allocations = allocations.next().unwrap_or_default().parse::<u64>()?;
                let row = Row { name: case.name, time, instructions, allocations, budget: case.budget };
                match &alone {
                    None => alone = Some(row),
                    Some(alone) => rows.push(without(row, alone)),
                }
            }
            println!("{}", draw(&scene.title, &rows, self.against, markdown));
        }
        Ok(())
    }

    fn repeat(&self, scene: &str, case: &str) {
        let start = Instant::now();
        for mut found in self.scenes().filter(|found| found.title == scene) {
            for case in found.cases.iter_mut().filter(|found| found.name == case) {
                while start.elapsed() < Duration::from_secs(5) {
                    (0..1000).for_each(|_| (case.run)());
                }
            }
        }
    }
}

/// Takes off what the transport costs by itself.
fn without(row: Row, alone: &Row) -> Row {
    Row {
        time: Time { median: row.time.median - alone.time.median, ..row.time },
        instructions: row.instructions.zip(alone.instructions).map(|(all, alone)| all - alone),
        allocations: row.allocations.saturating_sub(alone.allocations),
        ..row
    }
}
