//! Streams: replayed from the beginning, resumed, live, ended by a stop; kept out of what is not theirs.

use std::time::Duration;

use mingcha::wire::v1::{ReceiveRequest, ReferralState, StreamRequest, WatchRequest};
use tokio::time::timeout;
use tonic::Code;

use super::{Office, payment};

/// Longest that a message may take.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_replayed_from_any_record_and_then_come_as_they_happen() {
    let mut office = Office::open().await;
    office.record(payment(), "").await;
    office.referrals.receive(ReceiveRequest { referral: "R1".to_owned(), ..Default::default() }).await.expect("received");
    let mut all = office.firms.watch(WatchRequest { from_sequence: 0 }).await.expect("a stream").into_inner();
    let mut rest = office.firms.watch(WatchRequest { from_sequence: 2 }).await.expect("a stream").into_inner();
    let mut steps = office.referrals.stream(StreamRequest { body: "320100/finance-office".to_owned(), from_sequence: 0 }).await;
    let steps = steps.as_mut().expect("a stream").get_mut();
    let mut sequences = Vec::new();
    for whole in [true, true, false] {
        let stream = if whole { &mut all } else { &mut rest };
        let change = timeout(SOON, stream.message()).await.expect("in time").expect("a message").expect("no end");
        sequences.push(change.record.expect("a record").head.expect("a head").sequence);
    }
    assert_eq!(sequences, [1, 2, 2]);
    let mut states = Vec::new();
    for _ in 0..2 {
        let step = timeout(SOON, steps.message()).await.expect("in time").expect("a message").expect("no end");
        states.push((step.sequence, step.state(), step.referral.expect("a referral").id));
    }
    assert_eq!(states, [(1, ReferralState::Sent, "R1".to_owned()), (2, ReferralState::Received, "R1".to_owned())]);

    office.referrals.receive(ReceiveRequest { referral: "R2".to_owned(), ..Default::default() }).await.expect("received");
    let live = timeout(SOON, all.message()).await.expect("in time").expect("a message").expect("no end").record.expect("a record");
    assert_eq!((live.kind.as_str(), live.firms), ("referral-received", vec!["F1".to_owned()]));

    assert!(office.server.stop().success(), "an open stream holds nothing up");
    let ended = timeout(SOON, all.message()).await.expect("in time").expect_err("the service has gone");
    assert_eq!(ended.code(), Code::Unavailable);
}
