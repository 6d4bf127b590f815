//! Batches: screened in parts, answered as a whole.

use mingcha::{
    day,
    wire::{
        Bases, respond, understand,
        v1::{BatchScreenRequest, BatchScreenResponse, ScreenRequest},
    },
};

use super::{client, firm};
use crate::{server::Server, support::engine};

/// Firms whose hits and near misses rest on many rules, not in the order of the rules.
fn firms(count: usize) -> Vec<ScreenRequest> {
    let words = ["苹果", "理财", "交易所", "支付", "典当", "保险柜", "互联网金融", "众筹", "投资管理", "基金", "区块链", "P·2·P"];
    let places = ["320100", "110000", "330100", "000000", "440300"];
    let name = |n: usize| format!("某地{}{}有限公司", words[n * n % words.len()], words[(n / 7) % words.len()]);
    (0..count).map(|n| ScreenRequest { region: places[n / 150 % places.len()].to_owned(), explain: n % 3 == 0, ..firm(&name(n)) }).collect()
}

/// As one worker alone would answer.
fn one_by_one(requests: &[ScreenRequest]) -> BatchScreenResponse {
    let mut bases = Bases::shared();
    let today = day::parse("2026-11-01").expect("a day");
    let responses = requests.iter().map(|request| {
        let understood = understand(request.clone(), engine(), today).expect("good");
        respond(&understood, &engine().screen(&understood.firm), engine(), &mut bases)
    });
    let responses = responses.collect();
    BatchScreenResponse { responses, bases: bases.into_shared() }
}

#[tokio::test]
async fn a_batch_in_parts_is_answered_as_if_by_one() {
    let server = Server::start(&[]);
    let mut client = client(&server.address).await.max_decoding_message_size(32 << 20);
    for count in [0, 1, 99, 250, 1000] {
        let requests = firms(count);
        let expected = one_by_one(&requests);
        let request = BatchScreenRequest { requests, ..BatchScreenRequest::default() };
        let answer = client.batch_screen(request).await.expect("an answer").into_inner();
        assert!(count < 250 || expected.bases.len() > 5, "{} bases show little", expected.bases.len());
        assert!(answer == expected, "{count} firms");
    }
}

#[tokio::test]
async fn what_is_wrong_in_any_part_is_named() {
    let server = Server::start(&[]);
    let mut client = client(&server.address).await;
    let mut requests = firms(1000);
    requests[3].name.clear();
    requests[998].region = "nowhere".to_owned();
    let refused = client.batch_screen(BatchScreenRequest { requests, ..BatchScreenRequest::default() }).await.expect_err("two are bad");
    let said = refused.message();
    assert!(said.contains("requests[3].name") && said.contains("requests[998].region"), "{said}");
}
