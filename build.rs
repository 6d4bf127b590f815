//! Compiles `proto/` with protox (no `protoc` needed): messages and services, their JSON mapping, and the
//! descriptor set that server reflection answers from.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const PROTOS: [&str; 1] = ["mingcha/v1/screening.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=wordlists");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    fs::write(out.join("descriptors.binpb"), &encoded)?;
    tonic_prost_build::configure().codec_path("crate::grpc::StrictCodec").compile_fds(descriptors)?;
    pbjson_build::Builder::new().register_descriptors(&encoded)?.build(&[".mingcha"])?;
    Ok(())
}
