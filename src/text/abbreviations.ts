/** What stands before a full stop that ends no sentence, and what begins one. English; other languages write few of them. */

/** Nothing but a name follows: the stop never ends a sentence. */
const TITLES =
  "Dr Mr Mrs Ms Mx Prof Gen Rep Sen Gov Capt Cpt Cmdr Lt Col Sgt Maj Cpl Rev Hon Pres Supt Fr Mt Ft Messrs Mme Mlle " +
  "e.g i.e cf vs viz ca approx";

/** Names of what a number counts: the stop ends no sentence where a number follows, and any where a word does ("No. It is late."). */
const COUNTED = "No Nos Nr Art Fig Figs Vol Vols Ch Sec Sect Eq Ex Pt p pp para ver v";

/** The stop ends a sentence only where a word follows that begins one. */
const SHORTENED =
  "St Jr Sr Esq Inc Ltd Co Corp Bros Assn Dept Univ Est Ave Blvd Rd Sq Hwy Apt Bldg etc al a.m p.m am pm A.M P.M B.C A.D " +
  "Ph.D M.D B.A M.A B.Sc M.Sc Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun " +
  "oz lb lbs ft in mi min max sec hr hrs yr yrs mo wk tel ext fig ed eds trans resp incl misc temp avg";

/** Words that begin a sentence more often than a name. */
const STARTERS =
  "A An The This That These Those There Here I You He She It We They My Your His Her Its Our Their Who What When Where Why How " +
  "Which If As At By For From In Of On To With And But Or So Yet Not No Yes Is Are Was Were Do Does Did Can Could Will Would " +
  "Should Have Has Had Please Then Now Also After Before Because While Since Although However Therefore Meanwhile Later " +
  "Today Tomorrow Yesterday Once Every Each All Some Many Most Both One Two Three " +
  "Let Thank Thanks See";

const setOf = (words: string): ReadonlySet<string> => new Set(words.split(" "));
const [titles, counted, shortened, starters] = [TITLES, COUNTED, SHORTENED, STARTERS].map(setOf) as [
  ReadonlySet<string>,
  ReadonlySet<string>,
  ReadonlySet<string>,
  ReadonlySet<string>,
];

/** The word before a stop, with the stops inside of it: "e.g", "J", "Inc". */
const LAST_WORD = /(?<![\p{L}\p{N}])[\p{L}\p{N}]+(?:\.[\p{L}\p{N}]+)*$/u;
const INITIALS = /^\p{L}(?:\.\p{L})*$/u;

/** Whether a stop after these words may end a sentence: whatever follows it, by what follows it, or never. */
export type Stop = "ends" | "unless a number follows" | "if a sentence begins" | "never";

/** @param before the text up to the full stop */
export function stopAfter(before: string): Stop {
  const word = LAST_WORD.exec(before.slice(-40))?.[0];
  if (word === undefined) return "ends";
  const known = (words: ReadonlySet<string>) =>
    words.has(word) || words.has(word.toLowerCase()) || words.has(capital(word));
  if (known(titles)) return "never";
  if (known(counted)) return "unless a number follows";
  return INITIALS.test(word) || known(shortened) ? "if a sentence begins" : "ends";
}

/** @param word up to an apostrophe */
export function isStarter(word: string): boolean {
  return starters.has(word);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}
