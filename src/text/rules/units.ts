/** Units that the grammars leave as letters, or cut apart. What they read right is not here. */

interface Unit {
  /** As written behind a number, case and all; spellings apart by blanks. */
  readonly written: string;
  readonly one: string;
  readonly many: string;
  /** Without it, Chinese leaves it as it stands. */
  readonly chinese?: string;
}

const unit = (written: string, one: string, many: string, chinese?: string): Unit => ({
  written,
  one,
  many,
  ...(chinese === undefined ? {} : { chinese }),
});

export const UNITS: readonly Unit[] = [
  unit("mmHg", "millimeter of mercury", "millimeters of mercury", "毫米汞柱"),
  unit("mmol/L mmol/l", "millimole per liter", "millimoles per liter", "毫摩尔每升"),
  unit("μmol/L µmol/L umol/L μmol/l µmol/l umol/l", "micromole per liter", "micromoles per liter", "微摩尔每升"),
  unit("mmol", "millimole", "millimoles", "毫摩尔"),
  unit("mol/L mol/l", "mole per liter", "moles per liter", "摩尔每升"),
  unit("mg/dL mg/dl", "milligram per deciliter", "milligrams per deciliter", "毫克每分升"),
  unit("mg/L mg/l", "milligram per liter", "milligrams per liter", "毫克每升"),
  unit("g/L g/l", "gram per liter", "grams per liter", "克每升"),
  unit("mg/kg", "milligram per kilogram", "milligrams per kilogram", "毫克每千克"),
  unit("mg/m³ mg/m3", "milligram per cubic meter", "milligrams per cubic meter", "毫克每立方米"),
  unit("μg/m³ µg/m³ ug/m3 μg/m3", "microgram per cubic meter", "micrograms per cubic meter", "微克每立方米"),
  unit("g/cm³ g/cm3", "gram per cubic centimeter", "grams per cubic centimeter", "克每立方厘米"),
  unit("kg/m³ kg/m3", "kilogram per cubic meter", "kilograms per cubic meter", "千克每立方米"),
  unit("ng/mL ng/ml", "nanogram per milliliter", "nanograms per milliliter", "纳克每毫升"),
  unit("IU/L U/L", "unit per liter", "units per liter", "单位每升"),
  unit("μg µg ug mcg", "microgram", "micrograms", "微克"),
  unit("μm µm um", "micrometer", "micrometers", "微米"),
  unit("μL µL uL", "microliter", "microliters", "微升"),
  unit("mL", "milliliter", "milliliters", "毫升"),
  unit("N·m N⋅m N.m Nm N*m", "newton meter", "newton meters", "牛米"),
  unit("kN", "kilonewton", "kilonewtons", "千牛"),
  unit("m/s² m/s2", "meter per second squared", "meters per second squared", "米每二次方秒"),
  unit("m/s", "meter per second", "meters per second", "米每秒"),
  unit("m³/s", "cubic meter per second", "cubic meters per second", "立方米每秒"),
  unit("kWh kW·h kW⋅h", "kilowatt hour", "kilowatt hours", "千瓦时"),
  unit("Wh W·h", "watt hour", "watt hours", "瓦时"),
  unit("mAh", "milliamp hour", "milliamp hours", "毫安时"),
  unit("MW", "megawatt", "megawatts", "兆瓦"),
  unit("mW", "milliwatt", "milliwatts", "毫瓦"),
  unit("kV", "kilovolt", "kilovolts", "千伏"),
  unit("mV", "millivolt", "millivolts", "毫伏"),
  unit("mA", "milliamp", "milliamps", "毫安"),
  unit("kPa", "kilopascal", "kilopascals", "千帕"),
  unit("MPa", "megapascal", "megapascals", "兆帕"),
  unit("hPa", "hectopascal", "hectopascals", "百帕"),
  unit("kcal", "kilocalorie", "kilocalories", "千卡"),
  unit("kJ", "kilojoule", "kilojoules", "千焦"),
  unit("dB", "decibel", "decibels", "分贝"),
  unit("rpm r/min", "revolution per minute", "revolutions per minute", "转每分"),
  unit("bpm", "beat per minute", "beats per minute", "次每分"),
  unit("fps", "frame per second", "frames per second", "帧每秒"),
  unit("Mbps Mb/s", "megabit per second", "megabits per second", "兆比特每秒"),
  unit("Gbps Gb/s", "gigabit per second", "gigabits per second", "吉比特每秒"),
  unit("MB/s", "megabyte per second", "megabytes per second", "兆字节每秒"),
  unit("GB/s", "gigabyte per second", "gigabytes per second", "吉字节每秒"),
  unit("㎡", "square meter", "square meters", "平方米"),
  unit("V", "volt", "volts", "伏"),
  unit("W", "watt", "watts", "瓦"),
  unit("L", "liter", "liters", "升"),
  unit("ft² ft2 ft^2", "square foot", "square feet", "平方英尺"),
  unit("in² in2 in^2", "square inch", "square inches", "平方英寸"),
  unit("yd² yd2 yd^2", "square yard", "square yards", "平方码"),
  unit("mi² mi2 mi^2", "square mile", "square miles", "平方英里"),
  unit("ft³ ft^3", "cubic foot", "cubic feet", "立方英尺"),
  unit("g", "gram", "grams", "克"),
  unit("hp", "horsepower", "horsepower", "马力"),
  unit("psi", "pound per square inch", "pounds per square inch", "磅每平方英寸"),
  unit("Ah", "amp hour", "amp hours", "安时"),
  unit("Pa", "pascal", "pascals", "帕"),
  unit("J", "joule", "joules", "焦"),
  unit("eV", "electron volt", "electron volts", "电子伏"),
  unit("cal", "calorie", "calories", "卡"),
  unit("cl cL", "centiliter", "centiliters", "厘升"),
  unit("dl dL", "deciliter", "deciliters", "分升"),
  unit("µs μs", "microsecond", "microseconds", "微秒"),
  unit("kHz", "kilohertz", "kilohertz", "千赫兹"),
  unit("THz", "terahertz", "terahertz", "太赫兹"),
  unit("kB KB", "kilobyte", "kilobytes"),
  unit("lm", "lumen", "lumens", "流明"),
  unit("lx", "lux", "lux", "勒克斯"),
  unit("ppm", "part per million", "parts per million", "百万分之一"),
  unit("ppb", "part per billion", "parts per billion", "十亿分之一"),
  unit("dpi", "dot per inch", "dots per inch", "点每英寸"),
  unit("px", "pixel", "pixels", "像素"),
  unit("mpg", "mile per gallon", "miles per gallon", "英里每加仑"),
  unit("tsp", "teaspoon", "teaspoons", "茶匙"),
  unit("tbsp", "tablespoon", "tablespoons", "汤匙"),
  unit("gal", "gallon", "gallons", "加仑"),
  unit("hrs hr", "hour", "hours", "小时"),
  unit("mins", "minute", "minutes", "分钟"),
  unit("secs sec", "second", "seconds", "秒"),
  unit("yrs yr", "year", "years", "年"),
  unit("lb-ft", "pound foot", "pound feet", "磅英尺"),
  unit("kΩ", "kiloohm", "kiloohms", "千欧"),
  unit("Ω", "ohm", "ohms", "欧"),
];

export const BY_SPELLING: ReadonlyMap<string, Unit> = new Map(
  UNITS.flatMap((unit) => unit.written.split(" ").map((spelling) => [spelling, unit] as const)),
);

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Any of them, longest first, with nothing behind that would make another word of it. */
export const UNIT = `(${[...BY_SPELLING.keys()]
  .sort((a, b) => b.length - a.length)
  .map(escaped)
  .join("|")})(?![\\p{Script=Latin}\\p{Script=Greek}\\d²³/])`;
