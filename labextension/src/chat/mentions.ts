/**
 * `@mentions` in a text: finding them, reading their quotes, writing them.
 *
 * Pure. `@cell`, `@selection`, `@error`, `@output` and `@notebook` stand alone; `@var:` and
 * `@file:` take a name. Not a mention: in code, in an e-mail address, after a word's character.
 * A mention that cannot be read is found too, with its problem, so that nothing is dropped in
 * silence. Used by the command line and its completion.
 */

import { findCode, isInside } from './code_spans.js';
import { readVariablePath } from './variable_path.js';

/** The mentions that stand alone. */
export const PLAIN_MENTIONS = ['cell', 'selection', 'error', 'output', 'notebook'] as const;
/** The mentions that take a name. */
export const NAMED_MENTIONS = ['var', 'file'] as const;

export type MentionName = (typeof PLAIN_MENTIONS)[number] | (typeof NAMED_MENTIONS)[number];

/** Why a mention cannot be read: no name, a quote that never ends, not a plain variable. */
export type MentionProblem = 'no-name' | 'open-quote' | 'not-a-variable';

/** A mention in a text; `raw` is the text from `start` to `end`. */
export interface Mention {
  readonly name: MentionName;
  /** What follows the colon, unquoted; '' where there is none. */
  readonly argument: string;
  readonly raw: string;
  readonly start: number;
  readonly end: number;
  readonly problem: MentionProblem | null;
}

/** A character that makes a longer word, address or path of what stands before an `@`. */
const WORD = /[\p{L}\p{N}\p{M}_]/u;
/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}ー々]/u;
const BARE_END = /[\s`、。，；：！？）」』】]/u;
const TRAILING = new Set(['.', ',', ';', ':', '!', '?', "'", '"']);
const PAIRS = new Map([
  [')', '('],
  [']', '['],
  ['}', '{'],
  ['>', '<']
]);
/** A sentence's end, a bracket's, or `'s`; an operator or a call is none of these. */
const AFTER_VARIABLE =
  /^(?:$|[\s`、。，；：！？）」』】]|'s(?![\p{L}\p{N}_])|[.,;:!?'")\]}]+(?:$|[\s`]))/u;
const HEAD = /@(cell|selection|error|output|notebook|var:|file:)/gu;

function isWordCharacter(character: string): boolean {
  return WORD.test(character) && !UNSPACED.test(character);
}

/** The whole character, also outside the first plane, that ends before `position`. */
function characterBefore(text: string, position: number): string {
  const unit = text.charCodeAt(position - 1);
  const isLow = unit >= 0xdc00 && unit <= 0xdfff;
  return text.slice(Math.max(0, position - (isLow ? 2 : 1)), position);
}

function characterAt(text: string, position: number): string {
  const code = text.codePointAt(position);
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** Whether an `@` here can begin a mention. */
export function canBegin(text: string, position: number): boolean {
  const before = characterBefore(text, position);
  return before === '' || !(isWordCharacter(before) || /[@/\\.+\-$%]/.test(before));
}

/** Whether a word that ends here is not part of a longer one, an address or a path. */
function canEnd(text: string, position: number): boolean {
  const next = characterAt(text, position);
  if (next === '@' || isWordCharacter(next)) {
    return false;
  }
  return !(/[.\-/\\]/.test(next) && isWordCharacter(characterAt(text, position + 1)));
}

interface Argument {
  readonly value: string;
  readonly end: number;
  readonly problem: MentionProblem | null;
}

function readQuoted(text: string, start: number): Argument {
  const quote = text.charAt(start);
  let value = '';
  for (let position = start + 1; position < text.length; position++) {
    const character = text.charAt(position);
    if (character === quote) {
      return { value, end: position + 1, problem: value === '' ? 'no-name' : null };
    }
    if (character === '\n') {
      break;
    }
    if (character === '\\' && position + 1 < text.length && text.charAt(position + 1) !== '\n') {
      position += 1;
      value += text.charAt(position);
    } else {
      value += character;
    }
  }
  const lineEnd = text.indexOf('\n', start);
  return { value, end: lineEnd === -1 ? text.length : lineEnd, problem: 'open-quote' };
}

/** The characters of a bare name, with `\` taken away, and where each stands. */
function readBareCharacters(text: string, start: number): { value: string; end: number }[] {
  const found: { value: string; end: number }[] = [];
  let position = start;
  while (position < text.length) {
    const character = characterAt(text, position);
    const escaped = character === '\\' ? characterAt(text, position + 1) : '';
    if (escaped !== '' && escaped !== '\n') {
      position += 1 + escaped.length;
      // An escaped character is never punctuation of the sentence; the mark is taken off later.
      found.push({ value: `\\${escaped}`, end: position });
    } else if (BARE_END.test(character)) {
      break;
    } else {
      position += character.length;
      found.push({ value: character, end: position });
    }
  }
  return found;
}

/** Take away what belongs to the sentence: `notes.md,` and `(see notes.md)`. */
function trimSentence(characters: { value: string; end: number }[]): void {
  for (;;) {
    const last = characters.at(-1)?.value ?? '';
    const opener = PAIRS.get(last);
    const count = (wanted: string): number =>
      characters.filter(character => character.value === wanted).length;
    const isUnmatched = opener !== undefined && count(opener) < count(last);
    if (!TRAILING.has(last) && !isUnmatched) {
      return;
    }
    characters.pop();
  }
}

function readFileName(text: string, start: number): Argument {
  const first = text.charAt(start);
  if (first === '"' || first === "'") {
    return readQuoted(text, start);
  }
  const characters = readBareCharacters(text, start);
  trimSentence(characters);
  const value = characters
    .map(character => (character.value.length > 1 ? character.value.replace(/^\\/, '') : character.value))
    .join('');
  const end = characters.at(-1)?.end ?? start;
  return { value, end, problem: value === '' ? 'no-name' : null };
}

function readVariable(text: string, start: number): Argument {
  const path = readVariablePath(text, start);
  const end = start + path.length;
  const rest = text.slice(end);
  if (path !== '' && AFTER_VARIABLE.test(rest)) {
    return { value: path, end, problem: null };
  }
  const written = /^[^\s`]*/.exec(text.slice(start))?.[0] ?? '';
  const isEmpty = /^[.,;:!?'")\]}]*$/.test(written);
  return {
    value: isEmpty ? '' : written,
    end: start + (isEmpty ? 0 : written.length),
    problem: isEmpty ? 'no-name' : 'not-a-variable'
  };
}

function readMention(text: string, start: number, head: string): Mention | null {
  const afterHead = start + 1 + head.length;
  if (head === 'var:' || head === 'file:') {
    const { value, end, problem } =
      head === 'var:' ? readVariable(text, afterHead) : readFileName(text, afterHead);
    const name = head === 'var:' ? 'var' : 'file';
    return { name, argument: value, raw: text.slice(start, end), start, end, problem };
  }
  const name = PLAIN_MENTIONS.find(known => known === head);
  if (name === undefined || !canEnd(text, afterHead)) {
    return null;
  }
  const raw = text.slice(start, afterHead);
  return { name, argument: '', raw, start, end: afterHead, problem: null };
}

/** Every mention in a text, in order. */
export function findMentions(text: string): readonly Mention[] {
  if (!text.includes('@')) {
    return [];
  }
  const code = findCode(text);
  const found: Mention[] = [];
  let position = 0;
  for (const match of text.matchAll(HEAD)) {
    const start = match.index;
    if (start < position || isInside(code, start) || !canBegin(text, start)) {
      continue;
    }
    const mention = readMention(text, start, match[1] ?? '');
    if (mention !== null) {
      found.push(mention);
      position = mention.end;
    }
  }
  return found;
}

/** Read one whole mention; `null` where the text is anything else or more. */
export function parseMention(text: string): Mention | null {
  const mention = findMentions(text)[0];
  return mention !== undefined && mention.raw === text ? mention : null;
}

/** Write a mention so that it is read back as the same one. */
export function formatMention(name: MentionName, argument = ''): string {
  switch (name) {
    case 'var':
      return `@var:${argument}`;
    case 'file':
      return `@file:${quoteFileName(argument)}`;
    default:
      return `@${name}`;
  }
}

/** A file's name as it follows `@file:`, quoted where it has to be. */
export function quoteFileName(path: string): string {
  const isBare = /^[\p{L}\p{N}_./-]+$/u.test(path) && /[\p{L}\p{N}_/-]$/u.test(path);
  return isBare ? path : `"${path.replace(/["\\]/g, '\\$&')}"`;
}
