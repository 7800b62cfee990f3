//! No dependency needs a newer Rust than the `rust-version` of the package that uses it, and the demo's image has one that is new enough.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const DOCKERFILE: &str = include_str!("../../examples/Dockerfile");

/// Major and minor.
type Version = (u64, u64);

fn version(text: &str) -> Version {
    let mut numbers = text.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What packages ask for, by `name vVERSION`, and the names of the workspace's own.
fn packages() -> (BTreeMap<String, Version>, Vec<String>) {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--locked", "--all-features"])).unwrap();
    let members = metadata["workspace_members"].as_array().unwrap();
    let (mut asked, mut own) = (BTreeMap::new(), Vec::new());
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let rust = package["rust_version"].as_str().map_or((0, 0), version);
        asked.insert(format!("{name} v{}", package["version"].as_str().unwrap()), rust);
        if members.contains(&package["id"]) {
            own.push(name.to_owned());
        }
    }
    (asked, own)
}

fn of_package(asked: &BTreeMap<String, Version>, name: &str) -> Version {
    let begin = format!("{name} v");
    asked.iter().find(|(package, _)| package.starts_with(&begin)).map(|(_, rust)| *rust).unwrap()
}

#[test]
fn no_dependency_needs_a_newer_rust_than_its_user_says() {
    let (asked, own) = packages();
    for name in &own {
        let rust = of_package(&asked, name);
        // Not of metadata's graph: that has the features of all members together. Tests may want more.
        let options = ["--all-features", "--edges=normal,build", "--prefix=none", "--format={p}"];
        let tree = cargo(&[&["tree", "--locked", "--package", name][..], &options].concat());
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let used = line.split(" (").next().unwrap();
            let needed = asked[used];
            assert!(needed <= rust, "{name} says Rust {rust:?}, and {used} needs {needed:?}");
        }
    }
}

#[test]
fn the_image_of_the_demo_is_built_with_a_rust_that_is_new_enough() {
    let (asked, _) = packages();
    let needed = of_package(&asked, "examples");
    let image = DOCKERFILE.lines().find_map(|line| line.strip_prefix("ARG RUST=rust:")).unwrap();
    let image = version(image.split('-').next().unwrap());
    assert!(image >= needed, "the Dockerfile has Rust {image:?}, and examples needs {needed:?}");
}
