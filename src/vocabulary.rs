//! The closed vocabularies of the field: what a rule can say and what an answer can say.
//!
//! The spelling in the wordlists is each value's [`id`](Force::id); protobuf enums mirror them one to one.

/// Declares a closed vocabulary: an enum, its ids, its Chinese names.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $id:literal, $chinese:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// How the wordlists spell it.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// Its Chinese name.
            #[must_use]
            pub const fn chinese(self) -> &'static str {
                match self { $(Self::$variant => $chinese,)+ }
            }

            /// The value with this id.
            #[must_use]
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.id() == id)
            }
        }

        impl crate::set::Member for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn id(self) -> &'static str {
                Self::id(self)
            }

            fn place(self) -> u32 {
                self as u32
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.id())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let id: std::borrow::Cow<'de, str> = serde::Deserialize::deserialize(deserializer)?;
                Self::from_id(&id).ok_or_else(|| serde::de::Error::custom(format!("'{id}' is no {}", stringify!($name))))
            }
        }
    };
}

pub(crate) use vocabulary;

vocabulary! {
    /// Which text of a firm a rule speaks of and an occurrence stands in.
    Field {
        /// The registered name.
        Name = "NAME", "名称";
        /// The business scope.
        Scope = "SCOPE", "经营范围";
        /// Advertising text.
        Advertisement = "ADVERTISEMENT", "广告";
    }
}

vocabulary! {
    /// Kinds of market entity (市场主体).
    EntityKind {
        /// All firms and their branches.
        Enterprise = "ENTERPRISE", "企业";
        /// A person in business.
        IndividualBusiness = "INDIVIDUAL_BUSINESS", "个体工商户";
        /// A farmers' cooperative.
        FarmerCooperative = "FARMER_COOPERATIVE", "农民专业合作社";
    }
}

vocabulary! {
    /// What a firm asks for.
    Event {
        /// To be registered.
        Establish = "ESTABLISH", "设立";
        /// To change its name or scope.
        Change = "CHANGE", "变更";
        /// To move in from another place.
        MoveIn = "MOVE_IN", "迁入";
        /// Nothing: it is on the register.
        Existing = "EXISTING", "存量";
    }
}

vocabulary! {
    /// The force of a rule, weakest first.
    Force {
        /// Keep watching.
        Attend = "ATTEND", "重点关注";
        /// Not in principle.
        Restrict = "RESTRICT", "原则上不得";
        /// Approval or registration is suspended for a time.
        Suspend = "SUSPEND", "暂停核准/登记";
        /// May not.
        Prohibit = "PROHIBIT", "不得";
    }
}

vocabulary! {
    /// How an instrument's wording is known, surest first.
    Wording {
        /// Its wording was read.
        Verbatim = "verbatim", "原文";
        /// A paraphrase or press copy was read.
        Reported = "reported", "转述";
        /// Neither: such a rule never raises a decision above ATTENTION.
        Recalled = "recalled", "未核";
    }
}

vocabulary! {
    /// What becomes of an application, weakest first.
    Decision {
        /// Nothing counts.
        Pass = "PASS", "通过";
        /// Keep watching; registration goes on.
        Attention = "ATTENTION", "重点关注";
        /// Not without the competent body's consent.
        Restricted = "RESTRICTED", "原则上不得";
        /// Suspended for a time.
        Suspended = "SUSPENDED", "暂停办理";
        /// May not be registered.
        Prohibited = "PROHIBITED", "不得";
    }
}

impl From<Force> for Decision {
    fn from(force: Force) -> Self {
        match force {
            Force::Attend => Self::Attention,
            Force::Restrict => Self::Restricted,
            Force::Suspend => Self::Suspended,
            Force::Prohibit => Self::Prohibited,
        }
    }
}

vocabulary! {
    /// What a rule that names a term misses when it does not reach a firm.
    Miss {
        /// It speaks of another text.
        Field = "FIELD", "所在字段";
        /// It speaks of other kinds of entity.
        EntityKind = "ENTITY_KIND", "主体类型";
        /// It speaks of other events.
        Event = "EVENT", "登记事项";
        /// It holds elsewhere.
        Place = "PLACE", "地域";
        /// It was not in force on the day.
        Date = "DATE", "期间";
    }
}

vocabulary! {
    /// Licence kinds (许可证): `licences.toml` says which fields of business each exempts.
    LicenceKind {
        /// Issued by the banking regulator.
        Financial = "FINANCIAL", "金融许可证";
        /// Issued by the central bank.
        Payment = "PAYMENT", "支付业务许可证";
        /// Issued by the securities regulator.
        SecuritiesFutures = "SECURITIES_FUTURES", "经营证券期货业务许可证";
        /// Issued by the insurance regulator.
        Insurance = "INSURANCE", "保险许可证";
        /// Issued by the provincial finance office.
        Guarantee = "GUARANTEE", "融资担保业务经营许可证";
        /// Pawn broking.
        Pawn = "PAWN", "典当经营许可证";
        /// Registration as manager of private funds.
        PrivateFund = "PRIVATE_FUND", "私募基金管理人登记";
        /// Approval as microcredit company.
        Microcredit = "MICROCREDIT", "小额贷款公司批准";
        /// Approval as trading venue.
        TradingVenue = "TRADING_VENUE", "交易场所批准";
        /// Leasing.
        Leasing = "LEASING", "融资租赁公司批准";
        /// Factoring.
        Factoring = "FACTORING", "商业保理公司批准";
        /// Credit reporting: licence for persons, filing for firms.
        CreditReporting = "CREDIT_REPORTING", "征信业务许可或备案";
        /// Foreign exchange and money changing.
        ForeignExchange = "FOREIGN_EXCHANGE", "外汇业务许可";
        /// Issued by the central bank.
        FinancialHolding = "FINANCIAL_HOLDING", "金融控股公司许可证";
        /// Local asset management company.
        LocalAssetManagement = "LOCAL_ASSET_MANAGEMENT", "地方资产管理公司批准";
        /// Manager of public funds.
        MutualFund = "MUTUAL_FUND", "公募基金管理业务资格";
        /// The competent body's consent, for the terms it names.
        Approval = "APPROVAL", "批准或备案";
    }
}

vocabulary! {
    /// Fields of business (业态) of the terms.
    BusinessField {
        /// Finance in general.
        Finance = "finance", "金融";
        /// Peer-to-peer lending.
        P2p = "p2p", "P2P网络借贷";
        /// Payment.
        Payment = "payment", "支付";
        /// Crowdfunding.
        Crowdfunding = "crowdfunding", "众筹";
        /// Insurance.
        Insurance = "insurance", "保险";
        /// Trading venues.
        TradingVenue = "trading-venue", "交易场所";
        /// Asset management.
        AssetManagement = "asset-management", "资产管理";
        /// Wealth management.
        WealthManagement = "wealth-management", "理财、财富管理";
        /// Funds.
        Fund = "fund", "基金";
        /// Banking.
        Banking = "banking", "银行";
        /// Securities.
        Securities = "securities", "证券";
        /// Futures and options.
        Futures = "futures", "期货";
        /// Trusts.
        Trust = "trust", "信托";
        /// Pawn broking.
        Pawn = "pawn", "典当";
        /// Guarantee.
        Guarantee = "guarantee", "担保";
        /// Financial leasing.
        Leasing = "leasing", "融资租赁";
        /// Factoring.
        Factoring = "factoring", "保理";
        /// Microcredit.
        Microcredit = "microcredit", "小额贷款";
        /// Lending.
        Lending = "lending", "贷款";
        /// Foreign exchange.
        ForeignExchange = "foreign-exchange", "外汇";
        /// Credit reporting.
        CreditReporting = "credit-reporting", "征信";
        /// Virtual currency.
        VirtualCurrency = "virtual-currency", "虚拟货币";
        /// Financial holding.
        FinancialHolding = "financial-holding", "金融控股";
        /// Consumer finance.
        ConsumerFinance = "consumer-finance", "消费金融";
        /// Raising money.
        Fundraising = "fundraising", "集资、融资";
        /// Investment.
        Investment = "investment", "投资、资本";
        /// Mutual aid.
        MutualAid = "mutual-aid", "互助";
        /// Pension insurance.
        Pension = "pension", "养老保险";
        /// Advertising words.
        Advertising = "advertising", "广告用语";
        /// Exchanges for securities, futures and commodities.
        Exchange = "exchange", "证券、期货、商品交易所";
    }
}

vocabulary! {
    /// Functions of public bodies.
    Function {
        /// Local finance office.
        FinanceOffice = "finance-office", "地方金融管理部门";
        /// People's Bank of China and its branches.
        CentralBank = "central-bank", "人民银行";
        /// Banking regulator.
        BankingRegulator = "banking-regulator", "银行业监管部门";
        /// Securities regulator.
        SecuritiesRegulator = "securities-regulator", "证券监管部门";
        /// Insurance regulator.
        InsuranceRegulator = "insurance-regulator", "保险监管部门";
        /// Market regulator: the registration bureau.
        MarketRegulator = "market-regulator", "市场监督管理部门";
        /// Commerce.
        Commerce = "commerce", "商务部门";
        /// Housing.
        Housing = "housing", "住房和城乡建设部门";
        /// Development and reform.
        DevelopmentReform = "development-reform", "发展改革部门";
        /// Social stability office.
        StabilityOffice = "stability-office", "维稳部门";
        /// Insurance association.
        InsuranceAssociation = "insurance-association", "保险行业协会";
        /// Police.
        Police = "police", "公安机关";
    }
}
