//! A register to measure on: real firms where a file is given, invented ones of the same shape otherwise.

use std::{env, fs};

/// A firm's name and scope.
pub(crate) struct Firm {
    pub(crate) name: String,
    pub(crate) scope: String,
}

/// The firms of the TSV file that `MINGCHA_REGISTER` names (columns by header: name, scope), or invented ones.
pub(crate) fn firms(most: usize) -> Vec<Firm> {
    match env::var("MINGCHA_REGISTER") {
        Ok(path) => real(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")), most),
        Err(_) => invented(most),
    }
}

fn real(text: &str, most: usize) -> Vec<Firm> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split('\t').collect();
    let column = |name: &str| header.iter().position(|found| *found == name).unwrap_or_else(|| panic!("no column '{name}'"));
    let (name, scope) = (column("name"), column("scope"));
    let cell = |line: &str, at: usize| line.split('\t').nth(at).unwrap_or("").to_owned();
    lines.take(most).map(|line| Firm { name: cell(line, name), scope: cell(line, scope) }).collect()
}

const PLACES: [&str; 12] = ["南京", "青岛市", "湖北", "合肥高新区", "成都", "哈尔滨", "厦门", "石家庄市", "昆明", "西安", "宁波", "长沙县"];
const TRADES: [&str; 16] =
    ["鼎和", "博远", "天禾", "众诚", "润泽", "恒昌", "嘉业", "瑞丰", "明德", "新宇", "海纳", "东篱", "华庭", "启元", "凯越", "万隆"];
const INDUSTRIES: [&str; 16] = [
    "商贸",
    "信息科技",
    "建筑工程",
    "餐饮管理",
    "物业服务",
    "农业开发",
    "文化传媒",
    "汽车销售",
    "投资管理",
    "金属制品",
    "物流",
    "教育咨询",
    "资产管理",
    "医疗器械",
    "服饰",
    "环保设备",
];
const FORMS: [&str; 4] = ["有限公司", "有限责任公司", "股份有限公司", "有限公司分公司"];
const ITEMS: [&str; 40] = [
    "计算机软硬件的开发、销售",
    "日用百货零售",
    "建筑装饰工程设计、施工",
    "企业管理咨询",
    "货物进出口",
    "技术服务、技术转让",
    "预包装食品批发",
    "园林绿化工程",
    "广告设计、制作、发布",
    "会议及展览服务",
    "房地产开发经营",
    "道路普通货物运输",
    "农产品收购、加工、销售",
    "汽车配件销售",
    "机械设备租赁",
    "五金交电、建材、装饰材料销售",
    "文化艺术交流活动策划",
    "物业管理",
    "餐饮服务",
    "电子产品、通讯器材的研发和销售",
    "商务信息咨询（不含金融、证券、期货）",
    "项目投资",
    "投资咨询",
    "以自有资金对外投资",
    "保险柜、办公家具销售",
    "网上贸易代理",
    "化工产品（不含危险化学品）销售",
    "水产养殖",
    "服装鞋帽批发零售",
    "医疗器械销售",
    "图文设计",
    "停车场服务",
    "金属材料、金属制品加工",
    "仓储服务（不含危险品）",
    "人力资源服务",
    "环境保护专用设备制造",
    "（依法须经批准的项目，经相关部门批准后方可开展经营活动）",
    "资产管理（未经金融监管部门批准，不得从事吸收存款、融资担保、代客理财等金融业务）",
    "代理记账",
    "教育信息咨询（不含培训）",
];

/// Firms made from lists of parts by a fixed sequence: names of about 13 characters, scopes of about 95, one
/// scope in three with a finance word, most of those in an exclusion.
fn invented(most: usize) -> Vec<Firm> {
    let mut state = 0x2016_0412_u64;
    let mut pick = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let mut firm = || {
        let part = |pick: &mut dyn FnMut(usize) -> usize, from: &[&str]| from[pick(from.len())].to_owned();
        let name = [part(&mut pick, &PLACES), part(&mut pick, &TRADES), part(&mut pick, &INDUSTRIES), part(&mut pick, &FORMS)].concat();
        let items: Vec<String> = (0..3 + pick(11)).map(|_| part(&mut pick, &ITEMS)).collect();
        Firm { name, scope: items.join("；") }
    };
    (0..most).map(|_| firm()).collect()
}
