//! The gRPC service `users.Users`: its client, and the trait that its server implements.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Written here, and its messages in Rust: a .proto file would want a protobuf compiler on each machine that builds this.
    let get_user = Method::builder()
        .name("get_user")
        .route_name("GetUser")
        .input_type("crate::users::messages::GetUserRequest")
        .output_type("crate::users::messages::User")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let users = Service::builder().name("Users").package("users").method(get_user).build();
    Builder::new().compile(&[users]);
}
