//! Prints how many allocations one message of each case makes, a line for each. A program of its own, since counting slows down.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use allocation_counter::measure;
use benches::suite::Suite;

fn main() {
    let wire = std::env::args().any(|suite| suite == "wire");
    let suite = if wire { Suite::wire() } else { Suite::overhead() };
    for mut scene in suite.scenes() {
        for case in &mut scene.cases {
            // What is made once, such as the tracer, is there afterwards.
            (0..3).for_each(|_| (case.run)());
            println!("{}", measure(&mut case.run).count_total);
        }
    }
}
