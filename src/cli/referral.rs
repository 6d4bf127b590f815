//! `mingcha referral`: referrals on the command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use super::{
    Lists,
    client::{LARGEST, Line, To},
    print,
    watch::{self, REFERRAL, Style, one_of, referral_line, referral_row, said},
};
use crate::{
    watch::{Disposition, ReferralState},
    wire::{
        number,
        v1::{
            AcceptRequest, ConcludeRequest, EscalateRequest, Opinion, ReceiveRequest, ReconcileRequest, RedirectRequest, Referral,
            ReferralServiceListRequest, ReturnRequest, referral_service_client::ReferralServiceClient,
        },
    },
};

/// Referrals of a page that is fetched.
const PAGE: u32 = 200;

/// What is done with referrals.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    to: To,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List referrals, the newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// One referral a line, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write referrals to a table: .xlsx, .csv, .jsonl or .parquet.
    Export {
        /// The file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        style: Style,
    },
    /// Say that the body has it.
    Receive(Step),
    /// Take it on.
    Accept(Step),
    /// Give the body's opinion.
    Conclude {
        /// Its number: R17.
        referral: String,
        /// COMPLIANT, RECTIFY, BAN, REVOKE or POLICE.
        #[arg(long, value_name = "DISPOSITION", value_parser = one_of::<Disposition>)]
        disposition: Disposition,
        /// For RECTIFY: the last day to put things right.
        #[arg(long, value_name = "DAY", default_value = "")]
        deadline: String,
        /// The opinion in words.
        #[arg(long, value_name = "TEXT", default_value = "")]
        text: String,
    },
    /// Say that the body is not the one to tell.
    Return(Reason),
    /// Send what was returned to another body.
    Redirect {
        #[command(flatten)]
        step: Reason,
        /// The other body: REGION/FUNCTION.
        #[arg(long = "body", value_name = "BODY")]
        body: String,
    },
    /// Lay it before the same function in the place above.
    Escalate(Reason),
    /// Count and hash of a body's referrals, to compare with another office's.
    Reconcile {
        /// The body: REGION/FUNCTION.
        #[arg(long, value_name = "BODY", default_value = "")]
        body: String,
        /// At the end of which day.
        #[arg(long, value_name = "DAY", default_value = "")]
        date: String,
    },
}

#[derive(Debug, Args)]
struct Step {
    /// Its number: R17.
    referral: String,
    /// A note.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
struct Reason {
    /// Its number: R17.
    referral: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Which referrals.
#[derive(Debug, Args)]
struct Filter {
    /// The body: REGION/FUNCTION.
    #[arg(long, value_name = "BODY", default_value = "")]
    body: String,
    /// SENT, RECEIVED, ACCEPTED, CONCLUDED, RETURNED.
    #[arg(long, value_name = "STATE", value_parser = one_of::<ReferralState>)]
    state: Vec<ReferralState>,
    /// A place with all below it: a code or a name.
    #[arg(long, value_name = "PLACE", default_value = "")]
    region: String,
    /// Only those whose next step was due before today.
    #[arg(long)]
    overdue: bool,
    /// Text in the firm's name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
}

impl Filter {
    fn message(&self) -> ReferralServiceListRequest {
        ReferralServiceListRequest {
            body: self.body.clone(),
            states: self.state.iter().copied().map(number).collect(),
            region: self.region.clone(),
            overdue: self.overdue,
            name_contains: self.name.clone(),
            page_size: PAGE,
            ..Default::default()
        }
    }
}

impl Arguments {
    pub(super) fn run(&self, lists: &Lists) -> anyhow::Result<ExitCode> {
        self.to.with(lists, |line| self.command.run(line))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn client(line: Line) -> ReferralServiceClient<Line> {
    ReferralServiceClient::new(line).max_decoding_message_size(LARGEST)
}

/// Calls a method with a request, and shows the referral of the answer.
macro_rules! step {
    ($line:ident, $method:ident, $request:expr) => {{
        let answer = client($line).$method($request).await.map_err(|status| said(&status))?.into_inner();
        print(&(referral_line(&answer.referral.unwrap_or_default()) + "\n"))
    }};
}

impl Command {
    async fn run(&self, line: Line) -> anyhow::Result<()> {
        let request_id = String::new();
        match self {
            Self::List { filter, json } => {
                each(line, filter.message(), |referral| {
                    print(&if *json { serde_json::to_string(referral)? + "\n" } else { listed(referral) })
                })
                .await
            }
            Self::Export { out, filter, style } => {
                let mut sheet = watch::begun(out, "移送", REFERRAL, style.options())?;
                let mut count = 0u64;
                each(line, filter.message(), |referral| {
                    count += 1;
                    watch::written(&mut sheet, &referral_row(referral))
                })
                .await?;
                watch::finished(sheet, out, count)
            }
            Self::Receive(Step { referral, note }) => {
                step!(line, receive, ReceiveRequest { referral: referral.clone(), note: note.clone(), request_id })
            }
            Self::Accept(Step { referral, note }) => {
                step!(line, accept, AcceptRequest { referral: referral.clone(), note: note.clone(), request_id })
            }
            Self::Conclude { referral, disposition, deadline, text } => {
                let opinion = Opinion { disposition: number(*disposition), deadline: deadline.clone(), text: text.clone() };
                step!(line, conclude, ConcludeRequest { referral: referral.clone(), opinion: Some(opinion), request_id })
            }
            Self::Return(Reason { referral, reason }) => {
                step!(line, r#return, ReturnRequest { referral: referral.clone(), reason: reason.clone(), request_id })
            }
            Self::Redirect { step: Reason { referral, reason }, body } => {
                let (referral, reason) = (referral.clone(), reason.clone());
                step!(line, redirect, RedirectRequest { referral, body: body.clone(), reason, request_id })
            }
            Self::Escalate(Reason { referral, reason }) => {
                step!(line, escalate, EscalateRequest { referral: referral.clone(), reason: reason.clone(), request_id })
            }
            Self::Reconcile { body, date } => {
                let request = ReconcileRequest { body: body.clone(), date: date.clone() };
                let sum = client(line).reconcile(request).await.map_err(|status| said(&status))?.into_inner();
                print(&format!("{} {}: {} referrals, sha256 {}\n", sum.body, sum.date, sum.count, sum.sha256))
            }
        }
    }
}

fn listed(referral: &Referral) -> String {
    format!("{}\t{} {}\n", referral_line(referral), referral.firm, referral.firm_name)
}

/// Calls `each` with every referral, page by page.
async fn each(
    line: Line,
    mut request: ReferralServiceListRequest,
    mut each: impl FnMut(&Referral) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut client = client(line);
    loop {
        let page = client.list(request.clone()).await.map_err(|status| said(&status))?.into_inner();
        page.referrals.iter().try_for_each(&mut each)?;
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}
