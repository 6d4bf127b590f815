//! What metrics count apart (标签): closed vocabularies, so that no label can hold the text of a request.

use std::marker::PhantomData;

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::{screen::Reason, set::Member, vocabulary::vocabulary};

vocabulary! {
    /// Why an occurrence was cleared: [`Reason`] without what it quotes.
    ClearedReason {
        /// Its characters belong to other words.
        WordBoundary = "word_boundary", "词界";
        /// It stands in an exclusion clause.
        Excluded = "excluded", "除外";
        /// It is part of a harmless phrase.
        Mention = "mention", "提及";
        /// A licence exempts it.
        Licensed = "licensed", "持证";
        /// No rule reaches it.
        NotApplicable = "not_applicable", "不适用";
    }
}

vocabulary! {
    /// Why a call was shed.
    Shed {
        /// As many calls as are allowed were being served.
        Calls = "calls", "调用";
        /// As many streams as are allowed went on.
        Streams = "streams", "流";
        /// As many streams that need no identity as are allowed went on.
        OpenStreams = "open_streams", "公开流";
    }
}

vocabulary! {
    /// How reading the lists again went.
    Reload {
        /// New lists serve.
        Loaded = "loaded", "已换";
        /// They are what serves already.
        Unchanged = "unchanged", "未变";
        /// They have problems: the old ones go on serving.
        Refused = "refused", "拒绝";
        /// They could not be read, or not be kept: the old ones go on serving.
        Failed = "failed", "失败";
    }
}

vocabulary! {
    /// What became of rows that the service re-screened.
    Row {
        /// Read, whatever became of them.
        Read = "read", "读入";
        /// Nothing counts.
        Passed = "passed", "通过";
        /// Flagged.
        Flagged = "flagged", "命中";
        /// No firm that can be screened, or not the caller's.
        Rejected = "rejected", "未处理";
    }
}

vocabulary! {
    /// How operations end.
    OperationEnd {
        /// All is in its place.
        Done = "done", "完成";
        /// It failed.
        Failed = "failed", "失败";
        /// It was cancelled.
        Cancelled = "cancelled", "取消";
    }
}

vocabulary! {
    /// What became of spans.
    Sent {
        /// The collector took them.
        Exported = "exported", "已送";
        /// It did not: they are gone.
        Failed = "failed", "失败";
    }
}

impl From<&Reason<'_>> for ClearedReason {
    fn from(reason: &Reason<'_>) -> Self {
        match reason {
            Reason::WordBoundary(_) => Self::WordBoundary,
            Reason::Excluded(..) => Self::Excluded,
            Reason::Mention(..) => Self::Mention,
            Reason::Licensed(_) => Self::Licensed,
            Reason::NotApplicable => Self::NotApplicable,
        }
    }
}

/// A counter for each value of a closed vocabulary. All of them exist from the start, at zero, so that the first
/// increase is seen.
#[derive(Debug, Clone)]
pub struct Family<T> {
    counters: Vec<IntCounter>,
    of: PhantomData<T>,
}

impl<T: Member> Family<T> {
    /// Registers a counter of this name with one label.
    pub(super) fn new(registry: &Registry, name: &str, help: &str, label: &str) -> prometheus::Result<Self> {
        let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
        registry.register(Box::new(counters.clone()))?;
        let counters = T::ALL.iter().map(|value| counters.get_metric_with_label_values(&[value.id()])).collect::<Result<_, _>>()?;
        Ok(Self { counters, of: PhantomData })
    }

    /// The counter of a value.
    #[must_use]
    pub fn of(&self, value: T) -> &IntCounter {
        &self.counters[value.place() as usize] // one a value, in their order
    }
}
