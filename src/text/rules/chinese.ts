/** What the Chinese grammar reads wrong; Japanese sentences are read by it too. */
import { chinese, chineseDigits } from "../numbers.js";
import type { Rule } from "./rule.js";
import { BY_SPELLING, UNIT } from "./units.js";

const NUMBER = String.raw`\d+(?:\.\d+)?`;
const BEFORE = String.raw`(?<![\p{Script=Latin}\d.,/-])`;
const BEHIND = String.raw`(?![\p{Script=Latin}\d]|[.,/-]\d)`;
const HAN = String.raw`\p{Script=Han}`;

/** Who won: the numbers beside such a word are a score. */
const WON = "险胜|战胜|击败|大胜|完胜|取胜|获胜|惜败|落败|不敌|负于|战平|打平|领先|落后|逆转|比分|绝杀|横扫|轻取|力克";
/** What is measured behind a number, so that the stroke before it is a sign: −5度, −3元. */
const MEASURED = String.raw`\s?(?:[℃℉°%‰度元块万亿米克吨秒]|摄氏|百分|美元|欧元|毫|厘|千|公)`;

export const CHINESE: readonly Rule[] = [
  {
    name: "blanks between a number and what it counts",
    pattern: new RegExp(String.raw`(?<=\d)[ \u00a0\u3000]+(?=${HAN})|(?<=${HAN})[ \u00a0\u3000]+(?=\d)`, "gu"),
    say: "",
    examples: [["那是 2023 年 5 月 4 日。", "那是二零二三年五月四日。"]],
  },
  {
    name: "amounts of yuan",
    pattern: /[￥¥]\s?(\d+(?:,\d{3})*(?:\.\d+)?)(?:\s?-\s?[￥¥]?(\d+(?:,\d{3})*(?:\.\d+)?))?\s?元?/gu,
    say: (_, from = "", to = "") => (to === "" ? `${from}元` : `${from}到${to}元`),
    examples: [
      ["价格￥1,234.50元。", "价格一千二百三十四点五零元。"],
      ["只要¥100-200元。", "只要一百到两百元。"],
    ],
  },
  {
    name: "commas of thousands",
    pattern: /(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)/gu,
    say: (number) => number.replaceAll(",", ""),
    examples: [
      ["报3,012.45点。", "报三千零一十二点四五点。"],
      ["値段は1,980円です。", "値段は一千九百八十円です。"],
    ],
  },
  {
    name: "blood pressure",
    pattern: new RegExp(
      String.raw`(血压${HAN}{0,4}[：:\s]?|[高低]压${HAN}{0,3}[：:\s]?)?${BEFORE}(\d{2,3})/(\d{2,3})(\s?mm\s?Hg|毫米汞柱)?`,
      "giu",
    ),
    say: (_, named = "", high = "", low = "", unit = "") =>
      named === "" && unit === ""
        ? undefined
        : `${named}${chinese(high)}${chinese(low)}${unit === "" ? "" : "毫米汞柱"}`,
    examples: [
      ["血压是120/80mmHg。", "血压是一百二十八十毫米汞柱。"],
      ["血压：135/85", "血压：一百三十五八十五。"],
    ],
  },
  {
    name: "units",
    pattern: new RegExp(String.raw`(?<=[\d万亿千百])\s?${UNIT}`, "gu"),
    say: (_, spelling = "") => BY_SPELLING.get(spelling)?.chinese,
    examples: [
      ["血糖5.6mmol/L。", "血糖五点六毫摩尔每升。"],
      ["最大扭矩620N·m。", "最大扭矩六百二十牛米。"],
      ["220mL油", "两百二十毫升油。"],
    ],
  },
  {
    name: "units behind ten thousands",
    pattern: /(?<=\d[万亿])\s?(m³|m²|km²|km|kg|m|t)(?![\p{Script=Latin}\d²³/])/gu,
    say: (_, unit = "") =>
      ({ "m³": "立方米", "m²": "平方米", "km²": "平方公里", km: "公里", kg: "千克", m: "米", t: "吨" })[unit],
    examples: [["约10万m³。", "约十万立方米。"]],
  },
  {
    name: "from percent to percent",
    pattern: new RegExp(
      String.raw`(${NUMBER})%\s?[-~～]\s?(${NUMBER})%|(?<![\d%.,])(${NUMBER})[-~～](${NUMBER})%`,
      "gu",
    ),
    say: (_, from = "", to = "", low = "", high = "") => `${from || low}%到${to || high}%`,
    examples: [
      ["占50%-60%左右。", "占百分之五十到百分之六十左右。"],
      ["占10-20%。", "占百分之十到百分之二十。"],
    ],
  },
  {
    name: "from year to year",
    pattern: new RegExp(
      String.raw`${BEFORE}((?:1[1-9]|20)\d\d)年?\s?[-~～至]\s?((?:1[1-9]|20)\d\d)(?=\s?(?:年|学年|财年|赛季|年度))`,
      "gu",
    ),
    say: (_, from = "", to = "") => `${chineseDigits(from, "一")}到${chineseDigits(to, "一")}`,
    examples: [["2024-2025学年开始了。", "二零二四到二零二五学年开始了。"]],
  },
  {
    name: "decades",
    pattern: /(?<!\d)(1[1-9]|20)(\d)0[sS](?![\p{Script=Latin}\d])年?代?/gu,
    say: (_, century = "", tens = "") =>
      tens === "0"
        ? `${chineseDigits(century, "一")}零零年代`
        : `${chinese(String(Number(century) + 1))}世纪${chinese(`${tens}0`)}年代`,
    examples: [["他喜欢1960s的歌。", "他喜欢二十世纪六十年代的歌。"]],
  },
  {
    name: "always, and the day",
    pattern: new RegExp(
      String.raw`${BEFORE}(?:(7)\s?[*×xX/]\s?(24)(?=小时)|(24)/(7)(?![\d/])|(9)[/·.](11)(?=事件|恐|袭))`,
      "gu",
    ),
    say: (_, ...numbers) => {
      const [first = "", second = ""] = numbers.filter((number) => number !== "");
      return first === "9"
        ? "九幺幺"
        : first === "7"
          ? `七乘${chinese(second)}`
          : `${chinese(first)}${chinese(second)}`;
    },
    examples: [
      ["提供24/7服务。", "提供二十四七服务。"],
      ["9/11事件之后。", "九幺幺事件之后。"],
    ],
  },
  {
    name: "numbers that are dialled",
    pattern: new RegExp(
      String.raw`${BEFORE}(?:(\+?86[-\s]?)?(1[3-9]\d)[-\s]?(\d{4})[-\s]?(\d{4})|\(?(0\d{2,3})\)?[-\s](\d{7,8})|([48]00)-?(\d{3,4})-?(\d{3,4})|\((0\d{2,3})\)\s?(\d{3,4})-?(\d{4}))(?:[-转](\d{1,6}))?${BEHIND}`,
      "gu",
    ),
    say: (match, country = "", ...groups) => {
      const [a, b, c, area, local, d, e, f, code, half, rest, extension] = groups;
      if (country === "" && a !== "" && /^\d{11}$/.test(match)) return undefined;
      const digits = [a, b, c, d, e, f].join("");
      const landline = [area, local, code, half, rest].join("");
      const number = landline ? chineseDigits(landline, "一") : chineseDigits(digits);
      return `${country === "" ? "" : "加八六"}${number}${extension ? `转${chineseDigits(extension)}` : ""}`;
    },
    examples: [
      ["电话：0755-1234567转801。", "电话：零七五五一二三四五六七转八零幺。"],
      ["拨(021) 6234-5678。", "拨零二一六二三四五六七八。"],
      ["请拨400-800-8888。", "请拨四零零八零零八八八八。"],
      ["打138-1234-5678。", "打幺三八幺二三四五六七八。"],
    ],
  },
  {
    name: "numbers of papers, cards and codes",
    pattern: new RegExp(
      String.raw`(?<![\d.,A-Za-z])(\d{17}[\dXx]|\d{12,}|\d{4}(?: \d{4}){2,4})(?![\d.A-Za-z])` +
        String.raw`|(?<=(?:身份证|卡号|账号|帐号|银行卡|信用卡|护照|验证码|校验码|密码|邮编|邮政编码|订单|单号|学号|工号|QQ群?|微信|电话|手机|热线|传真|分机)(?:号码|号|为|是|：|:|\s)*)([A-Z]{0,2}\d{3,})(?![\d.%A-Za-z年月日元个]|[-/]\d)`,
      "gu",
    ),
    say: (_, long = "", named = "") => chineseDigits((long || named).toUpperCase().replaceAll(" ", "")),
    examples: [
      ["身份证110101199003076522。", "身份证幺幺零幺零幺幺九九零零三零七六五二二。"],
      ["验证码是482913。", "验证码是四八二九幺三。"],
      ["卡号6222 0212 3456 7890。", "卡号六二二二零二幺二三四五六七八九零。"],
      ["邮编518000。", "邮编五幺八零零零。"],
    ],
  },
  {
    name: "an extension",
    pattern: /(?<=[\d零一二三四五六七八九幺]转)(\d{1,6})(?!\d)/gu,
    say: (_, digits = "") => chineseDigits(digits),
    examples: [["拨114转801。", "拨幺幺四转八零幺。"]],
  },
  {
    name: "dotted numbers of three parts and more, but addresses",
    pattern: /(?<![\d.,-])([vV]\s?)?(\d+(?:\.\d+){2,})(?![\d.])/gu,
    say: (match, version = "", parts = "") => {
      const numbers = parts.split(".");
      const date = numbers.length === 3 && /^(?:1[89]|20)\d\d$/.test(numbers[0] ?? "");
      const address = numbers.length === 4 && numbers.every((part) => Number(part) < 256) && version === "";
      return date || address ? match : `${version}${numbers.map(chinese).join("点")}`;
    },
    examples: [
      ["版本2.4.1发布。", "版本二点四点一发布。"],
      ["IP是192.168.0.1。", "IP是一九二点一六八点零点一。"],
    ],
  },
  {
    name: "seasons of two years",
    pattern: /(?<![\d-])(20\d\d|19\d\d)-(\d\d)(?=\s?(?:赛季|学年|财年|年度))/gu,
    say: (_, from = "", to = "") => `${chineseDigits(from, "一")}到${chineseDigits(to, "一")}`,
    examples: [["2024-25赛季。", "二零二四到二五赛季。"]],
  },
  {
    name: "types of aircraft",
    pattern: /(?<=(?:波音|空客)\s?)(\d{3})(?:-(\d{3}))?(?!\d)/gu,
    say: (_, type = "", variant = "") => chineseDigits(type + variant),
    examples: [["波音737-800起飞。", "波音七三七八零零起飞。"]],
  },
  {
    name: "from one thing counted or measured to another",
    pattern: /(?<=\d(?:[年月日号时点分秒天岁度℃%]|摄氏度|:\d\d))\s?[-~–—]\s?(?=第?\d)/gu,
    say: "到",
    examples: [
      ["9月1日—10月7日放假。", "九月一日到十月七日放假。"],
      ["2023年9月-2024年1月开学。", "二零二三年九月到二零二四年一月开学。"],
    ],
  },
  {
    name: "a stroke between two numbers: a score, a difference or a range",
    pattern: new RegExp(
      String.raw`(?<=((?:${WON}|以)\D{0,6}|[计]?算|${HAN})?)(?<![\d.,%/:：A-Za-z-])(${NUMBER})-(${NUMBER})(?![\d.,%/:：A-Za-z-])(?=(\s?=|等于|得|\D{0,4}(?:${WON})|${HAN})?)`,
      "gu",
    ),
    say: (_, before = "", first = "", second = "", behind = "") => {
      const won = new RegExp(`^以|${WON}`, "u");
      const isScore = won.test(before) || new RegExp(WON, "u").test(behind);
      if (isScore) return `${chinese(first)}比${chinese(second)}`;
      const isDifference = /^(?:\s?=|等于|得)/u.test(behind) || before.endsWith("算");
      if (isDifference) return undefined;
      if (Number(first) < Number(second)) return `${first}到${second}`;
      // Two teams stand around it.
      return before !== "" && behind !== "" && !/\D/.test(first + second)
        ? `${chinese(first)}比${chinese(second)}`
        : undefined;
    },
    examples: [
      ["主队以96-91险胜。", "主队以九十六比九十一险胜。"],
      ["湖人127-84快船。", "湖人一百二十七比八十四快船。"],
      ["客队2-3落败。", "客队二比三落败。"],
      ["第1-3章", "第一到三章。"],
      ["在10-20之间。", "在十到二十之间。"],
      ["5-3等于2。", "五减三等于二。"],
      ["计算3-1。", "计算三减一。"],
    ],
  },
  {
    name: "a score with a colon",
    pattern: new RegExp(
      String.raw`(?<=(?:${WON}|以)\D{0,6})(\d{1,3})[:：](\d{1,3})(?!\d)|(?<!\d)(\d{1,3})[:：](\d{1,3})(?=\D{0,3}(?:${WON}))`,
      "gu",
    ),
    say: (_, first = "", second = "", won = "", lost = "") => `${chinese(first || won)}比${chinese(second || lost)}`,
    examples: [["比分21:19。", "比分二十一比十九。"]],
  },
  {
    name: "number one",
    pattern: /(?<![\p{Script=Latin}])N[oO]\.?\s?(?=\d)/gu,
    say: "第",
    examples: [["他是NO.1。", "他是第一。"]],
  },
  {
    name: "powers with a caret",
    pattern: /(?<=[\d\p{Script=Latin})])\^(\d+)/gu,
    say: (_, power = "") => `的${chinese(power)}次方`,
    examples: [["约10^6个。", "约十的六次方个。"]],
  },
  {
    name: "a stroke in a name is no minus",
    pattern: new RegExp(
      String.raw`(?<=[${HAN}A-Za-z])(?<!气温|温度|水温|体温|低温|最低|[至到为是约达在从零跌降])-(?=\d+(?:\.\d+)?(?!\d|\.\d|${MEASURED}))`,
      "gu",
    ),
    say: "",
    examples: [
      ["气温-10到5度。", "气温负十到五度。"],
      ["苏-27战机飞过。", "苏二十七战机飞过。"],
      ["F-16战机。", "F十六战机。"],
      ["气温-5度。", "气温负五度。"],
      ["气温-29℃到4℃", "气温负二十九摄氏度到四摄氏度。"],
    ],
  },
  {
    name: "an address in base 16, letter by letter",
    pattern: /(?<![\p{Script=Latin}\d])0[xX]([0-9a-fA-F]{2,})(?![\p{Script=Latin}\d])/gu,
    say: (_, digits = "") => `零X${chineseDigits(digits.toUpperCase())}`,
    examples: [["地址是0x7f3a。", "地址是零X七F三A。"]],
  },
  {
    name: "a height in feet",
    pattern: /(?<!\d)(\d)['′](\d{1,2})["″]/gu,
    say: (_, feet = "", inches = "") => `${chinese(feet)}英尺${chinese(inches)}英寸`,
    examples: [["他身高5'10\"。", "他身高五英尺十英寸。"]],
  },
  {
    name: "per mille",
    pattern: new RegExp(String.raw`(${NUMBER})‰`, "gu"),
    say: (_, number = "") => `千分之${number}`,
    examples: [["盐度35‰。", "盐度千分之三十五。"]],
  },
];
