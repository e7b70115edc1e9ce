//! Makes the gRPC service's types; no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let descriptors = protox::compile(["proto/points.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(false).compile_fds(descriptors)?;
    println!("cargo::rerun-if-changed=proto");
    Ok(())
}
