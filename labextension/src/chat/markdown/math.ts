/**
 * Finds formulas in Markdown and takes them out before it is parsed; says which may be typeset.
 *
 * A formula is put in as a mark of private-use characters and comes back as text of the page, so
 * that neither the Markdown parser nor the sanitiser ever sees TeX, and the typesetter never sees
 * anything that was not looked at here. Pure: text to text.
 */

/** One formula; `source` is as the model wrote it, with its delimiters. */
export interface Formula {
  readonly source: string;
  readonly tex: string;
  readonly isDisplay: boolean;
}

export interface ExtractedMath {
  /** The text with marks where the formulas were. */
  readonly text: string;
  readonly formulas: readonly Formula[];
}

const MARK_OPEN = '\uE000';
const MARK_CLOSE = '\uE001';
/** Finds the marks; the one group is the formula's index. */
export const MARK_PATTERN = /\uE000(\d+)\uE001/;

const MAX_FORMULA_LENGTH = 10_000;

/**
 * TeX that reaches outside of its formula: links, CSS, ids and classes, files, macros that stay
 * defined for every notebook of the page, and boxes whose options are CSS.
 */
const UNSAFE_TEX =
  /\\(?:href|url|style|class|css\w*|data|html\w*|mmltoken|csname|require|includegraphics|input|bbox|fcolorbox|unicode|char|action|toggle|mathtip|texttip|tooltip|[gex]?def|let|global|futurelet|(?:re|provide)?newcommand|renewcommand|providecommand|(?:re)?newenvironment|declare\w*|definecolor|(?:re)?newtagform|newextarrow|usetagform|setoptions|mathtoolsset|label|(?:eq)?ref|refeq|tag@|loop|repeat)(?![a-z])/i;

const DOUBTFUL_COLOR = /\\(?:color|textcolor|colorbox|cellcolor|rowcolor|columncolor)\s*(?:\[[^\]]*\])?\s*(?!\{[A-Za-z0-9#.,! -]*\})/i;

/** Whether a formula can be handed to the typesetter. */
export function isSafeTex(tex: string): boolean {
  return tex.length <= MAX_FORMULA_LENGTH && !UNSAFE_TEX.test(tex) && !DOUBTFUL_COLOR.test(tex);
}

/** Remove names of equations: a chat has none, and two equal ones are an error. */
export function withoutLabels(tex: string): string {
  return tex.replace(/\\label\s*\{[^{}\\]*\}/g, '');
}

interface Delimiter {
  readonly open: string;
  readonly close: string;
  readonly isDisplay: boolean;
}

const DELIMITERS: readonly Delimiter[] = [
  { open: '$$', close: '$$', isDisplay: true },
  { open: '\\\\[', close: '\\\\]', isDisplay: true },
  { open: '\\\\(', close: '\\\\)', isDisplay: false },
  { open: '\\[', close: '\\]', isDisplay: true },
  { open: '\\(', close: '\\)', isDisplay: false }
];

const ENVIRONMENT =
  /^\\begin\{((?:equation|align|alignat|gather|multline|flalign|eqnarray|math|displaymath|split|cases|array|[bpvVB]?matrix)\*?)\}/;
const FENCED = /^(?:[ \t>]*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)*)(`{3,}|~{3,})[^\n]*$/;

/** What closes the block-level formula that is open behind a line; '' where none is. */
export function mathAfter(line: string, mathEnd: string): string {
  const text = line.replace(/(`+)(?:(?!\1).)*?\1/g, '');
  let end = mathEnd;
  let position = 0;
  while (position < text.length) {
    if (end !== '') {
      const found = text.indexOf(end, position);
      if (found < 0) {
        return end;
      }
      position = found + end.length;
      end = '';
      continue;
    }
    const next = /\$\$|\\\\|\\\[|\\begin\{([A-Za-z]+\*?)\}/.exec(text.slice(position));
    if (next === null) {
      return '';
    }
    position += next.index + next[0].length;
    if (next[0] === '$$') {
      end = '$$';
    } else if (next[0] === '\\[') {
      end = '\\]';
    } else if (next[1] !== undefined) {
      end = `\\end{${next[1]}}`;
    }
  }
  return end;
}

function hasBlankLine(text: string): boolean {
  return /\n[ \t]*\n/.test(text);
}

function findDelimited(text: string, at: number, { open, close, isDisplay }: Delimiter): Formula | null {
  if (!text.startsWith(open, at)) {
    return null;
  }
  const end = text.indexOf(close, at + open.length);
  if (end < 0) {
    return null;
  }
  const tex = text.slice(at + open.length, end);
  if (tex.trim() === '' || hasBlankLine(tex)) {
    return null;
  }
  return { source: text.slice(at, end + close.length), tex, isDisplay };
}

/** `$x$`, unless the dollars look like money. */
function findInline(text: string, at: number): Formula | null {
  if (text[at] !== '$' || /[\s$]/.test(text[at + 1] ?? ' ')) {
    return null;
  }
  for (let end = at + 1; end < text.length; end += 1) {
    const character = text[end];
    if (character === '\\') {
      end += 1;
    } else if (character === '\n' && /^\n[ \t]*\n/.test(text.slice(end, end + 200))) {
      return null;
    } else if (character === '$') {
      if (/\s/.test(text[end - 1] ?? '') || /\d/.test(text[end + 1] ?? '')) {
        return null;
      }
      return { source: text.slice(at, end + 1), tex: text.slice(at + 1, end), isDisplay: false };
    }
  }
  return null;
}

function findEnvironment(text: string, at: number): Formula | null {
  const name = ENVIRONMENT.exec(text.slice(at, at + 40))?.[1];
  if (name === undefined) {
    return null;
  }
  const close = `\\end{${name}}`;
  const end = text.indexOf(close, at);
  if (end < 0) {
    return null;
  }
  const tex = text.slice(at, end + close.length);
  return hasBlankLine(tex) ? null : { source: tex, tex, isDisplay: true };
}

function findFormula(text: string, at: number): Formula | null {
  if (text[at] === '\\') {
    const environment = findEnvironment(text, at);
    if (environment !== null) {
      return environment;
    }
  }
  for (const delimiter of DELIMITERS) {
    const formula = findDelimited(text, at, delimiter);
    if (formula !== null) {
      return formula;
    }
  }
  return findInline(text, at);
}

/** End of the code that starts at a backtick or a fence; `at` where none does. */
function codeEnd(text: string, at: number): number {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const newline = text.indexOf('\n', at);
  const line = text.slice(lineStart, newline < 0 ? text.length : newline);
  const fence = FENCED.exec(line)?.[1];
  if (fence !== undefined && text.startsWith(fence, at)) {
    const close = new RegExp(`\\n[ \\t>]*\\${fence.charAt(0)}{${fence.length},}[ \\t]*(?=\\n|$)`);
    const found = close.exec(text.slice(at));
    return found === null ? text.length : at + found.index + found[0].length;
  }
  const run = /^`+/.exec(text.slice(at, at + 100))?.[0];
  if (run === undefined) {
    return at;
  }
  const close = new RegExp(`(?<!\`)\`{${run.length}}(?!\`)`).exec(text.slice(at + run.length));
  return at + run.length + (close === null ? 0 : close.index + run.length);
}

/** Take the formulas out of a block of Markdown. */
export function extractMath(source: string): ExtractedMath {
  const text = source.replace(/[\uE000\uE001]/g, '\uFFFD');
  const formulas: Formula[] = [];
  const pieces: string[] = [];
  let copied = 0;
  const interesting = /[`~\\$]/g;
  for (let match = interesting.exec(text); match !== null; match = interesting.exec(text)) {
    const at = match.index;
    const formula = findFormula(text, at);
    if (formula !== null) {
      pieces.push(text.slice(copied, at), `${MARK_OPEN}${formulas.length}${MARK_CLOSE}`);
      formulas.push(formula);
      copied = at + formula.source.length;
      interesting.lastIndex = copied;
    } else if (match[0] === '\\') {
      // An escaped character begins nothing.
      interesting.lastIndex = at + 2;
    } else if (match[0] !== '$') {
      interesting.lastIndex = Math.max(at + 1, codeEnd(text, at));
    }
  }
  pieces.push(text.slice(copied));
  return { text: pieces.join(''), formulas };
}
