//! Re-screenings by the service: a real process, real files, the standard clients of long-running operations.

mod confined;
mod fetch;
mod lifecycle;
mod paths;
mod restart;
mod sources;
mod stream;
mod upload;

use std::{fs, path::PathBuf, time::Duration};

use mingcha::wire::{
    longrunning::{
        GetOperationRequest, Operation, WaitOperationRequest, operation::Result as Outcome, operations_client::OperationsClient,
    },
    v1::{
        RescreenMetadata, RescreenOptions, RescreenResponse, RescreenState, StartRescreenRequest,
        rescreen_service_client::RescreenServiceClient,
    },
};
use prost::Message;
use tempfile::TempDir;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    rescreen::{Bureau, DAY},
    server::Server,
};

/// A service over the registers of a bureau.
struct Service {
    bureau: Bureau,
    data: TempDir,
    server: Server,
    channel: Channel,
}

async fn channel(address: &str) -> Channel {
    Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("it listens")
}

impl Service {
    async fn open(more: &[&str]) -> Self {
        let (bureau, data) = (Bureau::new(), tempfile::tempdir().expect("a folder"));
        let server = serve(&bureau, &data, more);
        Self { channel: channel(&server.address).await, bureau, data, server }
    }

    /// The same, where no file can grow beyond some MiB.
    async fn without_room(mebibytes: usize) -> Self {
        Self::without_room_over(Bureau::new(), tempfile::tempdir().expect("a folder"), mebibytes).await
    }

    /// The same, over what is there.
    async fn without_room_over(bureau: Bureau, data: TempDir, mebibytes: usize) -> Self {
        let arguments = arguments(&bureau, &data, &[]);
        let server = Server::without_room(mebibytes, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        Self { channel: channel(&server.address).await, bureau, data, server }
    }

    /// Starts the service again, which has ended.
    async fn again(self, more: &[&str]) -> Self {
        let Self { bureau, data, server, .. } = self;
        drop(server);
        let server = serve(&bureau, &data, more);
        Self { channel: channel(&server.address).await, bureau, data, server }
    }

    fn starts(&self) -> RescreenServiceClient<Channel> {
        RescreenServiceClient::new(self.channel.clone())
    }

    fn operations(&self) -> OperationsClient<Channel> {
        OperationsClient::new(self.channel.clone())
    }

    async fn start(&self, input: &str, output: &str) -> Result<Operation, Status> {
        let request = StartRescreenRequest { inputs: vec![input.to_owned()], output: output.to_owned(), options: Some(options()) };
        self.starts().start_rescreen(request).await.map(tonic::Response::into_inner)
    }

    async fn get(&self, name: &str) -> Operation {
        self.operations().get_operation(GetOperationRequest { name: name.to_owned() }).await.expect("it is there").into_inner()
    }

    /// Waits until an operation has ended.
    async fn ended(&self, name: &str) -> Operation {
        let wait = WaitOperationRequest { name: name.to_owned(), timeout: None };
        let mut operations = self.operations();
        let waited = tokio::time::timeout(Duration::from_secs(120), operations.wait_operation(wait)).await;
        let operation = waited.expect("it ends in time").expect("it is there").into_inner();
        assert!(operation.done, "{operation:?}");
        operation
    }

    /// Waits until an operation is so far.
    async fn until(&self, name: &str, far: impl Fn(&RescreenMetadata) -> bool) {
        let looking = async {
            while !far(&metadata(&self.get(name).await)) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), looking).await.expect("it comes so far in time");
    }

    /// The bytes of a file of the bureau.
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.bureau.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// That an output and its rejects are what the command line writes for the same input.
    fn same_as_the_command_line(&self, input: &str, output: &str, more: &[&str]) {
        let ending = output.rsplit_once('.').expect("an ending").1;
        let own = format!("own.{ending}");
        self.bureau.rescreen(&[input], &own, more);
        assert!(self.bytes(output) == self.bytes(&own), "{output} differs");
        assert!(self.bytes(&format!("{output}.rejects.csv")) == self.bytes(&format!("{own}.rejects.csv")), "its rejects differ");
        for file in [own.clone(), format!("{own}.rejects.csv")] {
            fs::remove_file(self.bureau.path(&file)).expect("it is there");
        }
    }

    /// What lies in the folder of operations.
    fn records(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.data.path().join("operations")).expect("a folder");
        folder.map(|entry| entry.expect("a file").path()).collect()
    }
}

fn serve(bureau: &Bureau, data: &TempDir, more: &[&str]) -> Server {
    let arguments = arguments(bureau, data, more);
    Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn arguments(bureau: &Bureau, data: &TempDir, more: &[&str]) -> Vec<String> {
    let (folder, data) = (bureau.path(""), data.path());
    let args = ["--data", data.to_str().expect("a name"), "--rescreen-folder", folder.to_str().expect("a name")];
    // tests share their machine with others: a gentle run would wait for them
    let gentle = if more.contains(&"--rescreen-gentle=true") { &[][..] } else { &["--rescreen-gentle=false"] };
    let often = if more.contains(&"--rescreen-checkpoint-every") { &[][..] } else { &["--rescreen-checkpoint-every", "0s"] };
    [&args[..], often, gentle, more].concat().into_iter().map(str::to_owned).collect()
}

fn options() -> RescreenOptions {
    RescreenOptions { date: DAY.to_owned(), ..RescreenOptions::default() }
}

fn metadata(operation: &Operation) -> RescreenMetadata {
    let any = operation.metadata.as_ref().expect("metadata");
    assert_eq!(any.type_url, "type.googleapis.com/mingcha.v1.RescreenMetadata");
    RescreenMetadata::decode(any.value.as_slice()).expect("its type")
}

fn state(operation: &Operation) -> RescreenState {
    metadata(operation).state()
}

fn response(operation: &Operation) -> RescreenResponse {
    let Some(Outcome::Response(any)) = &operation.result else { panic!("{operation:?}") };
    assert_eq!(any.type_url, "type.googleapis.com/mingcha.v1.RescreenResponse");
    RescreenResponse::decode(any.value.as_slice()).expect("its type")
}

fn error(operation: &Operation) -> (Code, String) {
    let Some(Outcome::Error(status)) = &operation.result else { panic!("{operation:?}") };
    (Code::from_i32(status.code), status.message.clone())
}

/// That a call was refused, and why.
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, why: &str) {
    let status = answer.expect_err("it is refused");
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let fields = details.bad_request().map(|bad| bad.field_violations.iter().map(|field| field.field.clone()).collect::<Vec<_>>());
    let said = format!("{} {reason} {fields:?}", status.message());
    assert!(status.code() == code && said.contains(why), "{code:?} {why}: {:?} {said}", status.code());
}
