//! Finding a program on the machine.

use std::path::{Path, PathBuf};

use crate::Environment;

/// The first of `programs` that is there: absolute paths as they are, names in the directories of `PATH`.
///
/// `/usr/sbin` and `/sbin`, where Debian has servers, are looked into although a user's `PATH` rarely has them.
#[must_use]
pub fn find_program(programs: &[&str], environment: &Environment) -> Option<PathBuf> {
    let path = environment.get("PATH").unwrap_or_default();
    let found = |program: &&str| {
        if program.starts_with('/') {
            return Some(PathBuf::from(program)).filter(|file| is_program(file));
        }
        std::env::split_paths(path)
            .chain(["/usr/sbin".into(), "/sbin".into()])
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(program))
            .find(|file| is_program(file))
    };
    programs.iter().find_map(found)
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_on_the_path_and_an_absolute_path_is_taken_as_it_is() {
        let environment = Environment::default().with("PATH", "/nowhere:/bin");
        assert_eq!(find_program(&["/nowhere/sh", "sh"], &environment), Some("/bin/sh".into()));
        assert_eq!(find_program(&["/bin/sh"], &Environment::default()), Some("/bin/sh".into()));
    }

    #[test]
    fn neither_a_directory_nor_a_file_without_the_execute_bit_is_a_program() {
        assert_eq!(find_program(&["/bin", "/etc/passwd", "no-such-program"], &Environment::of_process()), None);
    }
}
