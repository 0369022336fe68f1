/** `cosyvoice normalize`: what will be read aloud, and the ids that the model gets. */
import type { Command } from "commander";
import { openFolder, openGrammars } from "#platform";
import { openModel } from "../checkpoint/model.js";
import type { Compat } from "../compat.js";
import { readSegments, readWords } from "../prepare.js";
import { type ReadText, requireWords } from "../text/text.js";
import { Wetext } from "../text/wetext/wetext.js";
import { tokenizerOf } from "../tokenizerOf.js";
import { modelFolder } from "./boxedModel.js";
import { compatOption, example, modelOption, type NormalizerName, normalizeOption } from "./options.js";
import { warn } from "./output.js";
import { textOf } from "./textInput.js";

interface Options {
  readonly textFile?: string;
  readonly model?: string;
  readonly normalize: NormalizerName;
  readonly compat?: Compat;
  readonly prompt?: boolean;
  readonly json?: boolean;
}

export function registerNormalize(program: Command): void {
  program
    .command("normalize")
    .summary("show how a text will be read")
    .description(
      "Show the segments in which a text is read, with numbers, dates, money and units in words, and the token ids of each.",
    )
    .argument("[text]", "the text; without it --text-file or stdin is read")
    .option("--text-file <file>", "read the text from a file")
    .addOption(normalizeOption())
    .addOption(compatOption())
    .addOption(modelOption("the model whose tokenizer gives the ids"))
    .option("--prompt", "treat it as the transcript of a recording: in one piece, without a final stop of its own")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      example(
        'cosyvoice normalize "It costs $3.50 on May 4, 2023."',
        'cosyvoice normalize "今天是2023年5月4日。" --model CosyVoice2-0.5B-f16 --json',
      ),
    )
    .action(async (text: string | undefined, options: Options, command: Command) => {
      const written = await textOf(text, options.textFile, command);
      const { segments, warnings } = await readAs(written, options);
      const { normalize: normalizer } = options;
      warn(warnings);
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ text: written, normalizer, segments, warnings })}\n`
          : segments.map(({ text, ids }) => `${text}\n  ${ids.join(" ")}\n`).join(""),
      );
    });
}

async function readAs(
  text: string,
  { normalize: normalizer, compat, prompt, model: named }: Options,
): Promise<ReadText> {
  requireWords(text);
  const model = await openModel(await openFolder(modelFolder(named)));
  try {
    const tokenizer = await tokenizerOf(model);
    const reader = { tokenizer, wetext: new Wetext(openGrammars), config: model.config };
    const ways = { normalizer, ...(compat ? { compat } : {}) };
    if (!prompt) return await readSegments(text, ways, reader);
    const words = await readWords(text, ways, reader);
    return { segments: [{ text: words, ids: tokenizer.encode(words) }], warnings: [] };
  } finally {
    await model.close();
  }
}
