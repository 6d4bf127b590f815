//! Compiles `proto/` with protox (no `protoc` needed): messages and services, their JSON mapping, and the
//! descriptor set that server reflection and the HTTP edge answer from.

use std::{env, error::Error, fs, path::PathBuf};

const PROTOS: [&str; 9] = [
    "mingcha/v1/screening.proto",
    "mingcha/v1/wordlist.proto",
    "mingcha/v1/watch.proto",
    "mingcha/v1/referral.proto",
    "mingcha/v1/journal.proto",
    "mingcha/v1/rescreen.proto",
    "google/longrunning/operations.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=wordlists");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(PROTOS)?;
    let encoded = compiler.encode_file_descriptor_set(); // keeps the options that say which HTTP call a method is
    let descriptors = compiler.file_descriptor_set();
    fs::write(out.join("descriptors.binpb"), &encoded)?;
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names(); // by which the codec knows what it decodes
    config.boxed(".mingcha.v1.ScreenStreamResponse.result.screening"); // an error is small
    config.extern_path(".google.rpc", "::tonic_types::pb");
    tonic_prost_build::configure().codec_path("crate::grpc::StrictCodec").compile_fds_with_config(descriptors, config)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        // a field mask and a status have no JSON there; over HTTP the descriptors do
        .exclude([".mingcha.v1.UpdateEntryRequest", ".mingcha.v1.ScreenStreamResponse"])
        .build(&[".mingcha"])?;
    Ok(())
}
