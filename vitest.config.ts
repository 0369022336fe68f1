import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take minutes on a machine without a GPU, the longest first. */
const SLOW = [
  "english",
  "parity/parity",
  "textStream",
  "cosyvoice",
  "modes",
  "package/bundlers",
  "cli/batch",
  "cli/voice",
  "cli/bench",
];

/** Begins with the slow files, so that none of them is left running alone at the end. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = SLOW.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return index < 0 ? SLOW.length : index;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  resolve: { conditions: ["cosyvoice-source"] },
  ssr: { resolve: { conditions: ["cosyvoice-source"] } },
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: SlowFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
