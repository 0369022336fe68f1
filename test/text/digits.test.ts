import { describe, expect, test } from "vitest";
import { numberToWords, spellDigits } from "../../src/text/digits.js";
import { codePoints, decimalValue, strip } from "../../src/text/unicode.js";

describe("numbers as inflect 7.3.1 spells them", () => {
  test.each([
    ["0", "zero"],
    ["000", "zero"],
    ["007", "seven"],
    ["10", "ten"],
    ["13", "thirteen"],
    ["20", "twenty"],
    ["21", "twenty-one"],
    ["100", "one hundred"],
    ["101", "one hundred and one"],
    ["110", "one hundred and ten"],
    ["1000", "one thousand"],
    ["1001", "one thousand and one"],
    ["1010", "one thousand and ten"],
    ["1100", "one thousand, one hundred"],
    ["1234", "one thousand, two hundred and thirty-four"],
    ["2024", "two thousand and twenty-four"],
    ["12345", "twelve thousand, three hundred and forty-five"],
    ["1000000", "one million"],
    ["1000001", "one million and one"],
    ["1000100", "one million, one hundred"],
    ["1001000", "one million, one thousand"],
    ["12000012", "twelve million and twelve"],
    [
      "123456789012",
      "one hundred and twenty-three billion, four hundred and fifty-six million, seven hundred and eighty-nine thousand and twelve",
    ],
    [`1${"0".repeat(35)}`, "one hundred decillion"],
    [`${"0".repeat(40)}5`, "five"],
    ["²", "zero"],
    ["①", "zero"],
    ["5²", "five"],
    ["1²000", "one thousand"],
    ["１２３４", "one thousand, two hundred and thirty-four"],
    ["٢٠٢٤", "two thousand and twenty-four"],
    ["०", "zero"],
    ["٠٠٧", "seven"],
    ["٠١٢٣", "thousand, one hundred and twenty-three"],
    ["٠٠٠٠١", "one"],
    ["٠٠٠٠٢", "thousand and two"],
    ["𝟐𝟎", "twenty"],
  ])("%s", (digits, words) => {
    expect(numberToWords(digits)).toBe(words);
  });

  test("beyond 36 digits, where inflect raises, digits are read one by one", () => {
    expect(numberToWords(`9${"0".repeat(36)}`)).toBe(`nine${" zero".repeat(36)}`);
    expect(numberToWords(`${"0".repeat(9)}${"12".repeat(20)}`)).toBe(Array(20).fill("one two").join(" "));
    expect(numberToWords("٠".repeat(40).concat("5"))).toBe("five");
  });
});

test("runs are replaced where they stand, nothing is put around them", () => {
  expect(spellDigits("a1b22c")).toBe("aoneb" + "twenty-twoc");
  expect(spellDigits("3.14")).toBe("three.fourteen");
  expect(spellDigits("m² ½ Ⅳ 五")).toBe("mzero ½ Ⅳ 五");
  expect(spellDigits("")).toBe("");
});

test("blanks, digits and lengths are Python's", () => {
  expect(strip("\u001c\u0085\u3000 a\u200b \u001f\n")).toBe("a\u200b");
  expect(strip("\ufeff a \ufeff")).toBe("\ufeff a \ufeff");
  expect(strip(" \t ")).toBe("");
  expect(decimalValue("७")).toBe(7);
  expect(decimalValue("\u{1d7ff}")).toBe(9);
  expect(decimalValue("²")).toBeUndefined();
  expect(codePoints("a😀e\u0301")).toBe(4);
});
